import type { Attributes } from '@opentelemetry/api'
import type { Direction, Endpoint, GroupBy, Scope } from './types.ts'

/** Which link a point belongs to, as its attributes tell. */
export interface LinkIdentity {
  /** Unique within a source. */
  readonly key: string
  readonly direction: Direction
  readonly scope: Scope | undefined
  /** The other end: what was dialled, or who called. */
  readonly peer: Endpoint
  /** The container's own listening port, of an inbound link. */
  readonly ownPort: number | undefined
}

const WORKLOAD_KINDS = ['deployment', 'statefulset', 'daemonset', 'cronjob', 'job', 'replicaset'] as const
const SCOPES: ReadonlySet<string> = new Set<Scope>(['node', 'cluster', 'private', 'external'])
const SHORT_ID_LENGTH = 12
/** These tell the series of one link apart. */
const KIND_ATTRIBUTES: ReadonlySet<string> = new Set(['error.type', 'network.tcp.retransmit.type'])

/** What a resource is called, and grouped by: its workload (Kubernetes owner, else service), or the container itself. */
export function sourceName(resource: Attributes, groupBy: GroupBy): string {
  return groupBy === 'workload' ? workloadName(resource) : containerName(resource)
}

function workloadName(resource: Attributes): string {
  for (const kind of WORKLOAD_KINDS) {
    const name = text(resource, `k8s.${kind}.name`)
    if (name !== '') return qualified(text(resource, 'k8s.namespace.name'), name)
  }
  const pod = text(resource, 'k8s.pod.name')
  if (pod !== '') return qualified(text(resource, 'k8s.namespace.name'), pod)
  const service = serviceName(resource)
  return service === '' ? containerName(resource) : qualified(text(resource, 'service.namespace'), service)
}

/** `unknown_service` and `unknown_service:...` are OpenTelemetry's words for none. */
function serviceName(resource: Attributes): string {
  const name = text(resource, 'service.name')
  return name.startsWith('unknown_service') ? '' : name
}

function containerName(resource: Attributes): string {
  const pod = text(resource, 'k8s.pod.name')
  if (pod !== '') {
    const inPod = text(resource, 'k8s.container.name')
    // Most pods are named after their only container that matters; sidecars are not.
    const name = inPod === '' || pod.startsWith(inPod) ? pod : `${pod}/${inPod}`
    return qualified(text(resource, 'k8s.namespace.name'), name)
  }
  const name = text(resource, 'container.name') || text(resource, 'systemd.unit')
  if (name !== '') return name
  const id = text(resource, 'container.id')
  const service = serviceName(resource)
  if (service !== '' && (id === '' || !id.startsWith(service))) return service
  if (id !== '') return `${text(resource, 'container.runtime.name') || 'container'} ${id.slice(0, SHORT_ID_LENGTH)}`
  return service || text(resource, 'service.instance.id') || 'unknown'
}

/**
 * Outbound: the workload or name that answers where it is known, else the address that was dialled, with its port.
 * Inbound: the caller by the same order, and by scope where nothing else is known; the container's own addresses are
 * folded, its port is not.
 */
export function identify(attributes: Attributes, groupBy: GroupBy): LinkIdentity {
  if (attributes['otel.metric.overflow'] === true) {
    return { key: 'other', direction: 'both', scope: undefined, peer: { name: 'other' }, ownPort: undefined }
  }
  const inbound = attributes.direction === 'inbound'
  const port = Number(attributes['destination.port'])
  const scope = scopeOf(attributes[inbound ? 'source.scope' : 'destination.scope'])
  const name = inbound
    ? named(attributes, 'k8s.src', groupBy) || text(attributes, 'client.address') || scope || 'unknown'
    : named(attributes, 'k8s.dst', groupBy) || text(attributes, 'destination.address') || 'unknown'
  return {
    key: `${inbound ? '<' : '>'}${name} ${port}`,
    direction: inbound ? 'inbound' : 'outbound',
    scope,
    peer: inbound || !(port > 0) ? { name } : { name, port },
    ownPort: inbound && port > 0 ? port : undefined,
  }
}

/** The attributes of a point without the kind: what makes it this container's series of this link, and no other. */
export function seriesKey(attributes: Attributes): string {
  let key = ''
  for (const name in attributes) {
    if (!KIND_ATTRIBUTES.has(name)) key += `${name}\u0000${attributes[name]}\u0000`
  }
  return key
}

function named(attributes: Attributes, prefix: 'k8s.dst' | 'k8s.src', groupBy: GroupBy): string {
  const own = text(attributes, `${prefix}.name`)
  const owner = text(attributes, `${prefix}.owner.name`)
  const service = text(attributes, `${prefix}.service.name`)
  const name = groupBy === 'workload' ? owner || service || own : own || service || owner
  return name === '' ? '' : qualified(text(attributes, `${prefix}.namespace`), name)
}

const qualified = (namespace: string, name: string) => (namespace === '' ? name : `${namespace}/${name}`)

const scopeOf = (value: unknown) => (SCOPES.has(String(value)) ? (value as Scope) : undefined)

function text(attributes: Attributes, name: string): string {
  const value = attributes[name]
  return value === undefined || value === null ? '' : String(value)
}

/** `name:port`; IPv6 addresses in brackets. */
export function formatEndpoint({ name, port }: Endpoint): string {
  if (port === undefined) return name
  return name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`
}
