import type { ExponentialHistogram, Histogram, MetricData } from '@opentelemetry/sdk-metrics'
import { DATA_POINT_TYPE, NO_RECORDED_VALUE, VALUE_TYPE_INT } from '../../component/data-model.ts'
import type { DataPoint } from '../../component/types.ts'
import { jsonDouble, jsonInteger, jsonTime } from './json-writer.ts'
import { isInt64 } from './protobuf-writer.ts'

/** What a point says besides its attributes, in the order of the protocol's fields. */
export function jsonPointFields(metric: MetricData, point: DataPoint<unknown>): string {
  switch (metric.dataPointType) {
    case DATA_POINT_TYPE.gauge:
    case DATA_POINT_TYPE.sum:
      return numberFields(point as DataPoint<number>, metric.descriptor.valueType === VALUE_TYPE_INT)
    case DATA_POINT_TYPE.histogram:
      return histogramFields(point as DataPoint<Histogram>)
    default:
      return exponentialHistogramFields(point as DataPoint<ExponentialHistogram>)
  }
}

function numberFields(point: DataPoint<number>, isInteger: boolean): string {
  const { value, flags = 0 } = point
  if (flags & NO_RECORDED_VALUE) return times(point)
  const number = isInteger && isInt64(value) ? `"asInt":${jsonInteger(value)}` : `"asDouble":${jsonDouble(value)}`
  return `${times(point)},${number}`
}

function histogramFields(point: DataPoint<Histogram>): string {
  const { count, buckets } = point.value
  const counts = `"bucketCounts":[${buckets.counts.map(jsonInteger).join(',')}]`
  const bounds = `"explicitBounds":[${buckets.boundaries.map(jsonDouble).join(',')}]`
  return `${times(point)},"count":${jsonInteger(count)}${extremes(point.value)},${counts},${bounds}`
}

function exponentialHistogramFields(point: DataPoint<ExponentialHistogram>): string {
  const { count, scale, zeroCount, positive, negative } = point.value
  const zero = `"scale":${scale},"zeroCount":${jsonInteger(zeroCount)}`
  const sides = `"positive":${bucketsOf(positive)},"negative":${bucketsOf(negative)}`
  return `${times(point)},"count":${jsonInteger(count)}${extremes(point.value)},${zero},${sides}`
}

function bucketsOf({ offset, bucketCounts }: ExponentialHistogram['positive']): string {
  return `{"offset":${offset},"bucketCounts":[${bucketCounts.map(jsonInteger).join(',')}]}`
}

function extremes({ sum, min, max }: { sum?: number; min?: number; max?: number }): string {
  const member = (name: string, value?: number) => (value === undefined ? '' : `,"${name}":${jsonDouble(value)}`)
  return member('sum', sum) + member('min', min) + member('max', max)
}

/** The start is left out when there is none (a gauge may have none); so are flags that are 0. */
function times({ startTime, endTime, flags = 0 }: DataPoint<unknown>): string {
  const hasStart = startTime !== undefined && (startTime[0] !== 0 || startTime[1] !== 0)
  const start = hasStart ? `"startTimeUnixNano":${jsonTime(startTime)},` : ''
  return `${start}"timeUnixNano":${jsonTime(endTime)}${flags === 0 ? '' : `,"flags":${flags}`}`
}
