import type { Attributes } from '@opentelemetry/api'
import type { HostFacts } from './host.ts'
import { type CgroupIdentity, HOST } from './parse-path.ts'
import type { Container } from './types.ts'

export interface DescribeOptions {
  readonly host: HostFacts
  /** k8s.cluster.name */
  readonly clusterName?: string | undefined
}

/** OpenTelemetry's word for a service that has no name. @see the resource SDK specification, "service.name" */
const UNKNOWN_SERVICE = 'unknown_service'

/**
 * Turns what a path tells into a container with its resource attributes.
 *
 * Where no name is known (a Docker container by its path alone) service.name is `unknown_service`: an id in its
 * place would make every restart another service, and backends know the word. service.instance.id still tells
 * such containers apart.
 */
export function describeContainer(identity: CgroupIdentity, options: DescribeOptions): Container {
  const { key, runtime, id } = identity
  return Object.freeze({
    key,
    runtime,
    ...(id === undefined ? {} : { id }),
    displayName: displayName(identity),
    attributes: attributes(identity, options),
  })
}

function attributes(identity: CgroupIdentity, { host, clusterName }: DescribeOptions): Attributes {
  const all: Record<string, string | undefined> = {
    'service.name': serviceName(identity),
    'service.instance.id': instanceId(identity, host),
    'container.id': identity.id,
    'container.name': identity.name,
    'container.runtime.name': runtimeName(identity),
    'k8s.pod.uid': identity.podUid,
    'systemd.unit': identity.unit,
    'host.name': host.name,
    'host.id': host.id,
    'k8s.node.name': host.nodeName,
    'k8s.cluster.name': clusterName,
  }
  const result: Attributes = {}
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined) result[name] = value
  }
  return Object.freeze(result)
}

function serviceName({ key, name, unit }: CgroupIdentity): string {
  if (key === HOST.key) return 'host'
  return name ?? unit?.replace(/\.[a-z]+$/, '') ?? UNKNOWN_SERVICE
}

/**
 * Unique per container in the world and the same after a restart of the agent: the id that a runtime drew, else
 * the host with what is unique on it.
 */
function instanceId({ key, runtime, id, name, podUid, unit, userId }: CgroupIdentity, host: HostFacts): string {
  const hostId = host.id ?? host.name
  if (id !== undefined && id !== name) return id
  if (runtime === 'systemd')
    return [hostId, ...(userId === undefined ? [] : [`user@${userId}.service`]), unit].join('/')
  if (key === HOST.key) return hostId
  // Two pods of one name are told apart by their uid; a static pod's is the same on every node.
  if (podUid !== undefined && id === undefined) return `${hostId}/${podUid}`
  return hostId + key
}

function runtimeName({ runtime }: CgroupIdentity): string | undefined {
  if (runtime === 'nspawn') return 'systemd-nspawn'
  return runtime === 'unknown' || runtime === 'systemd' || runtime === 'host' ? undefined : runtime
}

function displayName({ key, runtime, id, name, podUid, unit, userId }: CgroupIdentity): string {
  if (key === HOST.key) return 'host'
  if (runtime === 'systemd') return userId === undefined ? `${unit}` : `${unit} (user ${userId})`
  const short = name ?? id?.slice(0, 12)
  if (podUid !== undefined) return `pod ${podUid.slice(0, 8)}${short === undefined ? '' : `/${short}`}`
  return `${runtime === 'unknown' ? 'container' : runtime} ${short}${unit === undefined ? '' : ` (${unit})`}`
}
