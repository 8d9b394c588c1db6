import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'

/** An independent reader of OTLP: protobufjs with the protocol's own definitions. */
const { root } = protobuf.parse(readFileSync(new URL('metrics.proto', import.meta.url), 'utf8'))
const Request = root.lookupType('ExportMetricsServiceRequest')
const Response = root.lookupType('ExportMetricsServiceResponse')

export interface Resource {
  readonly scopeMetrics: readonly Scope[]
  readonly [field: string]: unknown
}
export interface Scope {
  readonly metrics: readonly Metric[]
  readonly [field: string]: unknown
}
export interface Metric {
  readonly name: string
  readonly data: 'gauge' | 'sum' | 'histogram' | 'exponentialHistogram'
  readonly [field: string]: unknown
}
export interface Point {
  readonly [field: string]: unknown
}
interface Data {
  readonly dataPoints: readonly Point[]
}

export function decodeRequest(bytes: Uint8Array): readonly Resource[] {
  const options = { longs: String, bytes: String, defaults: true, oneofs: true, arrays: true }
  return Request.toObject(Request.decode(bytes), options).resourceMetrics
}

/** OTLP/JSON as protobuf: a field that the protocol does not have, or of another type, throws or gets lost. */
export function fromJson(json: Uint8Array): Uint8Array {
  return Request.encode(Request.fromObject(JSON.parse(new TextDecoder().decode(json)))).finish()
}

export function pointsOf(metric: Metric): readonly Point[] {
  return (metric[metric.data] as Data).dataPoints
}

/**
 * One entry a point: all that a receiver knows about it, in order. It is the same however points are spread over
 * requests.
 */
export function flatten(requests: Iterable<Uint8Array>): unknown[] {
  const result: unknown[] = []
  for (const request of requests) {
    for (const { scopeMetrics, ...resource } of decodeRequest(request)) {
      for (const { metrics, ...scope } of scopeMetrics) {
        for (const metric of metrics) {
          const { dataPoints, ...data } = metric[metric.data] as Data
          const head = { ...metric, [metric.data]: data }
          for (const point of dataPoints) result.push({ resource, scope, metric: head, point })
        }
      }
    }
  }
  return result
}

export function encodeResponse(partialSuccess?: { rejectedDataPoints?: number; errorMessage?: string }): Buffer {
  return Buffer.from(Response.encode(Response.fromObject(partialSuccess ? { partialSuccess } : {})).finish())
}
