import assert from 'node:assert/strict'
import { SocketAddress } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress } from '../../../../src/receivers/netvitals/destinations/address.ts'

const bytesOf = (groups: readonly number[]) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
/** Addresses with many zero groups and short ones, where the rules differ. */
const groups = fc.array(fc.oneof(fc.constant(0), fc.constant(1), fc.integer({ min: 0, max: 0xffff })), {
  minLength: 8,
  maxLength: 8,
})

test('IPv6 is written by RFC 5952, as the URL standard writes it too', () => {
  fc.assert(
    fc.property(groups, (value) => {
      fc.pre(!(value[5] === 0xffff && value.slice(0, 5).every((group) => group === 0)))
      const full = value.map((group) => group.toString(16)).join(':')
      assert.equal(formatAddress(bytesOf(value), 0, 6), new URL(`http://[${full}]/`).hostname.slice(1, -1))
    }),
    { numRuns: 5000 },
  )
})

test('both families are written as inet_ntop writes them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.boolean(), (bytes, mapped) => {
      const four = `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
      assert.equal(formatAddress(bytes, 0, 4), new SocketAddress({ address: four, family: 'ipv4' }).address)
      const value = mapped ? Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes.subarray(0, 4)) : bytes
      const full = Buffer.from(value)
        .toString('hex')
        .replace(/(.{4})(?!$)/g, '$1:')
      assert.equal(formatAddress(value, 0, 6), new SocketAddress({ address: full, family: 'ipv6' }).address)
    }),
    { numRuns: 5000 },
  )
})

for (const [hex, text] of [
  ['20010db8000000000000000000000001', '2001:db8::1'],
  ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
  ['00000000000000000000000000000000', '::'],
  ['00000000000000000000000000000001', '::1'],
  ['fe800000000000000000000000000000', 'fe80::'],
  ['00000000000000000000ffffc0000201', '::ffff:192.0.2.1'],
  ['20010DB8AAAABBBBCCCCDDDDEEEE0AAA', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaa'],
] as const) {
  test(`${hex} is ${text}`, () => {
    assert.equal(formatAddress(Buffer.from(hex, 'hex'), 0, 6), text)
  })
}

test('an address is read where it lies in the record', () => {
  const record = Buffer.from(`aabb${'c0000207'}ccdd`, 'hex')
  assert.equal(formatAddress(record, 2, 4), '192.0.2.7')
})
