import type { MetricData } from '@opentelemetry/sdk-metrics'
import type { Host, Settings } from '../../component/types.ts'
import type { PartialSuccess } from './response.ts'
import type { Failed } from './retry.ts'

/**
 * Says in the log, and as the component's status, how delivery goes: one line for each change, however many requests
 * fail in between. It is well again only when a whole batch went out.
 */
export function createDeliveryState({ id, log }: Settings) {
  let host: Host | undefined
  let failingCode: string | undefined
  let droppedPoints = 0
  let isQueueFull = false
  let lastPartialMessage: string | undefined
  let saidTooLarge = false

  function failing({ code, reason }: Failed, then: string): void {
    if (code === failingCode) return
    failingCode = code
    host?.report(id, 'delivery', 'down', `${reason}; ${then}`)
  }

  function retrying(failure: Failed, waitMs: number): void {
    failing(failure, `will retry, first in ${(waitMs / 1000).toFixed(1)} s`)
  }

  function dropped(points: number, failure: Failed): void {
    failing(failure, 'its data points are dropped')
    if (droppedPoints === 0) {
      log.error({ error: failure.reason, dropped_data_points: points }, 'Exporting failed. Dropping data.')
    }
    droppedPoints += points
  }

  function batchSent(): void {
    if (failingCode === undefined) return
    failingCode = undefined
    host?.report(id, 'delivery', 'ok', droppedPoints > 0 ? `${droppedPoints} data points were dropped` : undefined)
    droppedPoints = 0
  }

  /** What a batch's requests were answered; undefined when nothing was rejected. */
  function partialSuccess(partial: PartialSuccess | undefined): void {
    if (partial?.message === lastPartialMessage) return
    lastPartialMessage = partial?.message
    if (partial === undefined) log.info('The backend takes all data points again.')
    else {
      const { message, rejectedPoints } = partial
      log.warn({ message, dropped_data_points: rejectedPoints }, 'Partial success response')
    }
  }

  function queueFull(detail: string): void {
    if (isQueueFull) return
    isQueueFull = true
    host?.report(id, 'queue', 'down', detail)
  }

  function queueHasRoom(): void {
    if (!isQueueFull) return
    isQueueFull = false
    host?.report(id, 'queue', 'ok')
  }

  /** Counted by the caller; only the first one is worth a line. */
  function tooLarge({ descriptor }: MetricData, bytes: number): void {
    if (saidTooLarge) return
    saidTooLarge = true
    log.error(
      { metric: descriptor.name, bytes },
      'A data point is larger than max_request_bytes on its own and is dropped, as any like it. Shorten its attributes.',
    )
  }

  function abandoned(points: number): void {
    log.warn({ dropped_data_points: points }, 'Stopped before everything was sent.')
  }

  function attach(newHost: Host): void {
    host = newHost
  }

  return { attach, retrying, dropped, batchSent, partialSuccess, queueFull, queueHasRoom, tooLarge, abandoned }
}
