import type { MetricData, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics'

/** A list of something with points, cut in two: the first part has at most the points that were asked for. */
type Cut<T> = readonly [head: T[], tail: T[]]

/**
 * The first `max` data points of a batch, and the rest. Only what the cut goes through is copied: resources, scopes,
 * descriptors and points stay the same objects, as encoders keep their bytes by identity.
 */
export function cutBatch(batch: readonly ResourceMetrics[], max: number): Cut<ResourceMetrics> {
  return cut(batch, max, pointsOfResource, (item, left) => {
    const [head, tail] = cut(item.scopeMetrics, left, pointsOfScope, cutScope)
    return [
      { ...item, scopeMetrics: head },
      { ...item, scopeMetrics: tail },
    ]
  })
}

function cutScope(item: ScopeMetrics, left: number): [ScopeMetrics, ScopeMetrics] {
  const [head, tail] = cut(item.metrics, left, pointsOfMetric, cutMetric)
  return [
    { ...item, metrics: head },
    { ...item, metrics: tail },
  ]
}

function cutMetric(item: MetricData, left: number): [MetricData, MetricData] {
  const part = (from: number, to?: number): MetricData =>
    ({ ...item, dataPoints: item.dataPoints.slice(from, to) }) as MetricData
  return [part(0, left), part(left)]
}

function cut<T>(
  items: readonly T[],
  max: number,
  pointsOf: (item: T) => number,
  cutItem: (item: T, left: number) => readonly [T, T],
): Cut<T> {
  let left = max
  for (const [index, item] of items.entries()) {
    const points = pointsOf(item)
    if (points <= left) {
      left -= points
      continue
    }
    if (left === 0) return [items.slice(0, index), items.slice(index)]
    const [head, tail] = cutItem(item, left)
    return [
      [...items.slice(0, index), head],
      [tail, ...items.slice(index + 1)],
    ]
  }
  return [[...items], []]
}

const pointsOfMetric = (metric: MetricData): number => metric.dataPoints.length
const pointsOfScope = ({ metrics }: ScopeMetrics): number => sum(metrics, pointsOfMetric)
export const pointsOfResource = ({ scopeMetrics }: ResourceMetrics): number => sum(scopeMetrics, pointsOfScope)

function sum<T>(items: readonly T[], pointsOf: (item: T) => number): number {
  let points = 0
  for (const item of items) points += pointsOf(item)
  return points
}
