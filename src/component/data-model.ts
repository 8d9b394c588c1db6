import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'

/** The SDK's DataPointType, AggregationTemporality and ValueType: its package is large and only its types are needed. */
export const DATA_POINT_TYPE = { histogram: 0, exponentialHistogram: 1, gauge: 2, sum: 3 } as const
export const TEMPORALITY = { delta: 0, cumulative: 1 } as const
export const VALUE_TYPE_INT = 0

/** DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK: the series has ended, the point has no value. */
export const NO_RECORDED_VALUE = 1

export function countPoints(batch: readonly ResourceMetrics[]): number {
  let points = 0
  for (const { scopeMetrics } of batch) {
    for (const { metrics } of scopeMetrics) {
      for (const { dataPoints } of metrics) points += dataPoints.length
    }
  }
  return points
}
