import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import type { Batch, DataPoint } from '../../../src/component/types.ts'
import { config } from '../../../src/processors/cumulative_to_delta/config.ts'
import { createCumulativeToDelta } from '../../../src/processors/cumulative_to_delta/cumulative-to-delta.ts'
import { batchOf, type History, keyOf, restart, START_S } from '../../deltas/delta-history.ts'
import { createHarness } from '../../exporters/harness.ts'

interface Told {
  readonly value: number
  readonly from: number
  readonly to: number
}

function processorOf(settings: object = {}, refuses: () => boolean = () => false) {
  const batches: Batch[] = []
  const harness = createHarness('cumulative_to_delta')
  const processor = createCumulativeToDelta(harness.settings, config.parse({ initial_value: 'keep', ...settings }), {
    async consume(batch) {
      if (refuses()) throw new Error('queue is full')
      batches.push(batch)
    },
  })
  /** What is told of each of them at this time, seconds after START_S. */
  async function tell(histories: readonly History[], time: number, fresh = false): Promise<(Told | undefined)[]> {
    await processor.consume(batchOf(histories, time, fresh))
    const told = toldOf(batches.at(-1)!)
    return histories.map((one) => told.get(keyOf(one)))
  }
  return { processor, batches, tell, metric: harness.metric }
}

function toldOf(batch: Batch): Map<string, Told> {
  const result = new Map<string, Told>()
  for (const { resource, scopeMetrics } of batch) {
    for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
      assert.equal(metric.aggregationTemporality, AggregationTemporality.DELTA)
      for (const { attributes, value, startTime, endTime } of metric.dataPoints as DataPoint<number>[]) {
        const place = { resource: String(resource.attributes['service.name']), metric: metric.descriptor.name }
        result.set(keyOf({ ...place, attributes }), { value, from: startTime[0] - START_S, to: endTime[0] - START_S })
      }
    }
  }
  return result
}

function history(attributes = {}, resource = 'a', metric = 'm', value = 0): History {
  return { resource, metric, attributes: Object.freeze(attributes), start: 0, value, told: 0, toldOfLife: 0 }
}

describe('the cumulative_to_delta processor', () => {
  it("tells what was added since a series' last point, over the time since then", async () => {
    const { tell } = processorOf()
    const [one, other] = [history({ peer: 'x' }), history({ peer: 'y' }, 'b', 'n')]
    one.value = 10
    other.value = 3
    assert.deepEqual(await tell([one, other], 10), [
      { value: 10, from: 0, to: 10 },
      { value: 3, from: 0, to: 10 },
    ])
    one.value = 12
    assert.deepEqual(await tell([one, other], 20, true), [
      { value: 2, from: 10, to: 20 },
      { value: 0, from: 10, to: 20 },
    ])
  })

  it('tells the whole value of a series that begins anew, by its start or because it fell', async () => {
    for (const initial_value of ['keep', 'drop']) {
      const { tell } = processorOf({ initial_value })
      const one = history({}, 'a', 'm', 10)
      await tell([one], 10)
      restart(one, 15)
      one.value = 11
      assert.deepEqual(await tell([one], 20), [{ value: 11, from: 10, to: 20 }])
      one.value = 4
      assert.deepEqual(await tell([one], 30), [{ value: 4, from: 20, to: 30 }])
    }
  })

  it('loses and invents nothing, whatever grows and restarts', async () => {
    const step = fc.array(fc.tuple(fc.nat(1000), fc.nat(5)), { minLength: 6, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        const { tell } = processorOf()
        const histories = ['a', 'b'].flatMap((resource) => ['x', 'y', 'z'].map((peer) => history({ peer }, resource)))
        const sums = histories.map(() => 0)
        let time = 10
        for (const changes of steps) {
          time += 10
          for (const [i, [grown, restarts]] of changes.entries()) {
            if (restarts === 0) restart(histories[i]!, time - 5)
            histories[i]!.value += grown
          }
          const told = await tell(histories, time, time % 20 === 0)
          for (const [i, found] of told.entries()) sums[i]! += found?.value ?? 0
        }
        assert.deepEqual(
          sums,
          histories.map(({ told }) => told),
        )
      }),
      { numRuns: 100 },
    )
  })

  describe('at the first sight of a series', () => {
    const now = Math.floor(Date.now() / 1000) - START_S
    const older = () => history({ peer: 'older' }, 'a', 'm', 100)
    const younger = () => ({ ...history({ peer: 'younger' }, 'a', 'm', 7), start: now + 60 })
    for (const [initial_value, first] of [
      ['auto', [undefined, 7]],
      ['keep', [100, 7]],
      ['drop', [undefined, undefined]],
    ] as const) {
      it(`${initial_value}: ${JSON.stringify(first)} of one older than the program and one younger`, async () => {
        const { tell, metric } = processorOf({ initial_value })
        const both = [older(), younger()]
        const values = async (time: number) => (await tell(both, time)).map((told) => told?.value)
        assert.deepEqual(await values(now + 70), first)
        for (const one of both) one.value += 5
        assert.deepEqual(await values(now + 80), [5, 5])
        const dropped = first.filter((value) => value === undefined).length
        assert.equal(await metric('otelcol_cumulativetodelta_datapoints'), 4 - dropped)
        assert.equal((await metric('otelcol_cumulativetodelta_datapoints_dropped')) ?? 0, dropped)
      })
    }
  })

  it('leaves gauges, sums that may fall, deltas and histograms as they are', async () => {
    const { processor, batches } = processorOf()
    const [resource] = batchOf([history({}, 'a', 'm', 1)], 10)
    const [sum] = resource!.scopeMetrics[0]!.metrics as [MetricData & { dataPointType: DataPointType.SUM }]
    const others = [
      { ...sum, isMonotonic: false },
      { ...sum, aggregationTemporality: AggregationTemporality.DELTA },
      { ...sum, dataPointType: DataPointType.GAUGE },
      { ...sum, dataPointType: DataPointType.HISTOGRAM },
      { ...sum, dataPoints: [] },
    ] as unknown as MetricData[]
    await processor.consume([{ ...resource!, scopeMetrics: [{ scope: { name: 'x' }, metrics: others }] }])
    const left = batches[0]![0]!.scopeMetrics[0]!.metrics
    assert.equal(left.length, others.length)
    for (const [i, metric] of left.entries()) assert.equal(metric, others[i])
  })

  it('changes nothing of what it was given: others have it too', async () => {
    const { processor, batches } = processorOf()
    const one = history({}, 'a', 'm', 10)
    await processor.consume(batchOf([one], 10))
    one.value = 12
    const given = batchOf([one], 20)
    const before = structuredClone(given[0]!.scopeMetrics)
    await processor.consume(given)
    assert.deepEqual(given[0]!.scopeMetrics, before)
    // Points of the batch before are not written over.
    assert.deepEqual(toldOf(batches[0]!).get(keyOf(one)), { value: 10, from: 0, to: 10 })
    const point = batches[1]![0]!.scopeMetrics[0]!.metrics[0]!.dataPoints[0]!
    assert.equal(point.attributes, one.attributes)
    assert.equal(batches[1]![0]!.resource, given[0]!.resource)
  })

  it('passes NaN, and drops the point that ends a series, with all that becomes empty by that', async () => {
    const { processor, batches } = processorOf()
    const [resource] = batchOf([history({}, 'a', 'm', 1)], 10)
    const [scope] = resource!.scopeMetrics
    const [sum] = scope!.metrics as [MetricData & { dataPointType: DataPointType.SUM }]
    const of = (point: object): Batch => [
      {
        ...resource!,
        scopeMetrics: [{ ...scope!, metrics: [{ ...sum, dataPoints: [{ ...sum.dataPoints[0]!, ...point }] }] }],
      },
    ]
    await processor.consume(of({ value: Number.NaN }))
    assert.ok(Number.isNaN([...toldOf(batches[0]!).values()][0]!.value))
    await processor.consume([...of({ flags: 1 }), ...batchOf([history({}, 'b', 'm', 2)], 10)])
    assert.deepEqual([...toldOf(batches[1]!).values()], [{ value: 2, from: 0, to: 10 }])
    assert.equal(batches[1]!.length, 1)
  })

  describe('converts only', () => {
    const sum = (metric: string) => history({}, 'a', metric, 1)
    const names = ['tcp.sent', 'tcp.lost', 'other']
    for (const [settings, expected] of [
      [{}, names],
      [{ include: { metrics: ['other', 'tcp'], match_type: 'strict' } }, ['other']],
      [{ include: { metrics: ['cp\\.'], match_type: 'regexp' } }, ['tcp.sent', 'tcp.lost']],
      [{ include: { metrics: ['(?i)LOST$'], match_type: 'regexp' } }, ['tcp.lost']],
      [{ exclude: { metrics: ['^tcp'], match_type: 'regexp' } }, ['other']],
      [
        {
          include: { metrics: ['tcp'], match_type: 'regexp' },
          exclude: { metrics: ['tcp.lost'], match_type: 'strict' },
        },
        ['tcp.sent'],
      ],
      [{ include: { metric_types: ['histogram'] } }, []],
      [{ include: { metric_types: ['SUM'] } }, names],
      [{ exclude: { metric_types: ['Sum', 'histogram'] } }, []],
    ] as const) {
      it(`${JSON.stringify(expected)} with ${JSON.stringify(settings)}`, async () => {
        const { processor, batches } = processorOf(settings)
        await processor.consume(batchOf(names.map(sum), 10))
        const metrics = batches[0]![0]!.scopeMetrics[0]!.metrics
        const converted = metrics.filter((metric) => metric.aggregationTemporality === AggregationTemporality.DELTA)
        assert.deepEqual(
          converted.map(({ descriptor }) => descriptor.name),
          expected,
        )
        assert.equal(metrics.length, names.length)
      })
    }
  })

  describe('remembers a series', () => {
    async function afterGap(settings: object, gapS: number) {
      const { tell, metric } = processorOf(settings)
      const stays = history({ peer: 'stays' }, 'a', 'm', 1)
      const goes = history({ peer: 'goes' }, 'a', 'm', 50)
      const gone = history({}, 'gone', 'm', 50)
      await tell([stays, goes, gone], 10)
      for (let time = 20; time < 10 + gapS; time += 10) await tell([stays], time)
      const tracked = await metric('otelcol_cumulativetodelta_streams_tracked')
      const [, ...values] = (await tell([stays, goes, gone], 10 + gapS)).map((told) => told?.value)
      return { tracked, values }
    }

    it('for max_staleness', async () => {
      assert.deepEqual(await afterGap({ max_staleness: '10m' }, 600), { tracked: 3, values: [0, 0] })
    })

    it('and no longer: then it is new', async () => {
      assert.deepEqual(await afterGap({ max_staleness: '10m' }, 800), { tracked: 1, values: [50, 50] })
    })

    it('for ever with 0', async () => {
      assert.deepEqual(await afterGap({ max_staleness: 0 }, 50_000), { tracked: 3, values: [0, 0] })
    })
  })

  it('tells the receiver what the next component refuses, and goes on', async () => {
    let refuse = true
    const { processor, batches } = processorOf({}, () => refuse)
    const one = history({}, 'a', 'm', 10)
    await assert.rejects(processor.consume(batchOf([one], 10)), { message: 'queue is full' })
    refuse = false
    one.value = 12
    await processor.consume(batchOf([one], 20))
    assert.deepEqual([...toldOf(batches[0]!).values()], [{ value: 2, from: 10, to: 20 }])
  })

  it('starts, and stops twice and before its start', async () => {
    const { processor } = processorOf()
    await processor.stop()
    await processor.start(createHarness().host)
    await processor.stop()
    await processor.stop()
  })
})
