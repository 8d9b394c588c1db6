import { setTimeout as sleep } from 'node:timers/promises'
import type { RetryConfig } from './config.ts'
import type { PartialSuccess } from './response.ts'

/** How one attempt ended. */
export type SendOutcome = Sent | Failed

export interface Sent {
  readonly sent: true
  readonly partialSuccess?: PartialSuccess | undefined
}

export interface Failed {
  readonly sent: false
  /** The reason may pass: send the same again later. */
  readonly retryable: boolean
  /** The backend asks not to be tried again sooner. */
  readonly throttleMs?: number | undefined
  /** A short word that stays the same while the reason does, such as a status code's name. */
  readonly code: string
  readonly reason: string
}

/** One attempt; never rejects. `bytes` stay unchanged until it ends. */
export type Send = (bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal) => Promise<SendOutcome>

export interface RetryOptions {
  readonly config: RetryConfig
  readonly send: Send
  /** Ends waits at once, and retries with them: what fails after it is given up. */
  readonly stopping: AbortSignal
  /** Ends an attempt under way. */
  readonly abandoned: AbortSignal
  readonly onRetry?: (failure: Failed, waitMs: number) => void
  readonly random?: () => number
}

/**
 * Sends until it is done or must be given up, by the Collector's rules: exponential back-off with jitter, at least as
 * long as the backend asks, and no attempt that would begin later than `max_elapsed_time` after the first.
 */
export function createRetry({ config, send, stopping, abandoned, onRetry, random = Math.random }: RetryOptions) {
  function jitter(intervalMs: number): number {
    return intervalMs * (1 + config.randomization_factor * (2 * random() - 1))
  }

  /** `startedAt` is performance.now() of the batch's first attempt: its requests share their time. */
  return async function sendWithRetry(bytes: Uint8Array<ArrayBuffer>, startedAt: number): Promise<SendOutcome> {
    let intervalMs = config.initial_interval
    for (;;) {
      const outcome = await send(bytes, abandoned)
      if (outcome.sent) return outcome
      if (!outcome.retryable) return { ...outcome, reason: `not retryable error: ${outcome.reason}` }
      if (!config.enabled || stopping.aborted) return outcome

      const waitMs = Math.max(jitter(Math.min(intervalMs, config.max_interval)), outcome.throttleMs ?? 0)
      intervalMs = Math.min(intervalMs * config.multiplier, config.max_interval)
      const elapsedMs = performance.now() - startedAt
      if (config.max_elapsed_time > 0 && elapsedMs + waitMs > config.max_elapsed_time) {
        return { ...outcome, reason: `no more retries left: ${outcome.reason}` }
      }
      onRetry?.(outcome, waitMs)
      await sleep(waitMs, undefined, { signal: stopping }).catch(() => undefined)
    }
  }
}
