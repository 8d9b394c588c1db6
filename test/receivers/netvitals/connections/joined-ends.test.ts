import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { eachEnd, type Records } from '../../../../src/receivers/netvitals/kernel/decode.ts'
import { Direction, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { type Conn, createRig, joinedOf, only, sum, type Totals } from './rig.ts'

const { end, fail } = Kind
const { inbound, outbound } = Direction
const { ECONNREFUSED, ECONNRESET, ETIMEDOUT } = constants.errno

const link = fc.record({
  cgroup: fc.constantFrom(1n, 100n),
  direction: fc.constantFrom(outbound, inbound),
  family: fc.constantFrom(4 as const, 6 as const),
})
const fate = fc.constantFrom<Partial<Conn>>(
  { kind: end, flags: Flag.established },
  { kind: end, flags: 0 },
  { kind: end, flags: Flag.established | Flag.broken, error: ECONNRESET },
  { kind: end, flags: Flag.established | Flag.broken, error: ETIMEDOUT },
  { kind: fail, flags: 0, error: ECONNREFUSED, direction: outbound },
  { kind: fail, flags: Flag.noSyn, error: ECONNREFUSED, direction: outbound },
)
const numbers = fc.record({
  connectNs: fc.nat(1e9),
  bytesSent: fc.nat(5000),
  bytesReceived: fc.nat(5000),
  segmentsSent: fc.nat(10),
  retransData: fc.nat(2),
  retransHandshake: fc.nat(1),
  srttUs: fc.constantFrom(0, 100, 20_000),
})
/** Ends with a link in common. */
const ends = fc
  .tuple(link, fate, fc.array(numbers, { minLength: 2, maxLength: 20 }))
  .map(([of, what, each]): Conn[] => each.map((counts) => ({ kind: end, id: 0, ...of, ...what, ...counts })))

/** Sums of fractions depend on their order. */
const rounded = (totals: Totals) => [...totals].map(([name, value]) => [name, Number(value.toFixed(9))]).sort()

describe('ends that come joined', () => {
  it('count as each of them does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ends, { maxLength: 8 }), async (batches) => {
        const [together, oneByOne] = [createRig(), createRig()]
        let id = 0
        for (const batch of batches) {
          const records = batch.map((each) => ({ ...each, id: ++id }))
          assert.equal(together.applyEnds(...records), true)
          oneByOne.apply(...records)
        }
        for (const rig of [together, oneByOne]) rig.container(100)
        assert.deepEqual(rounded(await together.cycle()), rounded(await oneByOne.cycle()))
        assert.deepEqual(together.connections.stats(), oneByOne.connections.stats())
      }),
      { numRuns: 200 },
    )
  })

  it('are as many uses of their link', () => {
    const uses = (apply: (rig: ReturnType<typeof createRig>, records: Conn[]) => void) => {
      const rig = createRig()
      const entries: number[] = []
      rig.links.observe({
        entered: ({ entry }) => void entries.push(entry),
        forgotten() {},
        containerEnded() {},
      })
      apply(
        rig,
        [1, 2, 3, 4, 5].map((id) => ({ kind: end, id })),
      )
      return entries.map((entry) => rig.links.usage(entry))
    }
    assert.deepEqual(
      uses((rig, records) => void rig.applyEnds(...records)),
      [5],
    )
    assert.deepEqual(
      uses((rig, records) => rig.apply(...records)),
      [5],
    )
  })

  it('are asked for one by one where another may answer, and nothing of them is counted before', async () => {
    const rig = createRig()
    const asked: number[] = []
    const hold = ({ u32, offset }: Records) => void asked.push(u32[(offset + 8) >>> 2]!)
    rig.connections.translate({ hold, add: () => false })
    const records = [1, 2, 3].map((id): Conn => ({ kind: end, id, bytesSent: 10 }))
    assert.equal(rig.applyEnds(...records), false)
    assert.deepEqual(only(await rig.cycle(), 'successful_connects'), {})
    eachEnd(joinedOf(records), rig.connections.apply)
    assert.deepEqual(asked, [1, 2, 3])
    // An inbound one is nobody else's.
    assert.equal(rig.applyEnds(...records.map((each) => ({ ...each, direction: inbound }))), true)
    assert.equal(sum(await rig.cycle(), 'successful_connects', 'inbound'), 3)
  })
})
