import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress } from '../../../../src/receivers/netvitals/destinations/address.ts'
import { contains, networkOf, parseCidr } from '../../../../src/receivers/netvitals/destinations/cidr.ts'
import { compileRanges, type Range } from '../../../../src/receivers/netvitals/destinations/ranges.ts'

/** Few distinct bits, so that random networks nest, touch and coincide. */
const bytes = fc.array(fc.constantFrom(0, 1, 127, 128, 254, 255), { minLength: 16, maxLength: 16 })
const range = (family: 4 | 6) =>
  fc.record({
    cidr: fc
      .tuple(bytes, fc.integer({ min: 0, max: family === 4 ? 32 : 128 }))
      .map(([value, prefix]) => networkOf(`${formatAddress(Uint8Array.from(value), 0, family)}/${prefix}`)),
    rank: fc.integer({ min: 0, max: 3 }),
    value: fc.integer({ min: 1, max: 1e6 }),
  })

/** What the rule says, word by word: the highest rank, then the longest prefix, then the last in the list. */
function expected(ranges: readonly Range<number>[], address: string): number {
  const cidr = parseCidr(address)
  const covering = ranges.map((each, i) => ({ ...each, i })).filter((each) => contains(each.cidr, cidr))
  covering.sort((a, b) => b.rank - a.rank || b.cidr.prefix - a.cidr.prefix || b.i - a.i)
  return covering[0]?.value ?? 0
}

for (const family of [4, 6] as const) {
  test(`compiled IPv${family} ranges answer as the rule does, at their edges too`, () => {
    fc.assert(
      fc.property(
        fc.array(range(family), { maxLength: 12 }),
        fc.array(bytes, { minLength: 20, maxLength: 20 }),
        (ranges, probes) => {
          const lookup = compileRanges<number>(ranges, 0)
          for (const probe of probes) {
            const record = Uint8Array.of(9, ...probe)
            const text = formatAddress(record, 1, family)
            assert.equal(lookup(record, 1, family), expected(ranges, text), text)
          }
        },
      ),
      { numRuns: 1500 },
    )
  })
}

test('without ranges everything is otherwise', () => {
  const lookup = compileRanges([], 'external')
  assert.equal(lookup(new Uint8Array(16), 0, 4), 'external')
  assert.equal(lookup(new Uint8Array(16).fill(255), 0, 6), 'external')
})
