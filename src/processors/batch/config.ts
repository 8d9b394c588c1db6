import type { z } from 'zod'
import { duration, integer, invalid, list, object, string } from '../../config/fields.ts'

const uint32 = (value: number) => integer({ goType: 'uint32' }).prefault(value)
const noEffect = 'Accepted because the Collector has it; without effect, as data comes with no client metadata here.'

export const config = object({
  send_batch_size: uint32(8192).describe(
    'Number of data points from which a batch is sent at once. 0 sends every batch as it comes.',
  ),
  timeout: duration()
    .prefault('200ms')
    .describe('Time after which a batch is sent whatever its size. 0 waits for nothing.'),
  send_batch_max_size: uint32(0).describe('Most data points of one batch: larger ones are split. 0 means no limit.'),
  metadata_keys: list(string()).prefault([]).describe(noEffect),
  metadata_cardinality_limit: uint32(1000).describe(noEffect),
}).superRefine(({ send_batch_size, send_batch_max_size, timeout }, ctx) => {
  if (send_batch_max_size > 0 && send_batch_max_size < send_batch_size) {
    ctx.addIssue(invalid('send_batch_max_size must be greater or equal to send_batch_size'))
  }
  if (timeout < 0) ctx.addIssue(invalid('timeout must be greater or equal to 0'))
})

export type Config = z.output<typeof config>
