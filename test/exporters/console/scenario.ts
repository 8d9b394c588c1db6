import type { Attributes } from '@opentelemetry/api'
import type { Batch } from '../../../src/component/types.ts'
import {
  container,
  inbound,
  linkPoints,
  outbound,
  type ProbeTotals,
  pod,
  probePoints,
  resourceMetrics,
  type Totals,
} from '../../links/batches.ts'

export const START_MS = Date.UTC(2026, 7, 21, 14, 3, 0)
export const INTERVAL_MS = 5000

interface Scene {
  readonly resource: Attributes
  readonly links: readonly (readonly [Attributes, Totals, ProbeTotals?])[]
}

/** A host on which everything that a table can show goes on: increments of one cycle. */
const SCENES: readonly Scene[] = [
  {
    resource: pod('shop', 'front-end', '58987ffbcd-2w9gz'),
    links: [
      [
        outbound('10.42.2.243', 8080, 'cluster', { 'k8s.dst.namespace': 'shop', 'k8s.dst.owner.name': 'catalog' }),
        {
          connects: 0,
          failed: { timed_out: 8, aborted: 4 },
          handshakes: 31,
          active: 2,
          segments: 6,
          retransmits: 6,
          sent: 0,
          received: 0,
          rtt: 0.00031,
        },
        { timeout: 1, latency: Number.NaN },
      ],
      [
        outbound('10.43.0.17', 6379, 'cluster', { 'k8s.dst.namespace': 'shop', 'k8s.dst.owner.name': 'session-db' }),
        { connects: 61, active: 12, segments: 8120, retransmits: 3, sent: 912_000, received: 4_310_000, rtt: 0.00042 },
        { reply: 1, latency: 0.00018 },
      ],
      [
        inbound('10.42.1.7', 8079, 'external'),
        {
          connects: 412,
          active: 96,
          segments: 31_200,
          retransmits: 88,
          sent: 17_400_000,
          received: 880_000,
          rtt: 0.0412,
        },
      ],
    ],
  },
  {
    resource: pod('shop', 'orders', '7c5b9d6f4-x8kqp'),
    links: [
      [
        outbound('10.43.0.80', 80, 'cluster', { 'k8s.dst.namespace': 'shop', 'k8s.dst.owner.name': 'payment' }),
        {
          connects: 44,
          active: 4,
          segments: 622,
          retransmits: 187,
          handshakes: 9,
          sent: 51_000,
          received: 44_000,
          rtt: 0.0021,
        },
        { reply: 2, timeout: 1, latency: 0.0019 },
      ],
      [
        outbound('10.43.0.91', 80, 'cluster', { 'k8s.dst.namespace': 'shop', 'k8s.dst.owner.name': 'shipping' }),
        { connects: 0, failed: { refused: 23 }, active: 0 },
        { reply: 1, latency: 0.00022 },
      ],
      [
        outbound('2001:db8:85a3::8a2e:370:7334', 443, 'external'),
        { connects: 2, active: 3, segments: 64, sent: 12_100, received: 8200, rtt: 0.287 },
        { reply: 1, latency: 0.281 },
      ],
      [
        outbound('10.12.0.4', 27017, 'private'),
        { connects: 1, active: 8, segments: 1400, sent: 320_000, received: 1_200_000, rtt: 0.0614 },
        { reply: 1, latency: 0.0587 },
      ],
    ],
  },
  {
    resource: container('数据库-主节点'),
    links: [
      [
        inbound('172.17.0.4', 5432, 'node'),
        { connects: 33, active: 21, segments: 4100, retransmits: 1, sent: 2_600_000, received: 340_000, rtt: 0.00009 },
      ],
    ],
  },
  {
    resource: {
      'systemd.unit': 'kubelet.service',
      'container.runtime.name': 'systemd',
      'service.name': 'kubelet',
      'service.instance.id': 'h.kubelet.service',
      'host.name': 'web-1',
    },
    links: [
      [
        outbound('10.0.0.1', 6443, 'private'),
        { connects: 0, active: 1, segments: 210, sent: 61_000, received: 240_000, rtt: 0.00066 },
        { reply: 1, latency: 0.00041 },
      ],
      [inbound('0.0.0.0', 10250, 'node'), { connects: 5, active: 0, segments: 20, sent: 41_000, received: 1500 }],
    ],
  },
  {
    resource: container('prometheus'),
    links: [
      [
        outbound('172.17.0.9', 9100, 'node'),
        { connects: 0, active: 1, segments: 0, sent: 0, received: 0, rtt: 0.00011 },
        { reply: 1, latency: 0.00006 },
      ],
      [
        outbound('2606:4700::6810:84e5', 443, 'external'),
        { connects: 1, active: 1, segments: 12, sent: 3100, received: 51_000, rtt: 0.0124 },
      ],
    ],
  },
]

/** Cycle 1, 2, ... of the same goings-on: totals grow by the same each time. */
export function cycle(number: number): Batch {
  const endMs = START_MS + number * INTERVAL_MS
  return SCENES.map(({ resource, links }) =>
    resourceMetrics(
      resource,
      links.flatMap(([attributes, totals, probes]) => [
        ...linkPoints(attributes, grown(totals, number), START_MS),
        ...(probes === undefined ? [] : probesOf(attributes, probes, number)),
      ]),
      endMs,
    ),
  )
}

function probesOf(attributes: Attributes, { reply = 0, timeout = 0, latency }: ProbeTotals, times: number) {
  const address = String(attributes['destination.address'])
  const totals = { reply: reply * times, timeout: timeout * times, ...(latency === undefined ? {} : { latency }) }
  return probePoints(address, String(attributes['destination.scope']), totals, START_MS)
}

function grown(totals: Totals, times: number): Totals {
  const grow = (value: number | undefined) => (value ?? 0) * times
  const kinds = (counts: Totals['failed']) =>
    Object.fromEntries(Object.entries(counts ?? {}).map(([kind, count]) => [kind, count * times]))
  return {
    ...totals,
    connects: grow(totals.connects),
    failed: kinds(totals.failed),
    segments: grow(totals.segments),
    retransmits: grow(totals.retransmits),
    handshakes: grow(totals.handshakes),
    sent: grow(totals.sent),
    received: grow(totals.received),
  }
}
