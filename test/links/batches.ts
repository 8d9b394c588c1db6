import type { Attributes, HrTime } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { DataPoint } from '../../src/component/types.ts'

/** By value, as in src: checked against the SDK in links.test.ts. */
export const GAUGE = 2
export const SUM = 3
export const DELTA = 0
export const CUMULATIVE = 1

export interface Point {
  readonly metric: string
  readonly value: number
  readonly attributes: Attributes
  readonly startMs: number
  readonly flags?: number
}

const GAUGES = new Set(['rtt', 'latency'])
const PROBE_METRICS = new Set(['latency', 'probes'])
const NON_MONOTONIC = new Set(['active_connections'])

/** A container's points of one cycle, as the receiver lays them out. */
export function resourceMetrics(
  resource: Attributes,
  points: readonly Point[],
  endMs: number,
  temporality = CUMULATIVE,
): ResourceMetrics {
  const metrics = new Map<string, MetricData>()
  for (const { metric, value, attributes, startMs, flags } of points) {
    let data = metrics.get(metric)
    if (data === undefined) {
      data = {
        descriptor: {
          name: `container.net.${PROBE_METRICS.has(metric) ? '' : 'tcp.'}${metric}`,
          description: '',
          unit: '',
          valueType: 0,
        },
        aggregationTemporality: temporality,
        dataPointType: GAUGES.has(metric) ? GAUGE : SUM,
        isMonotonic: !NON_MONOTONIC.has(metric),
        dataPoints: [],
      } as unknown as MetricData
      metrics.set(metric, data)
    }
    const point: DataPoint<number> = {
      startTime: toHrTime(startMs),
      endTime: toHrTime(endMs),
      attributes,
      value,
      ...(flags === undefined ? {} : { flags }),
    }
    ;(data.dataPoints as DataPoint<number>[]).push(point)
  }
  return {
    resource: resourceFromAttributes(resource),
    scopeMetrics: [{ scope: { name: 'netvitals', version: '0.1.0' }, metrics: [...metrics.values()] }],
  }
}

export function toHrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)]
}

/** What a container does on one link: totals since `startMs`, and gauges. */
export interface Totals {
  connects?: number
  failed?: Readonly<Record<string, number>>
  broken?: Readonly<Record<string, number>>
  active?: number
  segments?: number
  retransmits?: number
  handshakes?: number
  sent?: number
  received?: number
  rtt?: number
}

export function linkPoints(attributes: Attributes, totals: Totals, startMs: number): Point[] {
  const points: Point[] = []
  const add = (metric: string, value: number | undefined, extra: Attributes = {}) => {
    if (value !== undefined)
      points.push({ metric, value, attributes: Object.freeze({ ...attributes, ...extra }), startMs })
  }
  add('successful_connects', totals.connects)
  for (const [kind, count] of Object.entries(totals.failed ?? {})) add('failed_connects', count, { 'error.type': kind })
  for (const [kind, count] of Object.entries(totals.broken ?? {}))
    add('broken_connections', count, { 'error.type': kind })
  add('active_connections', totals.active)
  add('segments_sent', totals.segments)
  add('retransmits', totals.retransmits, { 'network.tcp.retransmit.type': 'data' })
  add('retransmits', totals.handshakes, { 'network.tcp.retransmit.type': 'handshake' })
  add('bytes_sent', totals.sent)
  add('bytes_received', totals.received)
  add('rtt', totals.rtt)
  return points
}

/** What became of an address's probes: totals since `startMs`, and the last round trip in seconds. */
export interface ProbeTotals {
  reply?: number
  timeout?: number
  /** By error.type. */
  unreachable?: Readonly<Record<string, number>>
  error?: Readonly<Record<string, number>>
  latency?: number
}

export function probePoints(address: string, scope: string, totals: ProbeTotals, startMs: number): Point[] {
  const pinged = {
    'destination.address': address,
    'network.type': address.includes(':') ? 'ipv6' : 'ipv4',
    'destination.scope': scope,
  }
  const point = (metric: string, value: number, extra: Attributes = {}): Point => ({
    metric,
    value,
    attributes: Object.freeze({ ...pinged, ...extra }),
    startMs,
  })
  const { reply = 0, timeout = 0, unreachable = {}, error = {}, latency } = totals
  return [
    ...(latency === undefined ? [] : [point('latency', latency)]),
    point('probes', reply, { result: 'reply' }),
    point('probes', timeout, { result: 'timeout' }),
    ...Object.entries(unreachable).map(([type, n]) =>
      point('probes', n, { result: 'unreachable', 'error.type': type }),
    ),
    ...Object.entries(error).map(([type, n]) => point('probes', n, { result: 'error', 'error.type': type })),
  ]
}

export function outbound(address: string, port: number, scope: string, extra: Attributes = {}): Attributes {
  return {
    direction: 'outbound',
    'destination.address': address,
    'destination.port': port,
    'network.type': address.includes(':') ? 'ipv6' : 'ipv4',
    'destination.scope': scope,
    ...extra,
  }
}

export function inbound(address: string, port: number, source: string, extra: Attributes = {}): Attributes {
  return {
    direction: 'inbound',
    'destination.address': address,
    'destination.port': port,
    'network.type': address.includes(':') ? 'ipv6' : 'ipv4',
    'destination.scope': 'node',
    'source.scope': source,
    ...extra,
  }
}

export function container(name: string, extra: Attributes = {}): Attributes {
  return {
    'container.name': name,
    'container.id': `${name}-id`,
    'container.runtime.name': 'docker',
    'service.name': name,
    'service.instance.id': `${name}-id`,
    'host.name': 'web-1',
    ...extra,
  }
}

export function pod(namespace: string, deployment: string, hash: string, extra: Attributes = {}): Attributes {
  return {
    'k8s.namespace.name': namespace,
    'k8s.pod.name': `${deployment}-${hash}`,
    'k8s.container.name': deployment,
    'k8s.deployment.name': deployment,
    'service.name': deployment,
    'service.namespace': namespace,
    'service.instance.id': `${namespace}.${deployment}-${hash}.${deployment}`,
    'host.name': 'web-1',
    ...extra,
  }
}
