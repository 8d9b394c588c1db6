import { canonicalAddress } from './address.ts'
import type { Nodes } from './nodes.ts'
import type { PodEntry, Pods } from './pods.ts'
import type { PodTarget, ServiceName, Services } from './services.ts'
import type { Peer } from './types.ts'

export interface PeersOptions {
  readonly pods: Pods
  readonly services: Services
  readonly nodes: Nodes
  /** Until all nodes are known an address may be one's that many pods share. */
  readonly nodesKnown: () => boolean
  readonly now: () => number
}

/** Names what answers at an address: a Service's virtual one, a pod's, a node's with the pods that share it. */
export function createPeers({ pods, services, nodes, nodesKnown, now }: PeersOptions) {
  return function byAddress(text: string, port?: number, atMs = now()): Peer | undefined {
    const address = canonicalAddress(text)
    const service = services.at(address, port)
    if (service) return servicePeer(service)
    const entry = pods.at(address, atMs)
    if (entry) return podPeer(entry, services.behind(address, port, entry.pod.uid))
    const node = nodes.at(address)
    if (node) return onNode(address, node.name, port)
    return nodesKnown() ? behindService(address, port, atMs) : undefined
  }

  function onNode(address: string, nodeName: string, port: number | undefined): Peer {
    const target = port === undefined ? undefined : services.podAtPort(address, port)
    if (target) return targetPeer(target, services.behind(address, port, target.uid))
    const published = port === undefined ? undefined : services.byNodePort(port)
    if (published) return servicePeer(published)
    const service = port === undefined ? undefined : services.behind(address, port)
    return { kind: 'Node', name: nodeName, ...(service && { serviceName: service.name }) }
  }

  /** Not a pod that is watched: one of another node, or what an EndpointSlice made by hand points to. */
  function behindService(address: string, port: number | undefined, atMs: number): Peer | undefined {
    const target = services.podAt(address, atMs)
    const service = services.behind(address, port)
    if (target === undefined) return service && !services.hasPods(address) ? servicePeer(service) : undefined
    // One that is watched and did not hold the address then has left it.
    return pods.byUid(target.uid) ? undefined : targetPeer(target, service)
  }

  function targetPeer(target: PodTarget, service: ServiceName | undefined): Peer {
    const entry = pods.byUid(target.uid)
    if (entry) return podPeer(entry, service)
    return withService({ kind: 'Pod', name: target.name, namespace: target.namespace }, service)
  }
}

export type ByAddress = ReturnType<typeof createPeers>

function podPeer({ pod, resolved: { owner } }: PodEntry, service: ServiceName | undefined): Peer {
  const workload = owner && { ownerKind: owner.kind, ownerName: owner.name }
  return withService({ kind: 'Pod', name: pod.name, namespace: pod.namespace, ...workload }, service)
}

function withService(peer: Peer, service: ServiceName | undefined): Peer {
  return service ? { ...peer, serviceName: service.name } : peer
}

function servicePeer({ name, namespace }: ServiceName): Peer {
  return { kind: 'Service', name, namespace, serviceName: name }
}
