import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import type { Batch } from '../../src/component/types.ts'
import type { Deltas } from '../../src/deltas/deltas.ts'
import { createRequestEncoder } from '../../src/exporters/sending/request-encoder.ts'
import { flatten } from '../exporters/sending/otlp.ts'

/** One cumulative series: what a store would say of it, and what a backend got. */
export interface History {
  readonly resource: string
  readonly metric: string
  readonly attributes: Attributes
  start: number
  value: number
  /** All that was ever counted and told. */
  told: number
  /** Of `value`, what is in `told` already. */
  toldOfLife: number
}

export interface Delivered {
  readonly start: bigint
  readonly end: bigint
  readonly value: number
  readonly temporality: number
}

export const START_S = 1_700_000_000

export function keyOf({ resource, metric, attributes }: Pick<History, 'resource' | 'metric' | 'attributes'>): string {
  return JSON.stringify([resource, metric, attributes])
}

function secondsOf(time: number): HrTime {
  return [START_S + time, 500]
}

/** A sum's series as the store exports them at `time`; with `fresh`, no object is one that was there before. */
export function batchOf(histories: readonly History[], time: number, fresh = false): Batch {
  const byResource = Map.groupBy(histories, ({ resource }) => resource)
  return [...byResource].map(([name, ofResource]): ResourceMetrics => {
    const metrics = [...Map.groupBy(ofResource, ({ metric }) => metric)].map(
      ([metric, ofMetric]): MetricData => ({
        descriptor: { name: metric, description: '', unit: '1', valueType: ValueType.INT },
        aggregationTemporality: AggregationTemporality.CUMULATIVE,
        dataPointType: DataPointType.SUM,
        isMonotonic: true,
        dataPoints: ofMetric.map((history) => {
          history.told += history.value - history.toldOfLife
          history.toldOfLife = history.value
          return {
            startTime: secondsOf(history.start),
            endTime: secondsOf(time),
            attributes: fresh ? { ...history.attributes } : history.attributes,
            value: history.value,
          }
        }),
      }),
    )
    return { resource: resourceOf(name, fresh), scopeMetrics: [{ scope: { name: 'netvitals' }, metrics }] }
  })
}

const resources = new Map<string, ResourceMetrics['resource']>()

function resourceOf(name: string, fresh: boolean): ResourceMetrics['resource'] {
  const made = { attributes: Object.freeze({ 'service.name': name }) } as unknown as ResourceMetrics['resource']
  if (fresh) return made
  const known = resources.get(name) ?? made
  resources.set(name, known)
  return known
}

/** Begins the series anew, as after an eviction or a restart of its container. */
export function restart(history: History, time: number): void {
  history.start = time
  history.value = 0
  history.toldOfLife = 0
}

/**
 * Encodes a batch into small requests; `outcomes` says in turn which arrive. The result settles them, and gives what
 * arrived by series.
 */
export async function encodeBatch(
  deltas: Deltas,
  batch: Batch,
  outcomes: readonly boolean[],
  maxRequestPoints = 3,
): Promise<() => Map<string, Delivered[]>> {
  const changes = deltas.open()
  const encoder = createRequestEncoder({
    maxRequestBytes: 1 << 20,
    maxRequestPoints,
    onTooLarge: () => undefined,
  })
  const requests: { bytes: Uint8Array; arrives: boolean; settle: (delivered: boolean) => void }[] = []
  for await (const { bytes, settle } of encoder.encode(batch, changes)) {
    const arrives = outcomes[requests.length % Math.max(1, outcomes.length)] ?? true
    requests.push({ bytes: bytes.slice(), arrives, settle })
  }
  return () => {
    for (const { arrives, settle } of requests) settle(arrives)
    changes.close()
    return decode(requests.filter(({ arrives }) => arrives).map(({ bytes }) => bytes))
  }
}

interface DecodedPoint {
  readonly resource: { readonly resource: { readonly attributes: readonly { value: { stringValue: string } }[] } }
  readonly metric: { readonly name: string; readonly sum: { readonly aggregationTemporality: number } }
  readonly point: {
    readonly attributes: readonly { key: string; value: { stringValue: string } }[]
    readonly startTimeUnixNano: string
    readonly timeUnixNano: string
    readonly asInt: string
  }
}

function decode(requests: readonly Uint8Array[]): Map<string, Delivered[]> {
  const result = new Map<string, Delivered[]>()
  for (const { resource, metric, point } of flatten(requests) as DecodedPoint[]) {
    const attributes = Object.fromEntries(point.attributes.map(({ key, value }) => [key, value.stringValue]))
    const name = resource.resource.attributes[0]!.value.stringValue
    const key = keyOf({ resource: name, metric: metric.name, attributes })
    const found = result.get(key) ?? []
    found.push({
      start: BigInt(point.startTimeUnixNano),
      end: BigInt(point.timeUnixNano),
      value: Number(point.asInt),
      temporality: metric.sum.aggregationTemporality,
    })
    result.set(key, found)
  }
  return result
}
