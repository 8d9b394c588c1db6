import type { Attributes } from '@opentelemetry/api'
import type { DataPoint, ExponentialHistogram, Histogram, MetricData } from '@opentelemetry/sdk-metrics'
import type { Batch } from '../../component/types.ts'
import { formatF, formatInt, formatTimestamp, formatTyped } from './go-format.ts'
import { bucketBound, type Points, pointsOf } from './points.ts'

/** AggregationTemporality of the SDK, as the Collector prints OTLP's. */
const TEMPORALITIES = ['Delta', 'Cumulative']

type Lines = string[]

/** Everything there is. @see opentelemetry-collector exporter/debugexporter/internal/otlptext */
export function formatDetailed(batch: Batch): string {
  const lines: Lines = []
  for (const [index, { resource, scopeMetrics }] of batch.entries()) {
    lines.push(`ResourceMetrics #${index}`, `Resource SchemaURL: ${resource.schemaUrl ?? ''}`)
    writeAttributes(lines, 'Resource attributes', resource.attributes)
    for (const [scopeIndex, { scope, metrics }] of scopeMetrics.entries()) {
      lines.push(`ScopeMetrics #${scopeIndex}`, `ScopeMetrics SchemaURL: ${scope.schemaUrl ?? ''}`)
      lines.push(`InstrumentationScope ${scope.name} ${scope.version ?? ''}`)
      for (const [metricIndex, metric] of metrics.entries()) writeMetric(lines, metric, metricIndex)
    }
  }
  return lines.map((line) => `${line}\n`).join('')
}

function writeAttributes(lines: Lines, title: string, attributes: Attributes): void {
  const entries = Object.entries(attributes)
  if (entries.length === 0) return
  lines.push(`${title}:`)
  for (const [key, value] of entries) lines.push(`     -> ${key}: ${formatTyped(value)}`)
}

function writeMetric(lines: Lines, metric: MetricData, index: number): void {
  const { name, description, unit } = metric.descriptor
  const points = pointsOf(metric)
  lines.push(`Metric #${index}`, 'Descriptor:')
  lines.push(`     -> Name: ${name}`, `     -> Description: ${description}`, `     -> Unit: ${unit}`)
  lines.push(`     -> DataType: ${points.kind}`)
  if (points.kind === 'Sum') lines.push(`     -> IsMonotonic: ${points.isMonotonic}`)
  if (points.kind !== 'Gauge' && points.kind !== 'Empty') {
    lines.push(`     -> AggregationTemporality: ${TEMPORALITIES[metric.aggregationTemporality] ?? 'Unspecified'}`)
  }
  writePoints(lines, points)
}

function writePoints(lines: Lines, points: Points): void {
  if (points.kind === 'Histogram') {
    for (const [at, point] of points.points.entries()) {
      writePoint(lines, `HistogramDataPoints #${at}`, point)
      writeHistogram(lines, point.value)
    }
  } else if (points.kind === 'ExponentialHistogram') {
    for (const [at, point] of points.points.entries()) {
      writePoint(lines, `ExponentialHistogramDataPoints #${at}`, point)
      writeExponentialHistogram(lines, point.value)
    }
  } else if (points.kind !== 'Empty') {
    for (const [at, point] of points.points.entries()) {
      writePoint(lines, `NumberDataPoints #${at}`, point)
      lines.push(`Value: ${points.isInt ? formatInt(point.value) : formatF(point.value)}`)
    }
  }
}

function writePoint(lines: Lines, title: string, point: DataPoint<unknown>): void {
  lines.push(title)
  writeAttributes(lines, 'Data point attributes', point.attributes)
  lines.push(`StartTimestamp: ${formatTimestamp(point.startTime)}`, `Timestamp: ${formatTimestamp(point.endTime)}`)
}

function writeTotals(lines: Lines, { count, sum, min, max }: Histogram | ExponentialHistogram): void {
  lines.push(`Count: ${formatInt(count)}`)
  if (sum !== undefined) lines.push(`Sum: ${formatF(sum)}`)
  if (min !== undefined) lines.push(`Min: ${formatF(min)}`)
  if (max !== undefined) lines.push(`Max: ${formatF(max)}`)
}

function writeHistogram(lines: Lines, value: Histogram): void {
  writeTotals(lines, value)
  value.buckets.boundaries.forEach((bound, at) => {
    lines.push(`ExplicitBounds #${at}: ${formatF(bound)}`)
  })
  value.buckets.counts.forEach((count, at) => {
    lines.push(`Buckets #${at}, Count: ${formatInt(count)}`)
  })
}

function writeExponentialHistogram(lines: Lines, value: ExponentialHistogram): void {
  writeTotals(lines, value)
  const { scale, negative, positive, zeroCount } = value
  const bounds = (index: number) => [bucketBound(scale, index), bucketBound(scale, index + 1)] as const
  for (let at = negative.bucketCounts.length - 1; at >= 0; at--) {
    const [lower, upper] = bounds(negative.offset + at)
    lines.push(`Bucket [${formatF(-upper)}, ${formatF(-lower)}), Count: ${formatInt(negative.bucketCounts[at]!)}`)
  }
  if (zeroCount !== 0) lines.push(`Bucket [0, 0], Count: ${formatInt(zeroCount)}`)
  positive.bucketCounts.forEach((count, at) => {
    const [lower, upper] = bounds(positive.offset + at)
    lines.push(`Bucket (${formatF(lower)}, ${formatF(upper)}], Count: ${formatInt(count)}`)
  })
}
