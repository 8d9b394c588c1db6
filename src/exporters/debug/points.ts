import type { DataPoint, ExponentialHistogram, Histogram, MetricData, SumMetricData } from '@opentelemetry/sdk-metrics'

/** The SDK's DataPointType, by value: importing it would load the SDK. */
const HISTOGRAM = 0
const EXPONENTIAL_HISTOGRAM = 1
const GAUGE = 2
const SUM = 3

/** @opentelemetry/api ValueType.INT */
const VALUE_TYPE_INT = 0

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
    case GAUGE:
      return { kind: 'Gauge', isInt, points: metric.dataPoints as DataPoint<number>[] }
    case SUM:
      return {
        kind: 'Sum',
        isMonotonic: (metric as SumMetricData).isMonotonic,
        isInt,
        points: metric.dataPoints as DataPoint<number>[],
      }
    case HISTOGRAM:
      return { kind: 'Histogram', points: metric.dataPoints as DataPoint<Histogram>[] }
    case EXPONENTIAL_HISTOGRAM:
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
