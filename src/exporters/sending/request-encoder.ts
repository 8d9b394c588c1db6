import { setImmediate } from 'node:timers/promises'
import type { MetricData, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics'
import { NO_RECORDED_VALUE } from '../../component/data-model.ts'
import type { Batch, DataPoint } from '../../component/types.ts'
import type { DeltaBatch } from '../../deltas/deltas.ts'
import { createAttributeMemo } from './attribute-memo.ts'
import { PROTOBUF } from './messages.ts'
import { createWriter, ensure, writeByte } from './protobuf-writer.ts'
import { METRIC, POINT, RESOURCE, type RequestFormat, SCOPE } from './request-format.ts'

/** Points written between two looks at the clock. */
const POINTS_PER_LOOK = 256

/** An ExportMetricsServiceRequest. */
export interface EncodedRequest {
  /** Valid until the next request is asked for: the encoder has one buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly points: number
  /** For the batch's deltas: whether it was delivered. */
  settle(delivered: boolean): void
}

export interface RequestEncoderOptions {
  /** By default protobuf. */
  readonly format?: RequestFormat
  /** No request is larger, uncompressed. */
  readonly maxRequestBytes: number
  /** No request has more points. */
  readonly maxRequestPoints?: number
  /** The event loop gets its turn after this much work. */
  readonly sliceMs?: number
  /** Milliseconds from any origin. */
  readonly now?: () => number
  /** A point that is too large on its own was left out. */
  readonly onTooLarge: (metric: MetricData, bytes: number) => void
}

/**
 * Turns batches into OTLP requests in one pass, straight from the SDK's objects. A request that would grow too large
 * is cut between resources, else between scopes or metrics of the only resource, else between points of the only
 * metric; what was written beyond the cut moves to the next request. Points without a recorded value get a Metric
 * entry each, behind the others: the Collector's prometheus exporter skips the rest of a Metric after the first one.
 *
 * @example
 * const encoder = createRequestEncoder({ maxRequestBytes: 4 << 20, onTooLarge })
 * for await (const { bytes, points } of encoder.encode(batch)) await send(bytes)
 */
export function createRequestEncoder(options: RequestEncoderOptions) {
  const { format = PROTOBUF, maxRequestBytes, sliceMs = 5, now = () => performance.now(), onTooLarge } = options
  const { maxRequestPoints = Number.POSITIVE_INFINITY } = options
  const maxOpenBytes = maxRequestBytes - format.closingBytes
  const writer = createWriter(maxRequestBytes + 64 * 1024)
  const memo = createAttributeMemo(writer, format.writeAttributes)

  let points = 0
  let deltas: DeltaBatch | undefined
  let resource: ResourceMetrics
  let scope: ScopeMetrics
  let metric: MetricData
  /** By level (RESOURCE to POINT): where what is open begins, where its contents begin, points in front of it. */
  const start = [0, 0, 0, 0]
  const contents = [0, 0, 0, 0]
  const pointsBefore = [0, 0, 0, 0]
  /** As numbered by `deltas`: the first of what is open, and of the request. */
  const issuedBefore = [0, 0, 0, 0]
  let issuedFrom = 0
  let requestContents = 0
  let dataAt = 0

  let sliceEnd = 0

  /** One batch at a time. `changes`: sums are told as it says. */
  async function* encode(batch: Batch, changes?: DeltaBatch): AsyncGenerator<EncodedRequest, void> {
    deltas = changes
    sliceEnd = now() + sliceMs
    for (const request of write(batch)) {
      if (request !== undefined) yield request
      await setImmediate()
      sliceEnd = now() + sliceMs
    }
  }

  /** Yields requests, and undefined where the event loop is due. */
  function* write(batch: Batch): Generator<EncodedRequest | undefined, void> {
    issuedFrom = 0
    openRequest()
    for (resource of batch) {
      open(RESOURCE)
      for (scope of resource.scopeMetrics) {
        open(SCOPE)
        for (const given of scope.metrics) {
          metric = deltas === undefined ? given : deltas.metric(resource, scope, given)
          yield* writeMetric()
        }
        close(SCOPE)
      }
      close(RESOURCE)
      memo.forget()
    }
    if (points > 0) yield closeRequest(points, deltas?.issued ?? 0)
  }

  function openRequest(): void {
    writer.pos = 0
    points = 0
    format.openRequest(writer)
    requestContents = writer.pos
  }

  /** With the first `points` points, and what `deltas` gave out before number `issuedTo`. */
  function closeRequest(included: number, issuedTo: number): EncodedRequest {
    format.closeRequest(writer)
    const from = issuedFrom
    issuedFrom = issuedTo
    const settle = (delivered: boolean) => deltas?.settle(from, issuedTo, delivered)
    return { bytes: writer.bytes.subarray(0, writer.pos), points: included, settle }
  }

  function isTooLarge(): boolean {
    return writer.pos > maxOpenBytes || points > maxRequestPoints
  }

  function* writeMetric(): Generator<EncodedRequest | undefined, void> {
    const dataPoints: readonly DataPoint<unknown>[] = metric.dataPoints
    const ended: DataPoint<unknown>[] = []
    open(METRIC)
    for (let next = 0; next < dataPoints.length; ) {
      next = writePoints(dataPoints, next, ended)
      if (isTooLarge()) yield* cut()
      if (now() > sliceEnd) yield
    }
    close(METRIC)
    for (const point of ended) {
      open(METRIC)
      writePoint(point)
      if (isTooLarge()) yield* cut()
      close(METRIC)
    }
  }

  /** Until the request is too large, or it is time to look at the clock; gives the next point's index. */
  function writePoints(dataPoints: readonly DataPoint<unknown>[], from: number, ended: DataPoint<unknown>[]): number {
    const to = Math.min(from + POINTS_PER_LOOK, dataPoints.length)
    for (let i = from; i < to; i++) {
      const point = dataPoints[i]!
      if (point.flags !== undefined && point.flags & NO_RECORDED_VALUE) ended.push(point)
      else writePoint(point)
      if (isTooLarge()) return i + 1
    }
    return to
  }

  function writePoint(point: DataPoint<unknown>): void {
    start[POINT] = writer.pos
    pointsBefore[POINT] = points
    if (deltas !== undefined) issuedBefore[POINT] = deltas.issued
    points++
    separate(POINT)
    format.writePoint(writer, metric, deltas === undefined ? point : deltas.point(point), memo)
  }

  function open(level: number, issued = deltas?.issued ?? 0): void {
    start[level] = writer.pos
    pointsBefore[level] = points
    issuedBefore[level] = issued
    separate(level)
    if (level === RESOURCE) format.openResource(writer, resource)
    else if (level === SCOPE) format.openScope(writer, scope)
    else dataAt = format.openMetric(writer, metric)
    contents[level] = writer.pos
  }

  function separate(level: number): void {
    if (format.separator === undefined || isFirst(level)) return
    ensure(writer, 1)
    writeByte(writer, format.separator)
  }

  /** What has no points is taken back. */
  function close(level: number): void {
    if (points === pointsBefore[level]) writer.pos = start[level]!
    else format.close(writer, level, start[level]!, dataAt)
  }

  function isFirst(level: number): boolean {
    return start[level] === (level === RESOURCE ? requestContents : contents[level - 1])
  }

  /** The last point made the request too large. */
  function* cut(): Generator<EncodedRequest, void> {
    while (isTooLarge()) {
      const level = [RESOURCE, SCOPE, METRIC, POINT].find((candidate) => !isFirst(candidate))
      if (level === undefined) {
        // Alone and too large still. What is left in front of it may be too large itself: without points it goes, too.
        leaveOutLastPoint()
        return
      }
      yield* cutBefore(level)
    }
  }

  function* cutBefore(level: number): Generator<EncodedRequest, void> {
    const from = start[level]!
    const contentsFrom = format.separator === undefined ? from : from + 1
    const sent = pointsBefore[level]!
    const moved = writer.bytes.slice(contentsFrom, writer.pos)
    const movedPoints = points - sent
    writer.pos = from
    for (let outer = level - 1; outer >= RESOURCE; outer--) format.close(writer, outer, start[outer]!, dataAt)
    yield closeRequest(sent, issuedBefore[level]!)

    memo.forget()
    openRequest()
    for (let outer = RESOURCE; outer < level; outer++) open(outer, issuedFrom)
    const shift = writer.pos - contentsFrom
    ensure(writer, moved.length)
    writer.bytes.set(moved, writer.pos)
    start[level] = writer.pos
    contents[level]! += shift
    writer.pos += moved.length
    points = movedPoints
    pointsBefore[level] = 0
    if (level <= METRIC) dataAt += shift
    for (let inner = level + 1; inner <= POINT; inner++) {
      start[inner]! += shift
      contents[inner]! += shift
      pointsBefore[inner]! -= sent
    }
  }

  function leaveOutLastPoint(): void {
    onTooLarge(metric, writer.pos - start[POINT]!)
    deltas?.takeBack()
    memo.forget()
    writer.pos = start[POINT]!
    points--
  }

  return { encode }
}

export type RequestEncoder = ReturnType<typeof createRequestEncoder>
