import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Direction } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { createKernelModel, type Fate } from './kernel-model.ts'
import { createRig, only, type Totals } from './rig.ts'

type Model = ReturnType<typeof createKernelModel>
type Step = (model: Model) => void | Promise<void>

const cgroup = fc.integer({ min: 500, max: 503 }).map(BigInt)
const place = fc.nat(2)
const which = fc.nat(50)
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 6, arbitrary: fc.constant('told' as const) },
  { weight: 2, arbitrary: fc.constant('lost' as const) },
)
const endFate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 8, arbitrary: fate },
  { weight: 1, arbitrary: fc.constant('gone' as const) },
)
const bytes = fc.nat(5000)

const step = (ends: fc.Arbitrary<Fate>): fc.Arbitrary<Step> =>
  fc.oneof(
    fc.tuple(cgroup, place).map(
      ([c, p]): Step =>
        (m) =>
          m.dial(c, p),
    ),
    fc.tuple(cgroup, place).map(
      ([c, p]): Step =>
        (m) =>
          m.accept(c, p),
    ),
    fc.tuple(cgroup, place, fc.constantFrom(Direction.outbound, Direction.inbound)).map(
      ([c, p, d]): Step =>
        (m) =>
          m.find(c, p, d),
    ),
    fc.tuple(which, fc.integer({ min: 1, max: 5 })).map(
      ([w, ms]): Step =>
        (m) =>
          m.connect(w, ms * 1e6),
    ),
    fc.tuple(which, bytes, bytes).map(
      ([w, s, r]): Step =>
        (m) =>
          m.transfer(w, s, r),
    ),
    fc.tuple(which, fc.boolean(), fc.boolean(), fate).map(
      ([w, e, r, f]): Step =>
        (m) =>
          m.retransmit(w, e, r, f),
    ),
    which.map(
      (w): Step =>
        (m) =>
          m.halfClose(w),
    ),
    fc.tuple(which, fc.boolean(), ends).map(
      ([w, b, f]): Step =>
        (m) =>
          m.close(w, b, f),
    ),
    fc.tuple(which, ends).map(
      ([w, f]): Step =>
        (m) =>
          m.refuse(w, f),
    ),
    fc.constant<Step>((m) => m.drain()),
    fc.boolean().map(
      (late): Step =>
        (m) =>
          m.walk(late),
    ),
    cgroup.map(
      (c): Step =>
        (m) =>
          m.learn(c),
    ),
  )

const counted = [
  ...['successful_connects', 'failed_connects', 'connection_time', 'broken_connections'],
  ...['retransmits', 'segments_sent', 'bytes_sent', 'bytes_received'],
]

function assertEqualTotals(totals: Totals, expected: ReadonlyMap<string, number>) {
  const sums = counted.flatMap((metric) => Object.entries(only(totals, metric))).filter(([, value]) => value !== 0)
  const sorted = (entries: Iterable<[string, number]>) =>
    [...entries].map(([name, value]) => [name, Number(value.toFixed(6))] as const).sort()
  assert.deepEqual(sorted(sums), sorted(expected))
}

function activeByContainer(totals: Totals): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [name, value] of Object.entries(only(totals, 'active_connections')))
    if (value !== 0) counts.set(name.split(' ')[0]!, (counts.get(name.split(' ')[0]!) ?? 0) + value)
  return counts
}

function start(options: Parameters<typeof createRig>[0] = {}) {
  const rig = createRig(options)
  const hostName = String(rig.containers.byCgroup(1n).attributes['service.name'])
  return { rig, model: createKernelModel(rig, hostName) }
}

describe('any history of connections', () => {
  it('is counted to the last byte by container, link and kind, records lost or not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step(fate), { maxLength: 120 }), async (steps) => {
        const { rig, model } = start()
        for (const each of steps) await each(model)
        await model.walk(false)
        const during = await rig.cycle(model.endsLost)
        assert.deepEqual(activeByContainer(during), model.active())
        assertEqualTotals(during, model.expected)
        model.closeAll()
        await model.walk(true)
        const after = await rig.cycle(model.endsLost)
        assert.deepEqual(activeByContainer(after), new Map())
        assertEqualTotals(after, model.expected)
        assert.deepEqual(rig.connections.stats(), { tracked: 0, reconciled: 0, unknownEnds: 0 })
      }),
      { numRuns: 300 },
    )
  })

  it('is counted so where destinations and ports are folded and containers become known late', async () => {
    // Of the model's destinations two are one, and of its ports one is told by number.
    const fold = [{ name: 'pair', cidrs: ['10.0.0.10/31'] }]
    const folded = (expected: ReadonlyMap<string, number>) => {
      const sums = new Map<string, number>()
      for (const [name, value] of expected) {
        const told = name.replace(/10\.0\.0\.1[01]:/, 'pair:').replace(/:(?!80$)\d+$/, ':*')
        sums.set(told, (sums.get(told) ?? 0) + value)
      }
      return sums
    }
    await fc.assert(
      fc.asyncProperty(fc.array(step(fate), { maxLength: 120 }), async (steps) => {
        const { rig, model } = start({ ofDestinations: { fold }, ports: { from: 81, keep: 0 } })
        for (const each of steps) await each(model)
        await model.walk(false)
        const during = await rig.cycle(model.endsLost)
        assert.deepEqual(activeByContainer(during), model.active())
        assertEqualTotals(during, folded(model.expected))
        model.closeAll()
        await model.walk(true)
        const after = await rig.cycle(model.endsLost)
        assert.deepEqual(activeByContainer(after), new Map())
        assertEqualTotals(after, folded(model.expected))
      }),
      { numRuns: 300 },
    )
  })

  it('comes right by reconciliation when ends are lost for good', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step(endFate), { maxLength: 120 }), async (steps) => {
        const { rig, model } = start()
        for (const each of steps) await each(model)
        for (let walks = 0; walks < 3; walks++) await model.walk(walks === 1)
        const during = await rig.cycle(model.endsLost)
        assert.deepEqual(activeByContainer(during), model.active())
        assertEqualTotals(during, model.expected)
        model.closeAll()
        const after = await rig.cycle(model.endsLost)
        assert.deepEqual(activeByContainer(after), new Map())
        assertEqualTotals(after, model.expected)
        const { tracked, reconciled, unknownEnds } = rig.connections.stats()
        assert.deepEqual({ tracked, unknownEnds }, { tracked: 0, unknownEnds: 0 })
        assert.ok(reconciled <= model.endsLost)
      }),
      { numRuns: 300 },
    )
  })
})
