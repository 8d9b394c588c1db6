import type { z } from 'zod'
import { boolean, duration, integer, invalid, list, object, oneOf, string } from '../../config/fields.ts'
import { compilePattern } from './metric-filter.ts'

const METRIC_TYPES = ['exponentialhistogram', 'histogram', 'sum']
const noEffect = 'Accepted because the Collector has it; without effect, as few names are matched here.'

const regexp = object({
  cacheenabled: boolean().prefault(false).describe(noEffect),
  cachemaxnumentries: integer().prefault(0).describe(noEffect),
})

function matching(verb: string) {
  return object({
    metrics: list(string()).prefault([]).describe(`Names or patterns of metrics that are ${verb}; with match_type.`),
    match_type: oneOf(['strict', 'regexp', ''], {
      message: (found) => `unrecognized match_type: '${found}', valid types are: [regexp strict]`,
    })
      .prefault('')
      .describe('How metrics are meant: as whole names (strict), or as patterns found anywhere in one (regexp).'),
    regexp: regexp.optional().describe(noEffect),
    metric_types: list(string())
      .prefault([])
      .describe(`Types of metrics that are ${verb}: sum, histogram or exponentialhistogram.`),
  })
}

export const config = object({
  max_staleness: duration({ min: 0 })
    .prefault('1h')
    .describe('How long a series is remembered without a point. 0 is for ever.'),
  initial_value: oneOf(['auto', 'keep', 'drop'], { message: (found) => `unknown initial_value: ${found}` })
    .prefault('auto')
    .describe('First point of a series: told (keep), not told (drop), or told if it began after this program (auto).'),
  include: matching('converted').prefault({}).describe('Only these are converted; all where it is empty.'),
  exclude: matching('left as they are').prefault({}).describe('These are not converted, whatever include says.'),
}).superRefine((value, ctx) => {
  const sides = ['include', 'exclude'] as const
  // One mistake at a time, in the Collector's order.
  if (sides.some((side) => value[side].metrics.length > 0 && value[side].match_type === ''))
    return ctx.addIssue(invalid('match_type must be set if metrics are supplied', { remedy: 'write strict or regexp' }))
  if (sides.some((side) => value[side].metrics.length === 0 && value[side].match_type !== ''))
    return ctx.addIssue(invalid('metrics must be supplied if match_type is set'))
  for (const side of sides.toReversed()) {
    const wrong = value[side].metric_types.find((type) => !METRIC_TYPES.includes(type.toLowerCase()))
    if (wrong === undefined) continue
    const values = `Valid values are [${METRIC_TYPES.join(' ')}]`
    return ctx.addIssue(invalid(`found invalid metric type in ${side}.metric_types: ${wrong}. ${values}`))
  }
  for (const side of sides) {
    if (value[side].match_type !== 'regexp') continue
    for (const [index, pattern] of value[side].metrics.entries()) {
      const compiled = compilePattern(pattern)
      if ('error' in compiled) ctx.addIssue(invalid(compiled.error, { path: [side, 'metrics', index] }))
    }
  }
})

export type Config = z.output<typeof config>
