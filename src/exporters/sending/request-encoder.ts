import { setImmediate } from 'node:timers/promises'
import type { MetricData, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics'
import type { Batch, DataPoint } from '../../component/types.ts'
import { createAttributeMemo } from './attribute-memo.ts'
import {
  ATTRIBUTES_TAG,
  closeNested,
  METRIC,
  openMetric,
  openResource,
  openScope,
  POINT,
  RESOURCE,
  SCOPE,
  writePointFields,
} from './messages.ts'
import { NO_RECORDED_VALUE } from './points.ts'
import { closeMessage, createWriter, ensure, openMessage, writeByte } from './protobuf-writer.ts'

/** Points written between two looks at the clock. */
const POINTS_PER_LOOK = 256
/** Bytes reserved for a point's length: right for 128 bytes to 16 KiB. */
const POINT_LENGTH_BYTES = 2

/** An ExportMetricsServiceRequest. */
export interface EncodedRequest {
  /** Valid until the next request is asked for: the encoder has one buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly points: number
}

export interface RequestEncoderOptions {
  /** No request is larger, uncompressed. */
  readonly maxRequestBytes: number
  /** The event loop gets its turn after this much work. */
  readonly sliceMs?: number
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
export function createRequestEncoder({ maxRequestBytes, sliceMs = 5, onTooLarge }: RequestEncoderOptions) {
  const writer = createWriter(maxRequestBytes + 64 * 1024)
  const memo = createAttributeMemo(writer)

  let points = 0
  let resource: ResourceMetrics
  let scope: ScopeMetrics
  let metric: MetricData
  /** By level (RESOURCE to POINT): where what is open begins, where its contents begin, points in front of it. */
  const start = [0, 0, 0, 0]
  const contents = [0, 0, 0, 0]
  const pointsBefore = [0, 0, 0, 0]
  let dataLengthAt = 0

  let sliceEnd = 0

  /** One batch at a time. */
  async function* encode(batch: Batch): AsyncGenerator<EncodedRequest, void> {
    sliceEnd = performance.now() + sliceMs
    for (const request of write(batch)) {
      if (request !== undefined) yield request
      await setImmediate()
      sliceEnd = performance.now() + sliceMs
    }
  }

  /** Yields requests, and undefined where the event loop is due. */
  function* write(batch: Batch): Generator<EncodedRequest | undefined, void> {
    writer.pos = 0
    points = 0
    for (resource of batch) {
      open(RESOURCE)
      for (scope of resource.scopeMetrics) {
        open(SCOPE)
        for (metric of scope.metrics) yield* writeMetric()
        close(SCOPE)
      }
      close(RESOURCE)
      memo.forget()
    }
    if (points > 0) yield { bytes: writer.bytes.subarray(0, writer.pos), points }
  }

  function* writeMetric(): Generator<EncodedRequest | undefined, void> {
    const dataPoints: readonly DataPoint<unknown>[] = metric.dataPoints
    const ended: DataPoint<unknown>[] = []
    open(METRIC)
    for (let next = 0; next < dataPoints.length; ) {
      next = writePoints(dataPoints, next, ended)
      if (writer.pos > maxRequestBytes) yield* cut()
      if (performance.now() > sliceEnd) yield
    }
    close(METRIC)
    for (const point of ended) {
      open(METRIC)
      writePoint(point)
      if (writer.pos > maxRequestBytes) yield* cut()
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
      if (writer.pos > maxRequestBytes) return i + 1
    }
    return to
  }

  function writePoint(point: DataPoint<unknown>): void {
    start[POINT] = writer.pos
    pointsBefore[POINT] = points
    points++
    ensure(writer, 1)
    writeByte(writer, 0x0a)
    const lengthAt = openMessage(writer, POINT_LENGTH_BYTES)
    writePointFields(writer, metric, point)
    memo.write(point.attributes, ATTRIBUTES_TAG[metric.dataPointType])
    if (writer.pos - lengthAt > 16_000) memo.forget()
    closeMessage(writer, lengthAt, POINT_LENGTH_BYTES)
  }

  function open(level: number): void {
    start[level] = writer.pos
    pointsBefore[level] = points
    if (level === RESOURCE) openResource(writer, resource)
    else if (level === SCOPE) openScope(writer, scope)
    else dataLengthAt = openMetric(writer, metric)
    contents[level] = writer.pos
  }

  /** What has no points is taken back. */
  function close(level: number): void {
    if (points === pointsBefore[level]) writer.pos = start[level]!
    else fillLengths(level)
  }

  function fillLengths(level: number): void {
    if (level === METRIC) closeNested(writer, dataLengthAt)
    closeNested(writer, start[level]! + 1)
  }

  function isFirst(level: number): boolean {
    return start[level] === (level === RESOURCE ? 0 : contents[level - 1])
  }

  /** The last point made the request too large. */
  function* cut(): Generator<EncodedRequest, void> {
    while (writer.pos > maxRequestBytes) {
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
    const sent = pointsBefore[level]!
    const moved = writer.bytes.slice(from, writer.pos)
    const movedPoints = points - sent
    writer.pos = from
    for (let outer = level - 1; outer >= RESOURCE; outer--) fillLengths(outer)
    yield { bytes: writer.bytes.subarray(0, writer.pos), points: sent }

    memo.forget()
    writer.pos = 0
    points = 0
    for (let outer = RESOURCE; outer < level; outer++) open(outer)
    const shift = writer.pos - from
    ensure(writer, moved.length)
    writer.bytes.set(moved, writer.pos)
    writer.pos += moved.length
    points = movedPoints
    if (level <= METRIC) dataLengthAt += shift
    for (let inner = level; inner <= POINT; inner++) {
      start[inner]! += shift
      contents[inner]! += shift
      pointsBefore[inner]! -= sent
    }
  }

  function leaveOutLastPoint(): void {
    onTooLarge(metric, writer.pos - start[POINT]!)
    memo.forget()
    writer.pos = start[POINT]!
    points--
  }

  return { encode }
}

export type RequestEncoder = ReturnType<typeof createRequestEncoder>
