import { setTimeout as sleep } from 'node:timers/promises'
import type { ExportResult } from '@opentelemetry/core'
import { countPoints } from '../../component/data-model.ts'
import type { Batch, Exporter, Host, Settings } from '../../component/types.ts'
import type { DeltaBatch } from '../../deltas/deltas.ts'
import { codedError, reasonOf } from '../../errors.ts'
import { requestLimits } from './batch-config.ts'
import type { QueueConfig, RetryConfig } from './config.ts'
import { createDeliveryState } from './delivery-state.ts'
import { acquireDeltas } from './kept-deltas.ts'
import { createQueue, type Refusal, type Sized } from './queue.ts'
import { createRequestEncoder, type RequestEncoder } from './request-encoder.ts'
import type { RequestFormat } from './request-format.ts'
import type { PartialSuccess } from './response.ts'
import { createRetry, type Failed, type Send } from './retry.ts'
import { createSendingTelemetry } from './telemetry.ts'
import type { TemporalityPreference } from './temporality.ts'

/** How long stop() waits for what is queued: with the rest of the program's end it stays under 5 s. */
const DRAIN_MS = 4000
/** The `bytes` sizer's guess until a request was encoded. */
const TYPICAL_POINT_BYTES = 320

const SIZER_UNITS = { requests: '{batch}', items: '{datapoint}', bytes: 'By' } as const

export interface SenderOptions {
  readonly settings: Settings
  readonly queue: QueueConfig
  readonly retry: RetryConfig
  readonly maxRequestBytes: number
  /** By default protobuf. */
  readonly format?: RequestFormat
  /** By default cumulative, as data come. */
  readonly temporality?: TemporalityPreference
  readonly send: Send
  readonly drainMs?: number
}

interface Entry extends Sized {
  readonly batch: Batch
  readonly done: (error: Error | undefined) => void
}

interface Progress {
  /** Points that are neither sent nor given up. */
  left: number
  failure?: Failed
  partialSuccess?: PartialSuccess | undefined
}

/**
 * What every sending exporter shares (the Collector's exporterhelper): queue, encoding into requests, retry, and
 * accounts of it. A protocol adds `send`, one attempt at one request.
 *
 * `export` reports a batch as soon as it is queued; with `wait_for_result`, or without a queue, when it has been sent
 * or given up. One consumer sends one batch after the other, each request after the one before, so that a backend
 * gets all points in order; while it retries, newer batches wait.
 */
export function createSender(options: SenderOptions): Exporter {
  const { settings, queue: config, format, temporality, drainMs = DRAIN_MS } = options
  const limits = requestLimits(options.maxRequestBytes, config.batch, config.sizer)
  const stopping = new AbortController()
  const abandoned = new AbortController()
  const state = createDeliveryState(settings)
  const queue = createQueue<Entry>({ config, consume: deliver })
  const telemetry = createSendingTelemetry(
    settings.meter,
    settings.id.toString(),
    config.enabled ? { size: queue.size, capacity: config.queue_size, unit: SIZER_UNITS[config.sizer] } : undefined,
  )
  const sendWithRetry = createRetry({
    config: options.retry,
    send: options.send,
    stopping: stopping.signal,
    abandoned: abandoned.signal,
    onRetry: state.retrying,
  })
  const kept = temporality === 'delta' ? acquireDeltas(settings.id.toString()) : undefined
  const spareEncoders: RequestEncoder[] = []
  const underWay = new Set<Promise<Error | undefined>>()
  let running = false
  let stopped: Promise<void> | undefined
  let abandonedPoints = 0
  let pointBytes = TYPICAL_POINT_BYTES

  async function start(host: Host): Promise<void> {
    state.attach(host)
    running = true
  }

  function exportBatch(batch: Batch, resultCallback: (result: ExportResult) => void): void {
    void take(batch)
      .catch((error: Error) => error)
      .then((error) => resultCallback(error === undefined ? { code: 0 } : { code: 1, error }))
  }

  async function take(batch: Batch): Promise<Error | undefined> {
    const points = countPoints(batch)
    if (points === 0) return undefined
    if (!running) return refuse(points, 'closed')
    const { promise, resolve: done } = Promise.withResolvers<Error | undefined>()
    const entry = { batch, points, size: sizeOf(points), done }
    underWay.add(promise)
    void promise.then(() => underWay.delete(promise))

    if (!config.enabled) {
      void deliver(entry)
      return promise
    }
    const refusal = await queue.offer(entry)
    if (refusal !== undefined) {
      done(undefined)
      return refuse(points, refusal)
    }
    if (queue.isHalfEmpty()) state.queueHasRoom()
    return config.wait_for_result ? promise : undefined
  }

  function sizeOf(points: number): number {
    if (config.sizer === 'requests') return 1
    return config.sizer === 'items' ? points : Math.ceil(points * pointBytes)
  }

  function refuse(points: number, refusal: Refusal): Error {
    telemetry.refused(points)
    const place = `exporters::${settings.id}`
    if (refusal === 'closed') return new Error(`${place}: is not running, ${points} data points are refused`)
    const bound = `queue_size ${config.queue_size} ${config.sizer}, max_points ${config.max_points}`
    if (refusal === 'full') {
      state.queueFull(`sending queue is full (${bound}): new data points are refused until there is room`)
      return codedError('NETVITALS_QUEUE_FULL')
    }
    const reason = `a batch of ${points} data points can never enter the queue (${bound}); raise queue_size`
    state.queueFull(reason)
    return new Error(`${place}::sending_queue: ${reason}`)
  }

  async function deliver(entry: Entry): Promise<void> {
    const encoder = spareEncoders.pop() ?? createEncoder()
    const changes = kept?.deltas.open()
    const progress: Progress = { left: entry.points }
    try {
      await sendRequests(entry.batch, encoder, changes, progress)
    } catch (error) {
      progress.failure = {
        sent: false,
        retryable: false,
        code: 'ENCODING',
        reason: `cannot encode: ${reasonOf(error)}`,
      }
      state.dropped(progress.left, progress.failure)
    }
    changes?.close()
    spareEncoders.push(encoder)
    settle(entry, progress)
  }

  function createEncoder(): RequestEncoder {
    return createRequestEncoder({ ...limits, ...(format === undefined ? {} : { format }), onTooLarge: state.tooLarge })
  }

  async function sendRequests(
    batch: Batch,
    encoder: RequestEncoder,
    changes: DeltaBatch | undefined,
    progress: Progress,
  ): Promise<void> {
    const startedAt = performance.now()
    for await (const request of encoder.encode(batch, changes)) {
      const { bytes, points } = request
      if (abandoned.signal.aborted) return
      const outcome = await sendWithRetry(bytes, startedAt)
      request.settle(outcome.sent)
      pointBytes = bytes.length / points
      if (outcome.sent) {
        telemetry.sent(points)
        telemetry.rejected(outcome.partialSuccess?.rejectedPoints ?? 0)
        progress.partialSuccess = outcome.partialSuccess ?? progress.partialSuccess
      } else {
        progress.failure = outcome
        if (abandoned.signal.aborted) return
        telemetry.failed(points)
        state.dropped(points, outcome)
      }
      progress.left -= points
    }
  }

  /** What is left was too large, or abandoned. */
  function settle(entry: Entry, { left, failure, partialSuccess }: Progress): void {
    if (left > 0) telemetry.failed(left)
    if (abandoned.signal.aborted) abandonedPoints += left
    const reason = failure?.reason ?? (abandoned.signal.aborted ? 'stopped before it was sent' : undefined)
    if (reason === undefined) {
      state.partialSuccess(partialSuccess)
      state.batchSent()
    }
    entry.done(reason === undefined ? undefined : new Error(`exporters::${settings.id}: ${reason}`))
  }

  async function forceFlush(): Promise<void> {
    await Promise.all(underWay)
  }

  function stop(): Promise<void> {
    stopped ??= drain()
    return stopped
  }

  /** Everything queued gets one more try while there is time; the rest is dropped. */
  async function drain(): Promise<void> {
    running = false
    queue.close()
    stopping.abort()
    const done = new AbortController()
    const timeout = sleep(drainMs, 'timeout', { signal: done.signal }).catch(() => undefined)
    if ((await Promise.race([forceFlush(), timeout])) === 'timeout') await abandon()
    done.abort()
    kept?.release()
    telemetry.stop()
  }

  async function abandon(): Promise<void> {
    const left = queue.clear()
    abandoned.abort()
    for (const entry of left) settle(entry, { left: entry.points })
    await forceFlush()
    state.abandoned(abandonedPoints)
  }

  return { start, stop, export: exportBatch, forceFlush, countsPoints: true }
}
