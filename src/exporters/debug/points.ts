import type { DataPoint, ExponentialHistogram, Histogram, MetricData, SumMetricData } from '@opentelemetry/sdk-metrics'
import { DATA_POINT_TYPE, VALUE_TYPE_INT } from '../../component/data-model.ts'

export type Points =
  | { readonly kind: 'Gauge'; readonly isInt: boolean; readonly points: readonly DataPoint<number>[] }
  | {
      readonly kind: 'Sum'
      readonly isMonotonic: boolean
      readonly isInt: boolean
      readonly points: readonly DataPoint<number>[]
    }
  | { readonly kind: 'Histogram'; readonly points: readonly DataPoint<Histogram>[] }
  | { readonly kind: 'ExponentialHistogram'; readonly points: readonly DataPoint<ExponentialHistogram>[] }
  | { readonly kind: 'Empty' }

/** A metric's points by what OTLP makes of them. */
export function pointsOf(metric: MetricData): Points {
  const isInt = (metric.descriptor.valueType as number) === VALUE_TYPE_INT
  switch (metric.dataPointType as number) {
    case DATA_POINT_TYPE.gauge:
      return { kind: 'Gauge', isInt, points: metric.dataPoints as DataPoint<number>[] }
    case DATA_POINT_TYPE.sum:
      return {
        kind: 'Sum',
        isMonotonic: (metric as SumMetricData).isMonotonic,
        isInt,
        points: metric.dataPoints as DataPoint<number>[],
      }
    case DATA_POINT_TYPE.histogram:
      return { kind: 'Histogram', points: metric.dataPoints as DataPoint<Histogram>[] }
    case DATA_POINT_TYPE.exponentialHistogram:
      return { kind: 'ExponentialHistogram', points: metric.dataPoints as DataPoint<ExponentialHistogram>[] }
    default:
      return { kind: 'Empty' }
  }
}

/**
 * Bounds of a bucket of an exponential histogram: base^index, base = 2^(2^-scale). Go's own exp() may differ from ours in
 * the last of 17 digits.
 */
export function bucketBound(scale: number, index: number): number {
  return Math.exp(index * Math.LN2 * 2 ** -scale)
}
