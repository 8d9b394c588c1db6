import { canonicalAddress } from './address.ts'
import { type Json, listOf, mapOf, numberOf, objectOf, textOf, textsOf, timeOf } from './json.ts'

/** What is kept of an object that names its controller. */
export interface OwnerRef {
  readonly kind: string
  readonly name: string
  readonly uid: string
  /** `apps`; '' for the core group. */
  readonly group: string
}

export interface PodContainer {
  readonly name: string
  readonly image?: string
  /** Of it and of what it was before it was restarted. */
  readonly ids: readonly string[]
}

export interface Pod {
  readonly uid: string
  /** Of a static pod: the uid that its cgroups carry. */
  readonly localUid?: string
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly nodeName?: string
  readonly hostNetwork: boolean
  readonly controller?: OwnerRef
  /** Its own: none on the host's network. */
  readonly addresses: readonly string[]
  /** When it had its addresses at the latest; undefined when its status doesn't tell. */
  readonly heldFromMs?: number
  /** When it had them no more: its containers have all ended for good. */
  readonly endedMs?: number
  readonly containers: readonly PodContainer[]
}

export interface Service {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  readonly clusterIps: readonly string[]
  /** externalIPs and the load balancer's. */
  readonly externalIps: readonly string[]
  readonly ports: readonly number[]
  readonly nodePorts: readonly number[]
}

export interface Endpoint {
  readonly addresses: readonly string[]
  readonly pod?: { readonly uid: string; readonly name: string; readonly namespace: string }
}

export interface EndpointSlice {
  readonly uid: string
  readonly namespace: string
  /** Absent where no Service has it. */
  readonly serviceName?: string
  readonly endpoints: readonly Endpoint[]
  /** Empty: any. */
  readonly ports: readonly number[]
}

export interface Node {
  readonly uid: string
  readonly name: string
  readonly addresses: readonly string[]
  readonly podCidrs: readonly string[]
}

/** A ReplicaSet or a Job: between a pod and its workload. */
export interface Owner {
  readonly uid: string
  readonly kind: string
  readonly name: string
  readonly controller?: OwnerRef
}

export interface Keep {
  readonly label: (key: string) => boolean
  readonly annotation: (key: string) => boolean
}

interface Meta {
  readonly raw: Json
  readonly uid: string
  readonly name: string
  readonly namespace: string
}

function metaOf(raw: Json): Meta | undefined {
  const metadata = objectOf(raw.metadata)
  const uid = textOf(metadata.uid)
  const name = textOf(metadata.name)
  return uid === undefined || name === undefined
    ? undefined
    : { raw: metadata, uid, name, namespace: textOf(metadata.namespace) ?? '' }
}

function controllerOf(metadata: Json): OwnerRef | undefined {
  const reference = listOf(metadata.ownerReferences).find((owner) => owner.controller === true)
  const kind = textOf(reference?.kind)
  const name = textOf(reference?.name)
  const uid = textOf(reference?.uid)
  if (kind === undefined || name === undefined || uid === undefined) return undefined
  const version = textOf(reference!.apiVersion) ?? ''
  return { kind, name, uid, group: version.includes('/') ? version.split('/')[0]! : '' }
}

export function trimPod(raw: Json, keep: Keep): Pod | undefined {
  const meta = metaOf(raw)
  if (meta === undefined) return undefined
  const spec = objectOf(raw.spec)
  const status = objectOf(raw.status)
  const hostNetwork = spec.hostNetwork === true
  const nodeName = textOf(spec.nodeName)
  const controller = controllerOf(meta.raw)
  const localUid = textOf(objectOf(meta.raw.annotations)['kubernetes.io/config.hash'])
  const heldFromMs = heldFrom(status)
  const endedMs = ended(status)
  return {
    uid: meta.uid,
    ...(localUid === undefined ? {} : { localUid }),
    name: meta.name,
    namespace: meta.namespace,
    labels: mapOf(meta.raw.labels, keep.label),
    annotations: mapOf(meta.raw.annotations, keep.annotation),
    ...(nodeName === undefined ? {} : { nodeName }),
    hostNetwork,
    ...(controller === undefined ? {} : { controller }),
    addresses: hostNetwork ? [] : podAddresses(status),
    ...(heldFromMs === undefined ? {} : { heldFromMs }),
    ...(endedMs === undefined ? {} : { endedMs }),
    containers: podContainers(spec, status),
  }
}

function podAddresses(status: Json): string[] {
  const all = listOf(status.podIPs).flatMap(({ ip }) => textOf(ip) ?? [])
  const first = textOf(status.podIP)
  return (all.length > 0 || first === undefined ? all : [first]).map(canonicalAddress)
}

const containerStatuses = (status: Json): readonly Json[] =>
  ['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses'].flatMap((key) => listOf(status[key]))

/** The sandbox's network is ready before the condition says so, and before the first container starts. */
function heldFrom(status: Json): number | undefined {
  const ready = listOf(status.conditions).find(
    ({ type, status }) => type === 'PodReadyToStartContainers' && status === 'True',
  )
  const starts = containerStatuses(status).flatMap(({ state, lastState }) =>
    [state, lastState].flatMap((value) => {
      const { running, terminated } = objectOf(value)
      return timeOf(objectOf(running).startedAt) ?? timeOf(objectOf(terminated).startedAt) ?? []
    }),
  )
  const times = [...starts, timeOf(ready?.lastTransitionTime) ?? []].flat()
  return times.length === 0 ? undefined : Math.min(...times)
}

/** A pod that came to its end keeps its podIP in the API, while the address is another's. */
function ended(status: Json): number | undefined {
  if (status.phase !== 'Succeeded' && status.phase !== 'Failed') return undefined
  const ends = containerStatuses(status).map(({ state }) => timeOf(objectOf(objectOf(state).terminated).finishedAt))
  const known = ends.filter((atMs) => atMs !== undefined)
  // One that was evicted may have no times.
  return known.length === 0 || known.length < ends.length ? Date.now() : Math.max(...known)
}

function podContainers(spec: Json, status: Json): PodContainer[] {
  const images = new Map(
    ['initContainers', 'containers', 'ephemeralContainers']
      .flatMap((key) => listOf(spec[key]))
      .map(({ name, image }) => [name, textOf(image)]),
  )
  return containerStatuses(status).flatMap((container) => {
    const name = textOf(container.name)
    if (name === undefined) return []
    const image = images.get(name) ?? textOf(container.image)
    return [{ name, ...(image === undefined ? {} : { image }), ids: containerIds(container) }]
  })
}

/** `containerd://<id>` -> `<id>`, which is the last element of the cgroup's path. */
function containerIds({ containerID, state, lastState }: Json): string[] {
  const ended = [state, lastState].map((value) => objectOf(objectOf(value).terminated).containerID)
  const ids = [containerID, ...ended].flatMap((value) => textOf(value)?.replace(/^[^:]*:\/\//, '') ?? [])
  return [...new Set(ids)]
}

export function trimService(raw: Json): Service | undefined {
  const meta = metaOf(raw)
  if (meta === undefined) return undefined
  const spec = objectOf(raw.spec)
  const cluster = [...textsOf(spec.clusterIPs), ...textsOf([spec.clusterIP])].filter((ip) => ip !== 'None')
  const ingress = listOf(objectOf(objectOf(raw.status).loadBalancer).ingress)
  const external = [...textsOf(spec.externalIPs), ...textsOf(ingress.map(({ ip }) => ip))]
  const ports = listOf(spec.ports).filter(({ protocol }) => protocol === undefined || protocol === 'TCP')
  return {
    uid: meta.uid,
    name: meta.name,
    namespace: meta.namespace,
    clusterIps: [...new Set(cluster.map(canonicalAddress))],
    externalIps: [...new Set(external.map(canonicalAddress))],
    ports: ports.flatMap(({ port }) => numberOf(port) ?? []),
    nodePorts: ports.flatMap(({ nodePort }) => numberOf(nodePort) ?? []),
  }
}

export function trimEndpointSlice(raw: Json): EndpointSlice | undefined {
  const meta = metaOf(raw)
  if (meta === undefined) return undefined
  const serviceName = textOf(objectOf(meta.raw.labels)['kubernetes.io/service-name'])
  return {
    uid: meta.uid,
    namespace: meta.namespace,
    ...(serviceName === undefined ? {} : { serviceName }),
    endpoints: raw.addressType === 'FQDN' ? [] : listOf(raw.endpoints).map(trimEndpoint),
    ports: listOf(raw.ports).flatMap(({ port }) => numberOf(port) ?? []),
  }
}

function trimEndpoint({ addresses, targetRef }: Json): Endpoint {
  const target = objectOf(targetRef)
  const uid = textOf(target.uid)
  const name = textOf(target.name)
  const isPod = target.kind === 'Pod' && uid !== undefined && name !== undefined
  return {
    addresses: textsOf(addresses).map(canonicalAddress),
    ...(isPod ? { pod: { uid, name, namespace: textOf(target.namespace) ?? '' } } : {}),
  }
}

export function trimNode(raw: Json): Node | undefined {
  const meta = metaOf(raw)
  if (meta === undefined) return undefined
  const { podCIDRs, podCIDR } = objectOf(raw.spec)
  const addresses = listOf(objectOf(raw.status).addresses).filter(({ type }) => type !== 'Hostname')
  return {
    uid: meta.uid,
    name: meta.name,
    addresses: textsOf(addresses.map(({ address }) => address)).map(canonicalAddress),
    podCidrs: [...new Set([...textsOf(podCIDRs), ...textsOf([podCIDR])])],
  }
}

export function trimOwner(raw: Json, kind: string): Owner | undefined {
  const meta = metaOf(raw)
  if (meta === undefined) return undefined
  const controller = controllerOf(meta.raw)
  return { uid: meta.uid, kind, name: meta.name, ...(controller === undefined ? {} : { controller }) }
}
