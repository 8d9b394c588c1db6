import type { z } from 'zod'
import { boolean, duration, integer, list, object, oneOf, string } from '../../config/fields.ts'

export const SIZERS = ['requests', 'items', 'bytes'] as const
export type Sizer = (typeof SIZERS)[number]

export function sizer() {
  return oneOf(SIZERS, { message: (found) => `invalid sizer: "${found}"` })
}

/** The Collector's `sending_queue::batch`. */
export function batchFields() {
  return object({
    enabled: boolean().prefault(true).describe('Let the other keys count.'),
    sizer: sizer()
      .optional()
      .describe(
        'What max_size counts, items (data points) or bytes; by default as the queue if that has one, else items.',
      ),
    min_size: integer()
      .prefault(8192)
      .describe('Without effect: a batch leaves at once, as an interval brings its data together.'),
    max_size: integer()
      .prefault(0)
      .describe('The largest request, in units of sizer; 0 means max_request_bytes alone.'),
    flush_timeout: duration().prefault('200ms').describe('Without effect: nothing waits to be joined.'),
    partition: object({
      metadata_keys: list(string()).prefault([]).describe('Without effect: netvitals has no client metadata.'),
    })
      .prefault({})
      .describe('Without effect.'),
  })
}

export type BatchConfig = z.output<ReturnType<typeof batchFields>>

/** What its sizes count. */
function sizerOf(batch: BatchConfig, queueSizer: Sizer): Sizer {
  return batch.sizer ?? (queueSizer === 'requests' ? 'items' : queueSizer)
}

export interface RequestLimits {
  readonly maxRequestBytes: number
  readonly maxRequestPoints: number
}

/** How large a request may be, by `max_request_bytes` and by `sending_queue::batch`. */
export function requestLimits(
  maxRequestBytes: number,
  batch: BatchConfig | undefined,
  queueSizer: Sizer,
): RequestLimits {
  const unlimited = { maxRequestBytes, maxRequestPoints: Number.POSITIVE_INFINITY }
  if (!batch?.enabled || batch.max_size === 0) return unlimited
  if (sizerOf(batch, queueSizer) === 'items') return { ...unlimited, maxRequestPoints: batch.max_size }
  return { ...unlimited, maxRequestBytes: Math.min(maxRequestBytes, batch.max_size) }
}

/** What is wrong with it, in the Collector's words and order; empty when nothing is. */
export function checkBatch(batch: BatchConfig, queueSize: number, queueSizer: Sizer): string[] {
  const sizes = sizerOf(batch, queueSizer)
  const problems: string[] = []
  if (sizes === queueSizer && batch.min_size > queueSize) {
    problems.push('`min_size` must be less than or equal to `queue_size`')
  }
  const own = checkSizes(batch, sizes)
  if (own !== undefined) problems.push(`batch: ${own}`)
  const twice = duplicate(batch.partition.metadata_keys)
  if (twice !== undefined) {
    problems.push(`batch: partition: duplicate entry in metadata_keys: "${twice}" (case-insensitive)`)
  }
  return problems
}

function checkSizes({ flush_timeout, min_size, max_size }: BatchConfig, sizes: Sizer): string | undefined {
  if (sizes === 'requests') return `\`batch\` supports only \`items\` or \`bytes\` sizer, found "${sizes}"`
  if (flush_timeout <= 0) return `\`flush_timeout\` must be positive, found ${Math.round(flush_timeout * 1e6)}`
  if (min_size < 0) return `\`min_size\` must be non-negative, found ${min_size}`
  if (max_size < 0) return `\`max_size\` must be non-negative, found ${max_size}`
  if (max_size > 0 && max_size < min_size) {
    return `\`max_size\` (${max_size}) must be greater or equal to \`min_size\` (${min_size})`
  }
  return undefined
}

function duplicate(keys: readonly string[]): string | undefined {
  const seen = new Set<string>()
  for (const key of keys.map((item) => item.toLowerCase())) {
    if (seen.has(key)) return key
    seen.add(key)
  }
  return undefined
}
