import type { Attributes } from '@opentelemetry/api'
import type { InstrumentationScope } from '@opentelemetry/core'
import type { ExponentialHistogram, Histogram, MetricData } from '@opentelemetry/sdk-metrics'
import type { Batch } from '../../component/types.ts'
import { formatInt, formatV, formatValue } from './go-format.ts'
import { bucketBound, pointsOf } from './points.ts'

/** One line a resource, scope and data point. @see opentelemetry-collector exporter/debugexporter/internal/normal */
export function formatNormal(batch: Batch): string {
  let text = ''
  for (const [index, { resource, scopeMetrics }] of batch.entries()) {
    const schema = resource.schemaUrl ? ` [${resource.schemaUrl}]` : ''
    text += `ResourceMetrics #${index}${schema}${spaced(resource.attributes)}\n`
    for (const [scopeIndex, { scope, metrics }] of scopeMetrics.entries()) {
      text += `ScopeMetrics #${scopeIndex}${scopeDetails(scope)}\n`
      for (const metric of metrics) text += formatMetric(metric)
    }
  }
  return text
}

function pairs(attributes: Attributes): string[] {
  return Object.entries(attributes).map(([key, value]) => `${key}=${formatValue(value)}`)
}

const spaced = (attributes: Attributes) =>
  pairs(attributes)
    .map((pair) => ` ${pair}`)
    .join('')

function scopeDetails({ name, version, schemaUrl }: InstrumentationScope): string {
  const identity = name + (version ? `@${version}` : '')
  const parts = [identity, schemaUrl ? `[${schemaUrl}]` : ''].filter((part) => part !== '')
  return parts.map((part) => ` ${part}`).join('')
}

function formatMetric(metric: MetricData): string {
  const { name } = metric.descriptor
  const line = (attributes: Attributes, value: string) => `${name}{${pairs(attributes).join(',')}} ${value}\n`
  const points = pointsOf(metric)
  switch (points.kind) {
    case 'Empty':
      return ''
    case 'Histogram':
      return points.points.map((point) => line(point.attributes, formatHistogram(point.value))).join('')
    case 'ExponentialHistogram':
      return points.points.map((point) => line(point.attributes, formatExponential(point.value))).join('')
    default: {
      const format = points.isInt ? formatInt : formatV
      return points.points.map((point) => line(point.attributes, format(point.value))).join('')
    }
  }
}

function formatTotals({ count, sum, min, max }: Histogram | ExponentialHistogram): string {
  let text = `count=${formatInt(count)}`
  if (sum !== undefined) text += ` sum=${formatV(sum)}`
  if (min !== undefined) text += ` min=${formatV(min)}`
  if (max !== undefined) text += ` max=${formatV(max)}`
  return text
}

function formatHistogram(value: Histogram): string {
  const { boundaries, counts } = value.buckets
  const buckets = counts.map((count, at) => {
    const bound = boundaries[at]
    return bound === undefined ? ` ${formatInt(count)}` : ` le${formatV(bound)}=${formatInt(count)}`
  })
  return formatTotals(value) + buckets.join('')
}

function formatExponential(value: ExponentialHistogram): string {
  const { scale, negative, positive, zeroCount } = value
  const negatives = negative.bucketCounts.map(
    (count, at) => ` le${formatV(-bucketBound(scale, negative.offset + at))}=${formatInt(count)}`,
  )
  const positives = positive.bucketCounts.map(
    (count, at) => ` le${formatV(bucketBound(scale, positive.offset + at + 1))}=${formatInt(count)}`,
  )
  const zero = zeroCount === 0 ? '' : ` zero=${formatInt(zeroCount)}`
  return formatTotals(value) + negatives.toReversed().join('') + zero + positives.join('')
}
