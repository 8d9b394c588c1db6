import type { Attributes } from '@opentelemetry/api'
import type { Kubernetes, Peer } from '../../../kubernetes/index.ts'
import type { Name, Scope } from './types.ts'

/** Who is who in a cluster. */
export type ClusterNames = Pick<Kubernetes, 'byAddress' | 'isClusterAddress' | 'podCidrs' | 'onChange'>

export interface Endpoint {
  readonly address: string
  readonly port: number | undefined
}

const NOTHING: Attributes = Object.freeze({})

/** Of whom nothing but the scope is known. */
export const unnamed: Readonly<Record<Scope, Name>> = Object.freeze({
  node: nameOf('node', NOTHING),
  cluster: nameOf('cluster', NOTHING),
  private: nameOf('private', NOTHING),
  external: nameOf('external', NOTHING),
})

/**
 * k8s.dst.* of what is dialled, and answered by another where that is known: the pod that answers, and the Service
 * that was dialled, or the one Service that has that pod at that port.
 */
export function destinationName(
  names: ClusterNames,
  scope: Scope,
  dialled: Endpoint,
  answered: Endpoint | undefined,
  atMs: number,
): Name {
  const first = names.byAddress(dialled.address, dialled.port, atMs)
  const peer = answered ? names.byAddress(answered.address, answered.port, atMs) : first
  const service = first?.kind === 'Service' ? first : undefined
  const namespace = peer ? peer.namespace : service?.namespace
  const serviceName = service?.serviceName ?? peer?.serviceName
  return nameOf(scope, {
    ...(peer && { 'k8s.dst.name': peer.name, 'k8s.dst.type': peer.kind }),
    ...(namespace !== undefined && { 'k8s.dst.namespace': namespace }),
    ...(peer?.ownerName !== undefined && { 'k8s.dst.owner.name': peer.ownerName }),
    ...(serviceName !== undefined && { 'k8s.dst.service.name': serviceName }),
  })
}

/** k8s.src.*: the workload of who calls, not the pod, so that they are few. */
export function callerName(names: ClusterNames, scope: Scope, address: string): Name {
  const peer: Peer | undefined = names.byAddress(address)
  // A Service does not call: the address is one that it points to.
  if (peer === undefined || peer.kind === 'Service') return unnamed[scope]
  return nameOf(scope, {
    'k8s.src.type': peer.kind,
    ...(peer.namespace !== undefined && { 'k8s.src.namespace': peer.namespace }),
    ...(peer.ownerName !== undefined && { 'k8s.src.owner.name': peer.ownerName }),
  })
}

function nameOf(scope: Scope, attributes: Attributes): Name {
  const parts = Object.entries(attributes).map(([name, value]) => `${name}=${value}`)
  return Object.freeze({ key: [scope, ...parts].join('\0'), scope, attributes: Object.freeze(attributes) })
}

/** Whether `then`, told later of the same moment, says more of the same than `before`, or that it was another. */
export function corrects(then: Name, before: Name): boolean {
  if (then.key === before.key) return false
  const [after, known] = [then.attributes, before.attributes]
  if (after['k8s.dst.name'] === undefined) {
    return known['k8s.dst.name'] === undefined && then.scope === 'cluster' && before.scope !== 'cluster'
  }
  const isSame = (['k8s.dst.name', 'k8s.dst.namespace', 'k8s.dst.type'] as const).every(
    (attribute) => after[attribute] === known[attribute],
  )
  // Services are known as of now alone: one that has gone since, or come, is no news of that moment.
  const keepsService = [undefined, after['k8s.dst.service.name']].includes(known['k8s.dst.service.name'])
  return !isSame || (keepsService && Object.keys(known).every((attribute) => after[attribute] !== undefined))
}
