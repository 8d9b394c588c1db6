import type { Logger } from '../log.ts'
import type { Access } from './access.ts'
import { createClient } from './client.ts'
import { createNodes } from './nodes.ts'
import { type Keep, trimEndpointSlice, trimNode, trimOwner, trimPod, trimService } from './objects.ts'
import { createOwnerLookup } from './owner-lookup.ts'
import { createOwners } from './owners.ts'
import { createPeers } from './peers.ts'
import { createPods, identifyPod } from './pods.ts'
import { createReflector, type Reflector, type Resource, TIMING, type Timing } from './reflector.ts'
import { createServices } from './services.ts'
import type { Change, Kubernetes } from './types.ts'

export { type Access, type AccessOptions, findAccess } from './access.ts'
export type { Change, ContainerIdentity, Kubernetes, Peer, PodIdentity, ResourceStatus, Workload } from './types.ts'

export interface KubernetesOptions {
  readonly access: Access
  /**
   * `cluster`: every pod. `node`: the pods of `nodeName` alone, for large clusters; the rest are named, without their
   * workload, by the EndpointSlices that they are in.
   */
  readonly mode?: 'cluster' | 'node'
  /** Needed for `mode: 'node'`. */
  readonly nodeName?: string | undefined
  /** Labels and annotations to keep: what nobody asks for needs no memory. All but kubectl's own copy when absent. */
  readonly keepLabel?: (key: string) => boolean
  readonly keepAnnotation?: (key: string) => boolean
  /** How long a pod that is gone still answers, for events that come late. */
  readonly lingerMs?: number
  readonly log?: Pick<Logger, 'info' | 'warn'> | undefined
  readonly timing?: Partial<Timing>
  readonly rereadMs?: number
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** kubectl keeps the whole object in it. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/**
 * Watches a cluster and answers who is who in it.
 *
 * @example
 * const access = await findAccess()
 * const kubernetes = access && createKubernetes({ access, log })
 * kubernetes?.start()
 * kubernetes?.byAddress('10.96.0.1', 443)   // { kind: 'Service', name: 'kubernetes', namespace: 'default', ... }
 */
export function createKubernetes(options: KubernetesOptions): Kubernetes {
  const { access, mode = 'cluster', nodeName, log, lingerMs = 300_000, now = Date.now } = options
  const timing = { ...TIMING, ...options.timing }
  const keep: Keep = {
    label: options.keepLabel ?? (() => true),
    annotation: options.keepAnnotation ?? ((key) => key !== LAST_APPLIED),
  }
  if (mode === 'node' && !nodeName) throw new TypeError('mode "node" needs nodeName')
  const listeners = new Set<(change: Change) => void>()
  const synced = Promise.withResolvers<void>()

  const client = createClient({ access, ...(options.rereadMs === undefined ? {} : { rereadMs: options.rereadMs }) })
  const lookup =
    mode === 'node' ? createOwnerLookup({ client, timing, found: (owner) => owners.upsert(owner) }) : undefined
  const owners = createOwners({
    onResolved: (uid) => pods.ownerResolved(uid),
    ...(lookup && { onMissing: lookup.want }),
  })
  const pods = createPods({ owners, lingerMs, changed, now })
  const services = createServices({ changed, now })
  const nodes = createNodes({ changed })
  const reflectors = new Map<string, Reflector>()
  const byAddress = createPeers({
    ...{ pods, services, nodes, now },
    nodesKnown: () => reflectors.get('nodes')?.status().synced ?? false,
  })

  function changed(change: Change): void {
    for (const listener of listeners) listener(change)
  }

  function reflect<T extends { readonly uid: string }>(resource: Resource<T>): void {
    const onSynced = () => {
      if ([...reflectors.values()].every((reflector) => reflector.status().synced)) synced.resolve()
    }
    reflectors.set(resource.name, createReflector({ resource, client, timing, log, onSynced }))
  }

  reflect({
    name: 'nodes',
    path: '/api/v1/nodes',
    trim: trimNode,
    upsert: nodes.upsert,
    remove: nodes.remove,
  })
  // Before the pods: they then know their workload from the first.
  if (!lookup) {
    for (const [name, kind, group] of [
      ['replicasets', 'ReplicaSet', 'apps'],
      ['jobs', 'Job', 'batch'],
    ] as const) {
      reflect({
        ...{ name, path: `/apis/${group}/v1/${name}`, metadataOnly: true },
        trim: (raw) => trimOwner(raw, kind),
        upsert: owners.upsert,
        remove: owners.remove,
      })
    }
  }
  reflect({
    name: 'services',
    path: '/api/v1/services',
    trim: trimService,
    upsert: services.upsert,
    remove: services.remove,
  })
  reflect({
    name: 'endpointslices',
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    trim: trimEndpointSlice,
    upsert: services.upsertSlice,
    remove: services.removeSlice,
  })
  reflect({
    name: 'pods',
    path: '/api/v1/pods',
    ...(mode === 'node' ? { query: `fieldSelector=${encodeURIComponent(`spec.nodeName=${nodeName}`)}` } : {}),
    trim: (raw) => trimPod(raw, keep),
    upsert: pods.upsert,
    remove: pods.remove,
  })

  return {
    start(): void {
      for (const reflector of reflectors.values()) reflector.start()
    },
    stop(): void {
      for (const reflector of reflectors.values()) reflector.stop()
      lookup?.stop()
      client.close()
      synced.resolve()
    },
    whenSynced: () => synced.promise,
    byContainerId: pods.byContainerId,
    byPodUid(uid) {
      const entry = pods.byUid(uid)
      return entry && identifyPod(entry)
    },
    byAddress,
    isClusterAddress: (address) => {
      const text = address.replace(/^::ffff:(?=\d+\.)/i, '')
      return pods.holds(text) || services.isClusterIp(text) || (services.isPod(text) && nodes.at(text) === undefined)
    },
    podCidrs: nodes.podCidrs,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    status: () => [...reflectors.values()].map((reflector) => reflector.status()),
  }
}
