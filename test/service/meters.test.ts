import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createNoopMeter } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { createMeters } from '../../src/service/meters.ts'

/** The SDK's own provider, and what it would send: values by metric. With delta it forgets what is not observed. */
function createProvider() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  return {
    source: (scope: string) => provider.getMeter(scope),
    async values(): Promise<Record<string, unknown[]>> {
      exporter.reset()
      await provider.forceFlush()
      const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((each) => each.metrics))
      const filled = metrics.filter(({ dataPoints }) => dataPoints.length > 0)
      return Object.fromEntries(
        filled.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          dataPoints.map(({ value }) => (typeof value === 'number' ? value : (value as { sum?: number }).sum)),
        ]),
      )
    },
    stop: () => provider.shutdown(),
  }
}

describe('the meters of a program whose readers change', () => {
  it('give every kind of instrument to the provider of the moment', async () => {
    const [first, second] = [createProvider(), createProvider()]
    const meters = createMeters(() => createNoopMeter())
    const { meter } = meters.scope('test')
    const counter = meter.createCounter('counter')
    const upDown = meter.createUpDownCounter('up_down')
    const histogram = meter.createHistogram('histogram')
    const gauge = meter.createGauge('gauge')
    let level = 1
    meter.createObservableGauge('level').addCallback((result) => result.observe(level))
    const [a, b] = [meter.createObservableCounter('a'), meter.createObservableUpDownCounter('b')]
    meter.addBatchObservableCallback(
      (result) => {
        result.observe(a, 10 * level)
        result.observe(b, -level)
      },
      [a, b],
    )
    const record = (value: number) => {
      counter.add(value)
      upDown.add(-value)
      histogram.record(value)
      gauge.record(value)
    }
    const all = (value: number, observed: number) => ({
      ...{ counter: [value], up_down: [-value], histogram: [value], gauge: [value] },
      ...{ level: [observed], a: [10 * observed], b: [-observed] },
    })

    record(100)
    meters.use(first.source)
    record(2)
    assert.deepEqual(await first.values(), all(2, 1))
    meters.use(second.source)
    record(3)
    level = 7
    assert.deepEqual(await second.values(), all(3, 7))
    await Promise.all([first.stop(), second.stop()])
  })

  it('observe nothing of a part that is closed, in this provider and the next', async () => {
    const [first, second] = [createProvider(), createProvider()]
    const meters = createMeters(first.source)
    const scopes = ['gone', 'there'].map((name) => {
      const scope = meters.scope(name)
      const [one, two] = [scope.meter.createObservableGauge(name), scope.meter.createObservableGauge(`${name}.batch`)]
      one.addCallback((result) => result.observe(1))
      scope.meter.addBatchObservableCallback((result) => result.observe(two, 2), [two])
      return scope
    })
    assert.equal(Object.keys(await first.values()).length, 4)
    scopes[0]!.close()
    const left = { there: [1], 'there.batch': [2] }
    assert.deepEqual(await first.values(), left)
    meters.use(second.source)
    assert.deepEqual(await second.values(), left)
    await Promise.all([first.stop(), second.stop()])
  })

  it('take away one callback of several', async () => {
    const provider = createProvider()
    const meters = createMeters(provider.source)
    const { meter } = meters.scope('test')
    const gauge = meter.createObservableGauge('gauge')
    const callback = (result: { observe(value: number): void }) => result.observe(1)
    gauge.addCallback(callback)
    const batch: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => result.observe(gauge, 2)
    meter.addBatchObservableCallback(batch, [gauge])
    gauge.removeCallback(callback)
    assert.deepEqual(await provider.values(), { gauge: [2] })
    meter.removeBatchObservableCallback(batch, [gauge])
    assert.deepEqual(await provider.values(), {})
    await provider.stop()
  })
})
