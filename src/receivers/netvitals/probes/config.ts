import type { z } from 'zod'
import { formatDuration } from '../../../config/duration.ts'
import { boolean, booleanOrAuto, duration, integer, invalid, list, object, oneOf } from '../../../config/fields.ts'
import { cidr } from '../destinations/config.ts'

/** `probes:` of the receiver. */
export const probesConfig = object({
  enabled: boolean().prefault(true).describe('Whether anything is pinged.'),
  interval: duration({ min: 1_000 })
    .prefault('15s')
    .describe('Time between two probes of an address, at least 1 s; probes are spread evenly over it.'),
  timeout: duration({ min: 10 })
    .prefault('1s')
    .describe('How long a reply is waited for, at least 10 ms; shorter than the interval.'),
  linger: duration({ min: 0, max: 86_400_000 })
    .prefault('60s')
    .describe('How long an address is pinged after the last connection or attempt to it, up to 24 h.'),
  payload_size: integer({ min: 24, max: 1_400 })
    .prefault(32)
    .describe('Bytes of an echo request after the ICMP header, 24 to 1400.'),
  ttl: integer({ min: 1, max: 255 }).prefault(64).describe('IPv4 time to live and IPv6 hop limit, 1 to 255.'),
  dscp: integer({ min: 0, max: 63 }).prefault(0).describe('Differentiated services code point, 0 to 63.'),
  include: list(cidr()).prefault([]).describe('Networks that are pinged; all of them when empty.'),
  exclude: list(cidr()).prefault([]).describe('Networks that are not pinged, whatever include says.'),
  max_targets_per_container: integer({ min: 1, max: 10_000 })
    .prefault(100)
    .describe('Most addresses pinged for one container, the most used, 1 to 10000.'),
  max_rate: integer({ min: 1, max: 10_000 })
    .prefault(500)
    .describe('Most probes a second of this host, 1 to 10000; beyond it addresses take turns.'),
  report_unanswered: booleanOrAuto()
    .prefault('auto')
    .describe(
      'Latency of an address that never answered: true is NaN, false is no point, auto is NaN unless it is external.',
    ),
}).superRefine(({ interval, timeout }, ctx) => {
  if (timeout < interval) return
  const [given, of] = [formatDuration(timeout), formatDuration(interval)]
  ctx.addIssue(
    invalid(`must be below probes::interval (${of}), got ${given}`, {
      path: ['timeout'],
      remedy: 'shorten probes::timeout or lengthen probes::interval',
    }),
  )
})

/** `latency:` of the receiver. */
export const latencyConfig = object({
  on_loss: oneOf(['nan', 'omit'])
    .prefault('nan')
    .describe('container.net.latency after a probe that was not answered: NaN, or no point.'),
})

export type ProbesConfig = z.output<typeof probesConfig>
export type LatencyConfig = z.output<typeof latencyConfig>
