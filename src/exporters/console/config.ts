import type { z } from 'zod'
import { duration, integer, number, object, oneOf } from '../../config/fields.ts'
import { DEFAULT_THRESHOLDS, type Thresholds } from '../../links/index.ts'

const ratio = (value: number) => number({ min: 0, max: 1 }).prefault(value)
const count = (value: number) => integer({ min: 1 }).prefault(value)
const milliseconds = (value: number) => duration({ min: 0 }).prefault(`${value}ms`)

const { slowMs, ...defaults } = DEFAULT_THRESHOLDS

const thresholds = object({
  failed_ratio: ratio(defaults.failedRatio).describe(
    'Share of the connects of a cycle, 0 to 1, that nobody answered, from which a link is failed.',
  ),
  refused_ratio: ratio(defaults.refusedRatio).describe(
    'Share of the connects of a cycle, 0 to 1, answered by RST, from which a link is refused.',
  ),
  lossy_ratio: ratio(defaults.lossyRatio).describe(
    'Share of the segments of a cycle, 0 to 1, that had to be sent again, from which a link is lossy.',
  ),
  lossy_min_segments: count(defaults.lossyMinSegments).describe(
    'With fewer segments sent in a cycle a link is not called lossy.',
  ),
  lossy_min_retransmits: count(defaults.lossyMinRetransmits).describe(
    'With fewer retransmits in a cycle a link is not called lossy.',
  ),
  lossy_min_probes: count(defaults.lossyMinProbes).describe(
    'With fewer of the last ten probes unanswered a link is not called lossy by them.',
  ),
  slow: object({
    node: milliseconds(slowMs.node).describe('Round trip above which a link within this host is slow.'),
    cluster: milliseconds(slowMs.cluster).describe('The same within the cluster.'),
    private: milliseconds(slowMs.private).describe('The same to other private addresses.'),
    external: milliseconds(slowMs.external).describe('The same to the outside.'),
  })
    .prefault({})
    .describe('Round trip times, of TCP or of probes, above which a link is slow, by where the other end is.'),
})

export const config = object({
  group_by: oneOf(['workload', 'container'])
    .prefault('workload')
    .describe('What a row is of: all containers of a workload (Kubernetes owner, service.name) together, or one.'),
  rows: integer({ min: 0 })
    .prefault(0)
    .describe('Most links in a table; 0 is what fits the terminal, 50 where the output is no terminal.'),
  color: oneOf(['auto', 'always', 'never'])
    .prefault('auto')
    .describe('auto: on a terminal, unless NO_COLOR is set or TERM is dumb; FORCE_COLOR asks for it elsewhere.'),
  thresholds: thresholds.prefault({}).describe('When a link is failed, refused, lossy or slow.'),
})

export type Config = z.output<typeof config>

export function toThresholds({ thresholds }: Config): Thresholds {
  return {
    failedRatio: thresholds.failed_ratio,
    refusedRatio: thresholds.refused_ratio,
    lossyRatio: thresholds.lossy_ratio,
    lossyMinSegments: thresholds.lossy_min_segments,
    lossyMinRetransmits: thresholds.lossy_min_retransmits,
    lossyMinProbes: thresholds.lossy_min_probes,
    slowMs: thresholds.slow,
  }
}
