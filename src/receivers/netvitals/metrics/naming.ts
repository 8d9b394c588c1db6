import type { Attributes } from '@opentelemetry/api'
import { corootContainerId } from './coroot-id.ts'
import type { Metric } from './schema.ts'

/**
 * How the store's metrics, resources and points are called outside. It is asked once for each metric, container
 * and row, never in a cycle.
 */
export interface Naming {
  readonly resource: (attributes: Attributes) => Attributes
  /** Undefined: this naming has no such metric on such links. */
  readonly metric: (metric: Metric, kind: string) => MetricNaming | undefined
}

export interface MetricNaming {
  readonly name: string
  /**
   * Metrics with the same function share the attribute objects of a row. `resource` is as the container has it, `key` is
   * what it is known by on this host: the path of its cgroup, or `host`.
   */
  readonly point: (attributes: Attributes, resource: Attributes, key: string) => Attributes
}

export type NamingName = 'otel' | 'coroot'

const unchanged = (attributes: Attributes): Attributes => attributes

/** OpenTelemetry's names, as metadata.yaml has them. */
const otel: Naming = {
  resource: unchanged,
  metric: ({ name }) => ({ name, point: unchanged }),
}

/**
 * The metrics that Coroot's node agent has, which knows connections from the dialling side alone; translated by
 * Prometheus they get its names. @see coroot-node-agent containers/metrics.go
 */
const corootMetrics: Readonly<Record<string, MetricNaming>> = {
  ...Object.fromEntries(
    ['successful_connects', 'failed_connects', 'connection_time', 'active_connections', 'retransmits']
      .concat('bytes_sent', 'bytes_received')
      .map((name) => [`container.net.tcp.${name}`, { name: `container.net.tcp.${name}`, point: corootLink }]),
  ),
  'container.net.tcp.listen': { name: 'container.net.tcp.listen.info', point: corootListen },
  'container.net.latency': { name: 'container.net.latency', point: corootLatency },
  // Not one of that agent's; destination_ip joins it with the latency.
  'container.net.probes': { name: 'container.net.probes', point: corootProbes },
}

const coroot: Naming = {
  // Its label is on every point; the Collector's resource_to_telemetry_conversion would give it twice.
  resource: ({ 'container.id': _, ...attributes }) => attributes,
  metric({ name }, kind) {
    if (kind === 'self') return { name, point: unchanged }
    const known = corootMetrics[name]
    if (!known) return { name, point: corootOther }
    return kind === 'inbound' ? undefined : known
  },
}

export const namings: Readonly<Record<NamingName, Naming>> = { otel, coroot }

/** What stays of a point's own attributes: without them two columns, or overflow and a link, would be one series. */
const distinguishing = ['error.type', 'network.tcp.retransmit.type', 'result', 'otel.metric.overflow']

function kept(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => distinguishing.includes(name)))
}

function corootLink(attributes: Attributes, resource: Attributes, key: string): Attributes {
  return { container_id: corootContainerId(resource, key), ...ends(attributes), ...kept(attributes) }
}

/** Metrics of our own: everything they have, and the labels to join them by. */
function corootOther(attributes: Attributes, resource: Attributes, key: string): Attributes {
  return { container_id: corootContainerId(resource, key), ...ends(attributes), ...attributes }
}

function corootListen(attributes: Attributes, resource: Attributes, key: string): Attributes {
  const address = hostPort(attributes['destination.address'], attributes['destination.port'])
  return {
    container_id: corootContainerId(resource, key),
    ...(address !== undefined && { listen_addr: address }),
    proxy: '',
    ...kept(attributes),
  }
}

function corootLatency(attributes: Attributes, resource: Attributes, key: string): Attributes {
  return { container_id: corootContainerId(resource, key), ...pinged(attributes), ...kept(attributes) }
}

function corootProbes(attributes: Attributes, resource: Attributes, key: string): Attributes {
  return { container_id: corootContainerId(resource, key), ...pinged(attributes), ...attributes }
}

function pinged({ 'destination.address': address }: Attributes): Attributes {
  return address === undefined ? {} : { destination_ip: address }
}

function ends(attributes: Attributes): Attributes {
  const dialled = hostPort(attributes['destination.address'], attributes['destination.port'])
  const answered = hostPort(attributes['network.peer.address'], attributes['network.peer.port'])
  return { ...(dialled && { destination: dialled }), ...(answered && { actual_destination: answered }) }
}

/** Port 0 where ports are told together. */
function hostPort(address: Attributes[string], port: Attributes[string] = 0): string | undefined {
  if (typeof address !== 'string') return undefined
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
