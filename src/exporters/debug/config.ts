import type { z } from 'zod'
import { boolean, integer, invalid, list, object, oneOf, string } from '../../config/fields.ts'

/** The Collector's telemetry levels; `none` is one of them that this exporter does not support. */
const LEVELS = ['basic', 'normal', 'detailed', 'none'] as const

export const config = object({
  verbosity: oneOf(LEVELS, { ignoreCase: true, message: (found) => `unknown metrics level "${found}"` })
    .prefault('basic')
    .describe('basic: one line of counts a batch; normal: one more a data point; detailed: everything there is.'),
  sampling_initial: integer()
    .prefault(2)
    .describe('Messages of the same text that are written in each second before sampling begins.'),
  sampling_thereafter: integer()
    .prefault(1)
    .describe('Of the messages after those, every how manieth is written; 1 writes all, 0 none.'),
  use_internal_logger: boolean()
    .prefault(true)
    .describe('true: to the log of netvitals, with its level and encoding; false: plain, to output_paths.'),
  output_paths: list(string())
    .optional()
    .describe('stdout, stderr or files to append to; only with use_internal_logger: false. Default: stdout.'),
}).superRefine(({ verbosity, use_internal_logger, output_paths }, context) => {
  if (verbosity === 'none') context.addIssue(invalid('verbosity level "None" is not supported'))
  if (use_internal_logger && output_paths !== undefined)
    context.addIssue(invalid('output_paths is not supported when use_internal_logger is true'))
  if (!use_internal_logger && output_paths?.length === 0)
    context.addIssue(invalid('output_paths must not be empty when use_internal_logger is false'))
})

export type Config = z.output<typeof config>
export type Verbosity = Exclude<Config['verbosity'], 'none'>
