import { isDeepStrictEqual } from 'node:util'
import { SKEW_MS } from './holdings.ts'
import type { Endpoint, EndpointSlice, Service } from './objects.ts'
import { createTable } from './table.ts'
import type { Change } from './types.ts'

export type PodTarget = NonNullable<Endpoint['pod']>

interface Backend {
  readonly slice: EndpointSlice
  /** More than one where pods share their node's address. */
  readonly pods: readonly PodTarget[]
}

interface Slice {
  readonly slice: EndpointSlice
  /** By address. */
  readonly entries: ReadonlyMap<string, Backend>
}

export interface ServiceName {
  readonly name: string
  readonly namespace: string
}

export interface ServicesOptions {
  readonly changed: (change: Change) => void
  readonly now: () => number
}

/** Services by their virtual addresses and node ports, and what stands behind them by EndpointSlices. */
export function createServices({ changed, now }: ServicesOptions) {
  const known = new Map<string, Service>()
  const byVirtual = createTable<Service>()
  const byCluster = createTable<Service>()
  const byNodePort = createTable<Service>()
  const slices = new Map<string, Slice>()
  const backends = createTable<Backend>()
  /** The only pod that slices name at an address, and since when. */
  const named = new Map<string, { readonly pod: PodTarget; readonly sinceMs: number }>()

  function upsert(service: Service): void {
    if (isDeepStrictEqual(known.get(service.uid), service)) return
    known.set(service.uid, service)
    const all = new Map([...service.clusterIps, ...service.externalIps].map((address) => [address, service]))
    const before = byVirtual.put(service.uid, all)
    byCluster.put(service.uid, new Map(service.clusterIps.map((address) => [address, service])))
    byNodePort.put(service.uid, new Map(service.nodePorts.map((port) => [String(port), service])))
    announce([...before, ...all.keys()])
  }

  function remove(uid: string): void {
    known.delete(uid)
    byCluster.drop(uid)
    byNodePort.drop(uid)
    announce(byVirtual.drop(uid))
  }

  function upsertSlice(slice: EndpointSlice, initial: boolean): void {
    const old = slices.get(slice.uid)
    if (isDeepStrictEqual(old?.slice, slice)) return
    const entries = new Map<string, Backend>()
    for (const { addresses, pod } of slice.endpoints) {
      for (const address of addresses) {
        const others = entries.get(address)?.pods ?? []
        entries.set(address, { slice, pods: pod ? [...others, pod] : others })
      }
    }
    slices.set(slice.uid, { slice, entries })
    const touched = new Set([...backends.put(slice.uid, entries), ...entries.keys()])
    const { ports, serviceName } = slice
    if (old && isDeepStrictEqual([old.slice.ports, old.slice.serviceName], [ports, serviceName])) {
      // In a rollout each step changes one endpoint of up to a thousand.
      for (const [address, { pods }] of entries)
        if (samePods(pods, old.entries.get(address)?.pods)) touched.delete(address)
    }
    settle(touched, initial)
  }

  function removeSlice(uid: string): void {
    slices.delete(uid)
    settle(new Set(backends.drop(uid)), false)
  }

  /** The pod at each of these addresses may be another now. */
  function settle(addresses: ReadonlySet<string>, initial: boolean): void {
    for (const address of addresses) {
      const pods = new Map([...backends.get(address)].flatMap(({ pods }) => pods).map((pod) => [pod.uid, pod]))
      // Several: the address is their node's, or a pod that is going has not left yet. Then it names none.
      const pod = only([...pods.values()])
      if (pod === undefined) named.delete(address)
      else if (named.get(address)?.pod.uid !== pod.uid) named.set(address, { pod, sinceMs: initial ? 0 : now() })
    }
    announce([...addresses])
  }

  function announce(addresses: readonly string[]): void {
    if (addresses.length > 0) changed({ containerIds: [], addresses: [...new Set(addresses)] })
  }

  function* backendsAt(address: string, port: number | undefined): Iterable<Backend> {
    for (const backend of backends.get(address)) {
      if (port === undefined || backend.slice.ports.length === 0 || backend.slice.ports.includes(port)) yield backend
    }
  }

  return {
    upsert,
    remove,
    upsertSlice,
    removeSlice,
    /** The Service whose virtual address this is; load balancers may give one address to several, by port. */
    at(address: string, port: number | undefined): Service | undefined {
      const all = [...byVirtual.get(address)]
      return only(all.length > 1 && port !== undefined ? all.filter(({ ports }) => ports.includes(port)) : all)
    },
    byNodePort: (port: number) => only([...byNodePort.get(String(port))]),
    isClusterIp: (address: string) => byCluster.has(address),
    /** The one Service that has this among its endpoints (of this pod, where the address is shared). */
    behind(address: string, port: number | undefined, podUid?: string): ServiceName | undefined {
      const found = new Map<string, ServiceName>()
      for (const { slice, pods } of backendsAt(address, port)) {
        const { serviceName: name, namespace } = slice
        if (name === undefined || (podUid !== undefined && !pods.some(({ uid }) => uid === podUid))) continue
        found.set(`${namespace}/${name}`, { name, namespace })
      }
      return only([...found.values()])
    },
    /** The one pod that listens on this port of an address that many share. */
    podAtPort(address: string, port: number): PodTarget | undefined {
      const pods = new Map<string, PodTarget>()
      for (const backend of backendsAt(address, port)) for (const pod of backend.pods) pods.set(pod.uid, pod)
      return only([...pods.values()])
    },
    /** Some slice names a pod there. */
    hasPods: (address: string) => [...backends.get(address)].some(({ pods }) => pods.length > 0),
    /** Slices name one pod there now. */
    isPod: (address: string) => named.has(address),
    /** The only pod that slices name there, if they did so then already. */
    podAt(address: string, atMs: number): PodTarget | undefined {
      const found = named.get(address)
      return found && found.sinceMs <= atMs + SKEW_MS ? found.pod : undefined
    },
  }
}

export type Services = ReturnType<typeof createServices>

const only = <T>(all: readonly T[]): T | undefined => (all.length === 1 ? all[0] : undefined)

function samePods(a: readonly PodTarget[], b: readonly PodTarget[] | undefined): boolean {
  return a.length === b?.length && a.every(({ uid }, index) => uid === b[index]!.uid)
}
