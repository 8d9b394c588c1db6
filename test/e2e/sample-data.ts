import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { metrics } from '../../src/receivers/netvitals/metrics/metrics.gen.ts'

interface SampleMetric {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly type: 'sum' | 'gauge'
  readonly monotonic: boolean
  readonly valueType: 'int' | 'double'
}

/** A gauge that can be NaN, which no metric of the kernel's hooks is. */
const LATENCY: SampleMetric = {
  name: 'container.net.latency',
  description: 'Last round trip.',
  unit: 's',
  type: 'gauge',
  monotonic: false,
  valueType: 'double',
}
/** All that the receiver gives. */
const METRICS: readonly SampleMetric[] = [LATENCY, ...metrics.filter(({ name }) => (name as string) !== LATENCY.name)]

/** Attributes that tell series of one destination apart. */
const VARIANTS: Readonly<Record<string, readonly Attributes[]>> = {
  'container.net.tcp.successful_connects': [{ direction: 'outbound' }, { direction: 'inbound' }],
  'container.net.tcp.failed_connects': [{ 'error.type': 'refused' }, { 'error.type': 'timed_out' }],
  'container.net.tcp.retransmits': [
    { direction: 'outbound', 'network.tcp.retransmit.type': 'data' },
    { direction: 'outbound', 'network.tcp.retransmit.type': 'handshake' },
  ],
  'container.net.tcp.broken_connections': [{ direction: 'inbound', 'error.type': 'reset' }],
}

/** The names at a Prometheus endpoint, as operators query them. @see the OpenTelemetry-to-Prometheus specification */
export const PROMETHEUS_NAMES: Readonly<Record<string, string>> = {
  'container.net.latency': 'container_net_latency_seconds',
  'container.net.probes': 'container_net_probes_total',
  'container.net.tcp.successful_connects': 'container_net_tcp_successful_connects_total',
  'container.net.tcp.failed_connects': 'container_net_tcp_failed_connects_total',
  'container.net.tcp.connection_time': 'container_net_tcp_connection_time_seconds_total',
  'container.net.tcp.active_connections': 'container_net_tcp_active_connections',
  'container.net.tcp.broken_connections': 'container_net_tcp_broken_connections_total',
  'container.net.tcp.retransmits': 'container_net_tcp_retransmits_total',
  'container.net.tcp.segments_sent': 'container_net_tcp_segments_sent_total',
  'container.net.tcp.bytes_sent': 'container_net_tcp_bytes_sent_total',
  'container.net.tcp.bytes_received': 'container_net_tcp_bytes_received_total',
  'container.net.tcp.rtt': 'container_net_tcp_rtt_seconds',
  'container.net.tcp.listen': 'container_net_tcp_listen',
  'netvitals.build.info': 'netvitals_build_info',
}

export interface SampleOptions {
  readonly containers: number
  readonly destinations: number
  /** Seconds since the epoch of all points. */
  readonly nowSeconds: number
  /** Added to all values, to tell cycles apart. */
  readonly base?: number
}

/** A cycle as the receiver's store gives it: one resource a container, every value different. */
export function sampleCycle({ containers, destinations, nowSeconds, base = 0 }: SampleOptions): ResourceMetrics[] {
  const time: HrTime = [nowSeconds, 123_456_789]
  let next = base
  return Array.from({ length: containers }, (_, container) => {
    const points = METRICS.map(() => [] as DataPoint<number>[])
    for (let destination = 0; destination < destinations; destination++) {
      const where = destinationAttributes(destination)
      // Each destination began at its own moment, a fraction of a second included.
      const startTime: HrTime = [nowSeconds - 3600 + destination, 1_000_001 + container]
      METRICS.forEach(({ name }, at) => {
        for (const variant of VARIANTS[name] ?? [{}]) {
          const value = name === LATENCY.name && destination === 1 ? Number.NaN : sampleValue(METRICS[at]!, next++)
          points[at]!.push({ startTime, endTime: time, attributes: { ...where, ...variant }, value })
        }
      })
    }
    return {
      resource: resourceFromAttributes(containerAttributes(container)),
      scopeMetrics: [
        {
          scope: { name: 'netvitals', version: '0.1.0' },
          metrics: METRICS.map((metric, at) => metricData(metric, points[at]!)),
        },
      ],
    }
  })
}

export const SERIES_PER_DESTINATION = METRICS.reduce((sum, { name }) => sum + (VARIANTS[name]?.length ?? 1), 0)

/** Seconds are fractions; whatever counts is whole, bytes beyond 2^32. */
function sampleValue({ valueType, unit }: SampleMetric, n: number): number {
  if (unit === 'By') return 5_000_000_000 + n
  return valueType === 'double' ? n / 1024 : n
}

function metricData(metric: SampleMetric, dataPoints: DataPoint<number>[]): MetricData {
  const { name, unit, description, type, monotonic, valueType } = metric
  const descriptor = { name, unit, description, valueType: valueType === 'int' ? ValueType.INT : ValueType.DOUBLE }
  const shared = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE, dataPoints }
  if (type === 'gauge') return { ...shared, dataPointType: DataPointType.GAUGE }
  return { ...shared, dataPointType: DataPointType.SUM, isMonotonic: monotonic }
}

/** The first two differ in nothing but what makes an instance: the Prometheus exporter must still keep them apart. */
function containerAttributes(n: number): Attributes {
  const id = n.toString(16).padStart(64, '0')
  return {
    'container.id': id,
    'container.runtime.name': 'docker',
    'host.name': 'node-1',
    'service.name': `shop-${n >> 1}`,
    'service.instance.id': id,
  }
}

function destinationAttributes(n: number): Attributes {
  const ipv6 = n % 2 === 1
  const address = ipv6 ? `2001:db8::${n.toString(16)}` : `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`
  return {
    'destination.address': address,
    'destination.port': 443,
    'network.peer.address': address,
    'network.peer.port': 8443,
    'network.type': ipv6 ? 'ipv6' : 'ipv4',
    'destination.scope': ipv6 ? 'external' : 'private',
  }
}
