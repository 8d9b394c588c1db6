import type { HrTime } from '@opentelemetry/api'
import type { MetricData, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics'
import { NO_RECORDED_VALUE } from '../../component/data-model.ts'
import type { Batch, Consumer, DataPoint, Processor, Settings } from '../../component/types.ts'
import { createDeltas, type DeltaBatch } from '../../deltas/deltas.ts'
import type { Config } from './config.ts'
import { createSumFilter } from './metric-filter.ts'

/** Monotonic sums leave as what was added since their series' last point; everything else as it came. */
export function createCumulativeToDelta({ id, meter }: Settings, config: Config, next: Consumer): Processor {
  const isWanted = createSumFilter(config)
  const deltas = createDeltas({
    sinceMs: sinceOf(config),
    maxStalenessS: config.max_staleness === 0 ? Number.POSITIVE_INFINITY : config.max_staleness / 1000,
  })
  const telemetry = createTelemetry()

  async function consume(batch: Batch): Promise<void> {
    await next.consume(convert(batch))
  }

  function convert(batch: Batch): Batch {
    const changes = deltas.open()
    const converted = batch.flatMap((resource) =>
      keepFilled(resource, 'scopeMetrics', (scope: ScopeMetrics) =>
        keepFilled(scope, 'metrics', (metric: MetricData) => convertMetric(changes, resource, scope, metric)),
      ),
    )
    // What the next component refuses is lost and counted there, as every batch is: several may have taken it.
    changes.settle(0, changes.issued, true)
    changes.close()
    return converted
  }

  /** The metric with the points that are left; nothing where there are none. */
  function convertMetric(
    changes: DeltaBatch,
    resource: ResourceMetrics,
    scope: ScopeMetrics,
    metric: MetricData,
  ): MetricData[] {
    if (!isWanted(metric.descriptor.name)) return [metric]
    const changed = changes.metric(resource, scope, metric)
    if (changed === metric) return [metric]
    const given: readonly DataPoint<unknown>[] = metric.dataPoints
    const dataPoints = given.flatMap((point) => convertPoint(changes, point))
    telemetry.count(dataPoints.length, given.length)
    return dataPoints.length === 0 ? [] : [{ ...changed, dataPoints } as MetricData]
  }

  function convertPoint(changes: DeltaBatch, given: DataPoint<unknown>): DataPoint<unknown>[] {
    if (((given.flags ?? 0) & NO_RECORDED_VALUE) !== 0) return []
    const point = changes.point(given)
    if (point === given) return [given]
    const { startTime, endTime, value } = point
    // First seen, and what it held is not told: it says nothing.
    if (value === 0 && startTime[0] === endTime[0] && startTime[1] === endTime[1]) return []
    return [{ ...point, startTime: [...startTime] as HrTime }]
  }

  function createTelemetry() {
    const attributes = { processor: id.toString(), metric_type: 'sum' }
    const converted = meter.createCounter('otelcol_cumulativetodelta_datapoints', {
      description: 'Number of datapoints converted from cumulative to delta temporality.',
      unit: '{datapoint}',
    })
    const dropped = meter.createCounter('otelcol_cumulativetodelta_datapoints_dropped', {
      description: 'Number of datapoints dropped instead of being converted.',
      unit: '{datapoint}',
    })
    meter
      .createObservableGauge('otelcol_cumulativetodelta_streams_tracked', {
        description: 'Number of metric streams currently tracked in memory for cumulative-to-delta conversion.',
        unit: '{stream}',
      })
      .addCallback((result) => result.observe(deltas.size(), { processor: id.toString() }))
    return {
      count(left: number, given: number): void {
        converted.add(left, attributes)
        if (given > left) dropped.add(given - left, attributes)
      },
    }
  }

  return { consume, start: async () => {}, stop: async () => {} }
}

/** Milliseconds since the epoch: the first point of a series that began before is not told. */
function sinceOf({ initial_value }: Config): number {
  if (initial_value === 'auto') return Date.now()
  return initial_value === 'keep' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

/** The same with its children converted; nothing where they had some and have none any more. */
function keepFilled<K extends string, C, P extends { readonly [key in K]: readonly C[] }>(
  parent: P,
  key: K,
  convert: (child: C) => readonly C[],
): P[] {
  const children = parent[key].flatMap(convert)
  if (children.length === 0 && parent[key].length > 0) return []
  return [{ ...parent, [key]: children }]
}
