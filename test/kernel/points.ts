import type { Attributes, AttributeValue } from '@opentelemetry/api'
import type { Batch } from '../../src/component/types.ts'
import { toMs } from '../../src/links/series.ts'

type Wanted = string | number | boolean | ((value: AttributeValue | undefined) => boolean)

/** Attributes that must be there: with this value, or one that the function accepts. */
export type Match = Readonly<Record<string, Wanted>>

export interface Filter {
  readonly metric: string
  readonly resource?: Match
  readonly point?: Match
}

export interface Point {
  readonly resource: Attributes
  readonly attributes: Attributes
  readonly value: number
  /** Milliseconds since the epoch. */
  readonly startMs: number
  readonly endMs: number
}

export function matches(attributes: Attributes, match: Match = {}): boolean {
  return Object.entries(match).every(([key, wanted]) =>
    typeof wanted === 'function' ? wanted(attributes[key]) : attributes[key] === wanted,
  )
}

/** The points of one metric, of all resources and scopes. */
export function* pointsOf(batch: Batch, { metric, resource, point }: Filter): Generator<Point> {
  for (const { resource: of, scopeMetrics } of batch) {
    if (!matches(of.attributes, resource)) continue
    for (const { metrics } of scopeMetrics)
      for (const { descriptor, dataPoints } of metrics) {
        if (descriptor.name !== metric) continue
        for (const { attributes, value, startTime, endTime } of dataPoints) {
          if (!matches(attributes, point)) continue
          const times = { startMs: toMs(startTime), endMs: toMs(endTime) }
          yield { resource: of.attributes, attributes, value: value as number, ...times }
        }
      }
  }
}

/** 0 where there is no point. */
export function sumPoints(batch: Batch, filter: Filter): number {
  let sum = 0
  for (const { value } of pointsOf(batch, filter)) sum += value
  return sum
}
