import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ValueType } from '@opentelemetry/api'
import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import { createDeltas } from '../../src/deltas/deltas.ts'
import { batchOf, type Delivered, encodeBatch, type History, keyOf, restart, START_S } from './delta-history.ts'

function history(attributes = {}, resource = 'a', metric = 'm'): History {
  return { resource, metric, attributes: Object.freeze(attributes), start: 0, value: 0, told: 0, toldOfLife: 0 }
}

/** Every series of two resources with two metrics each; two sets of attributes are shared between metrics. */
function someHistories(): History[] {
  const sets = ['x', 'y', 'z'].map((peer) => ({ peer }))
  return ['a', 'b'].flatMap((resource) =>
    ['m', 'n'].flatMap((metric) => [
      ...sets.map((attributes) => history(attributes, resource, metric)),
      history({ 'otel.metric.overflow': 'true' }, resource, metric),
    ]),
  )
}

const SERIES = someHistories().length

const step = fc.record({
  increments: fc.array(fc.nat(1000), { minLength: SERIES, maxLength: SERIES }),
  restarts: fc.array(
    fc.nat(9).map((n) => n === 0),
    { minLength: SERIES, maxLength: SERIES },
  ),
  /** Which of the batch's requests arrive. */
  outcomes: fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
  /** The queue refused it: the encoder never sees it. */
  refused: fc.nat(5).map((n) => n === 0),
  /** Its requests end only after the next batch was encoded: another consumer has it. */
  late: fc.boolean(),
  fresh: fc.boolean(),
})

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Runs the steps and a last one in which everything arrives; gives what arrived, by series. */
async function run(steps: readonly Step[], histories: readonly History[], maxRequestPoints: number) {
  const deltas = createDeltas({ sinceMs: 0 })
  const arrived = new Map<string, Delivered[]>()
  const take = (points: Map<string, Delivered[]>) => {
    for (const [key, found] of points) arrived.set(key, [...(arrived.get(key) ?? []), ...found])
  }
  let pending: (() => Map<string, Delivered[]>) | undefined
  let time = 10
  for (const { increments, restarts, outcomes, refused, late, fresh } of steps) {
    time += 10
    for (const [i, one] of histories.entries()) {
      if (restarts[i]) restart(one, time - 5)
      one.value += increments[i]!
    }
    if (refused) continue
    const settle = await encodeBatch(deltas, batchOf(histories, time, fresh), outcomes, maxRequestPoints)
    if (pending) take(pending())
    pending = undefined
    if (late) pending = settle
    else take(settle())
  }
  if (pending) take(pending())
  const last = await encodeBatch(deltas, batchOf(histories, time + 10), [true], maxRequestPoints)
  take(last())
  return { arrived, deltas }
}

const sum = (points: readonly Delivered[] = []) => points.reduce((total, { value }) => total + value, 0)

describe('deltas', () => {
  test('add up to what was counted, whatever gets lost, restarts, is refused or overtaken', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.integer({ min: 1, max: 20 }), async (steps, points) => {
        const histories = someHistories()
        const { arrived } = await run(steps, histories, points)
        for (const one of histories) {
          const found = arrived.get(keyOf(one)) ?? []
          assert.equal(sum(found), one.told)
          for (const { value, temporality, start, end } of found) {
            assert.ok(value >= 0)
            assert.equal(temporality, 1)
            assert.ok(start <= end)
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  test('in order, lie side by side: none overlaps, and a lost one’s time is in the next', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (given) => {
        const steps = given.map((one) => ({ ...one, late: false, restarts: [] }))
        const histories = someHistories()
        const { arrived } = await run(steps, histories, 5)
        for (const one of histories) {
          let before = BigInt(START_S) * 1_000_000_000n + 500n
          for (const { start, end } of arrived.get(keyOf(one))!) {
            assert.equal(start, before)
            before = end
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  async function send(deltas: ReturnType<typeof createDeltas>, histories: History[], time: number, arrives = true) {
    const settle = await encodeBatch(deltas, batchOf(histories, time), [arrives], 100)
    const found = settle()
    return histories.map((one) => found.get(keyOf(one))?.map(({ value }) => value))
  }

  test('a series that began before it was known starts at 0: what it held was told by another', async () => {
    const deltas = createDeltas({ sinceMs: (START_S + 100) * 1000 })
    const old = history({ peer: 'old' })
    const young = { ...history({ peer: 'young' }), start: 100 }
    old.value = 1000
    young.value = 7
    assert.deepEqual(await send(deltas, [old, young], 110), [[0], [7]])
    old.value += 5
    assert.deepEqual(await send(deltas, [old, young], 120), [[5], [0]])
  })

  test('a sum that fell without a new start has begun anew all the same', async () => {
    const deltas = createDeltas({ sinceMs: 0 })
    const one = history()
    one.value = 10
    await send(deltas, [one], 10)
    one.value = 4
    assert.deepEqual(await send(deltas, [one], 20), [[4]])
  })

  test('what a life still owed goes into the next one', async () => {
    const deltas = createDeltas({ sinceMs: 0 })
    const one = history()
    one.value = 10
    await send(deltas, [one], 10)
    one.value = 13
    await send(deltas, [one], 20, false)
    restart(one, 25)
    one.value = 4
    assert.deepEqual(await send(deltas, [one], 30), [[7]])
  })

  test('state is let go of with its series, and with its resource', async () => {
    const deltas = createDeltas({ sinceMs: 0 })
    const stays = history({ peer: 'stays' })
    const goes = history({ peer: 'goes' })
    const gone = history({ peer: 'gone' }, 'b')
    await send(deltas, [stays, goes, gone], 10)
    await send(deltas, [stays, goes, gone], 20)
    assert.equal(deltas.size(), 3)
    for (let time = 30; time <= 200; time += 10) await send(deltas, [stays], time)
    assert.equal(deltas.size(), 2)
    for (let time = 210; time <= 1200; time += 10) await send(deltas, [stays], time)
    assert.equal(deltas.size(), 1)
    stays.value = 3
    assert.deepEqual(await send(deltas, [stays], 1210), [[3]])
  })

  test('a resource that comes seldom, beside one that comes often, is remembered', async () => {
    const deltas = createDeltas({ sinceMs: 0 })
    const often = history({}, 'often')
    const seldom = history({}, 'seldom')
    seldom.value = 100
    for (let time = 10; time <= 20_000; time += 10) {
      const isDue = time % 3000 === 10
      const [, values] = await send(deltas, isDue ? [often, seldom] : [often], time)
      if (isDue && time > 10) assert.deepEqual(values, [1], `at ${time}`)
      if (isDue) seldom.value++
    }
  })

  test('gauges, sums that may fall, deltas and NaN pass as they are, and are not kept', () => {
    const deltas = createDeltas({ sinceMs: 0 })
    const [resource] = batchOf([history()], 10)
    const [scope] = resource!.scopeMetrics
    const [sum] = scope!.metrics as [MetricData & { dataPointType: DataPointType.SUM }]
    const changes = deltas.open()
    const others: MetricData[] = [
      { ...sum, isMonotonic: false },
      { ...sum, aggregationTemporality: AggregationTemporality.DELTA },
      { ...sum, dataPointType: DataPointType.GAUGE },
    ]
    for (const metric of others) {
      assert.equal(changes.metric(resource!, scope!, metric), metric)
      const [point] = metric.dataPoints
      assert.equal(changes.point(point!), point)
    }
    assert.notEqual(changes.metric(resource!, scope!, sum), sum)
    for (const odd of [
      { ...sum.dataPoints[0]!, value: Number.NaN },
      { ...sum.dataPoints[0]!, flags: 1 },
    ]) {
      assert.equal(changes.point(odd), odd)
    }
    changes.close()
    assert.equal(deltas.size(), 0)
  })

  test('a point too large for any request is owed', async () => {
    const deltas = createDeltas({ sinceMs: 0 })
    const [resource] = batchOf([{ ...history({ peer: 'x' }), value: 5 }], 10)
    const changes = deltas.open()
    changes.metric(resource!, resource!.scopeMetrics[0]!, resource!.scopeMetrics[0]!.metrics[0]!)
    changes.point(resource!.scopeMetrics[0]!.metrics[0]!.dataPoints[0]!)
    assert.equal(changes.issued, 1)
    changes.takeBack()
    assert.equal(changes.issued, 0)
    changes.close()
    const one = { ...history({ peer: 'x' }), value: 6 }
    assert.deepEqual(await send(deltas, [one], 20), [[6]])
  })

  test('fractions add up too', async () => {
    const deltas = createDeltas({ sinceMs: 0 })
    const one = history()
    let total = 0
    for (let i = 1; i <= 100; i++) {
      one.value = i * 0.1
      const changes = deltas.open()
      const [resource] = batchOf([one], i * 10)
      const [integer] = resource!.scopeMetrics[0]!.metrics
      const metric: MetricData = { ...integer!, descriptor: { ...integer!.descriptor, valueType: ValueType.DOUBLE } }
      changes.metric(resource!, resource!.scopeMetrics[0]!, metric)
      total += changes.point(metric.dataPoints[0]!).value as number
      changes.settle(0, 1, true)
      changes.close()
    }
    assert.ok(Math.abs(total - 10) < 1e-9, String(total))
  })
})
