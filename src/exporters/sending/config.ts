import type { z } from 'zod'
import { boolean, duration, integer, invalid, number, object, string } from '../../config/fields.ts'
import { type BatchConfig, batchFields, checkBatch, type Sizer, sizer } from './batch-config.ts'

/** Settings that every sending exporter has, with the Collector's names, defaults and words. */

type Refinement<T> = (value: T, ctx: z.core.$RefinementCtx<T>) => void

/** Applies to the value what the Collector's Validate() says of it. */
function validated<T>(rule: (value: T) => string | undefined): Refinement<T> {
  return (value, ctx) => {
    const message = rule(value)
    if (message !== undefined) ctx.addIssue(invalid(message))
  }
}

export interface RetryConfig {
  readonly enabled: boolean
  /** Milliseconds; so are the others. */
  readonly initial_interval: number
  readonly randomization_factor: number
  readonly multiplier: number
  readonly max_interval: number
  readonly max_elapsed_time: number
}

export function retryFields() {
  return object({
    enabled: boolean().prefault(true).describe('Send again what failed for a reason that may pass.'),
    initial_interval: duration().prefault('5s').describe('Wait before the first retry.'),
    randomization_factor: number()
      .prefault(0.5)
      .describe('Each wait is changed at random by up to this share, 0 to 1.'),
    multiplier: number().prefault(1.5).describe('Each wait is this many times the one before.'),
    max_interval: duration().prefault('30s').describe('The longest wait.'),
    max_elapsed_time: duration()
      .prefault('5m')
      .describe('A batch is given up when it has failed for so long. 0 means never.'),
  }).superRefine(validated(checkRetry))
}

const NOT_NEGATIVE = [
  'initial_interval',
  'max_elapsed_time',
  'max_interval',
  'multiplier',
  'randomization_factor',
] as const

function checkRetry(retry: RetryConfig): string | undefined {
  if (!retry.enabled) return undefined
  for (const key of NOT_NEGATIVE) if (retry[key] < 0) return `${key} value must be greater than or equal to 0`
  if (retry.randomization_factor > 1) return 'randomization_factor value must be less than or equal to 1'
  if (retry.max_elapsed_time === 0) return undefined
  if (retry.max_elapsed_time < retry.initial_interval)
    return "'max_elapsed_time' must not be less than 'initial_interval'"
  if (retry.max_elapsed_time < retry.max_interval) return "'max_elapsed_time' must not be less than 'max_interval'"
  return undefined
}

export interface QueueConfig {
  readonly enabled: boolean
  readonly sizer: Sizer
  readonly queue_size: number
  readonly max_points: number
  readonly num_consumers: number
  readonly block_on_overflow: boolean
  readonly wait_for_result: boolean
  /** Absent when it is not to be heeded. */
  readonly batch?: BatchConfig | undefined
  /** '' where it is not set. */
  readonly storage?: string
}

export function queueFields() {
  return object(
    {
      enabled: boolean().prefault(true).describe('Keep batches in memory until they are sent.'),
      sizer: sizer()
        .prefault('requests')
        .describe('What queue_size counts: batches, data points, or their bytes as OTLP (estimated before encoding).'),
      queue_size: integer().prefault(1000).describe('The most that may wait or be under way, in units of sizer.'),
      max_points: integer()
        .prefault(500_000)
        .describe('The most data points that may wait, whatever sizer counts: about 100 bytes of memory each.'),
      num_consumers: integer()
        .prefault(1)
        .describe('Batches sent at the same time. More than 1 gives up their order, which Prometheus needs.'),
      block_on_overflow: boolean()
        .prefault(false)
        .describe('When the queue is full, let the sender of a batch wait; by default the batch is refused.'),
      wait_for_result: boolean().prefault(false).describe('Report a batch as taken only when it has been sent.'),
      batch: batchFields().optional().describe('Size of requests, with the keys that the Collector has for it.'),
      storage: string().prefault('').describe('Refused at the start: the queue is in memory.'),
    },
    // As the Collector names these in its errors.
    { decoder: 'queuebatch.Config', wrapped: true },
  ).superRefine(validated(checkQueue))
}

function checkQueue(queue: QueueConfig): string | undefined {
  if (!queue.enabled) return undefined
  if (queue.num_consumers <= 0) return '`num_consumers` must be positive'
  if (queue.queue_size <= 0) return '`queue_size` must be positive'
  if (queue.max_points <= 0) return '`max_points` must be positive'
  if (queue.storage && queue.wait_for_result) {
    return '`wait_for_result` is not supported with a persistent queue configured with `storage`'
  }
  if (!queue.batch?.enabled) return undefined
  const problems = checkBatch(queue.batch, queue.queue_size, queue.sizer)
  return problems.length === 0 ? undefined : problems.join('\n')
}
