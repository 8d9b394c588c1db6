import { isDeepStrictEqual } from 'node:util'
import { createHoldings } from './holdings.ts'
import type { Pod, PodContainer } from './objects.ts'
import type { Owners, Resolved } from './owners.ts'
import type { Change, ContainerIdentity, PodIdentity } from './types.ts'

export interface PodEntry {
  readonly pod: Pod
  /** Kept with the pod: a Deployment's deletion takes the ReplicaSet away before its pods. */
  readonly resolved: Resolved
  /** It is no more in the API. */
  readonly goneAtMs?: number
}

export interface PodsOptions {
  readonly owners: Owners
  /** How long a pod that is gone still answers, for events that come late. */
  readonly lingerMs: number
  readonly changed: (change: Change) => void
  readonly now: () => number
}

/** Pods by container id, by uid and by the address that they held when. */
export function createPods({ owners, lingerMs, changed, now }: PodsOptions) {
  const byUid = new Map<string, PodEntry>()
  const byLocalUid = new Map<string, string>()
  const byContainer = new Map<string, string>()
  /** Pods whose ReplicaSet or Job isn't known. */
  const waiting = new Map<string, Set<string>>()
  const holdings = createHoldings()
  /** Oldest first. */
  const gone: PodEntry[] = []

  function upsert(pod: Pod, initial: boolean): void {
    forgetOld()
    const before = byUid.get(pod.uid)
    const resolved = before?.resolved.complete ? before.resolved : owners.resolve(pod.controller, pod.namespace)
    const containers = before ? joinContainers(pod.containers, before.pod.containers) : pod.containers
    const entry: PodEntry = { pod: { ...pod, containers }, resolved }
    byUid.set(pod.uid, entry)
    if (!resolved.complete) wait(pod)
    if (pod.localUid !== undefined) byLocalUid.set(pod.localUid, pod.uid)
    for (const id of idsOf(entry)) byContainer.set(id, pod.uid)
    holdAddresses(pod, before?.pod, initial)
    if (before === undefined || !sameToUsers(before, entry)) announce(entry, before)
  }

  /** Ids that a long series of restarts has pushed out of the status still answer; two statuses back they don't. */
  function joinContainers(fresh: readonly PodContainer[], before: readonly PodContainer[]): PodContainer[] {
    return fresh.map((container) => {
      const old = before.find(({ name }) => name === container.name)
      const ids = [...new Set([...container.ids, ...(old?.ids ?? [])])]
      for (const id of ids.slice(4)) byContainer.delete(id)
      return { ...container, ids: ids.slice(0, 4) }
    })
  }

  function holdAddresses(pod: Pod, before: Pod | undefined, initial: boolean): void {
    for (const address of pod.endedMs === undefined ? pod.addresses : []) {
      holdings.hold(address, pod.uid, pod.heldFromMs ?? (initial ? 0 : now()))
    }
    for (const address of before?.addresses ?? []) {
      if (!pod.addresses.includes(address)) holdings.release(address, pod.uid, now())
    }
    if (pod.endedMs === undefined) return
    for (const address of pod.addresses) holdings.release(address, pod.uid, pod.endedMs)
  }

  function remove(uid: string): void {
    forgetOld()
    const before = byUid.get(uid)
    if (before === undefined || before.goneAtMs !== undefined) return
    const entry = { ...before, goneAtMs: now() }
    byUid.set(uid, entry)
    gone.push(entry)
    for (const address of entry.pod.addresses) holdings.release(address, uid, entry.goneAtMs)
    announce(entry)
  }

  function forgetOld(): void {
    while (gone.length > 0 && gone[0]!.goneAtMs! + lingerMs < now()) forget(gone.shift()!)
  }

  function forget(entry: PodEntry): void {
    const { uid, localUid, addresses, controller } = entry.pod
    // It came back: a list that had missed it was wrong.
    if (byUid.get(uid) !== entry) return
    byUid.delete(uid)
    if (localUid !== undefined && byLocalUid.get(localUid) === uid) byLocalUid.delete(localUid)
    for (const id of idsOf(entry)) byContainer.delete(id)
    for (const address of addresses) holdings.forget(address, uid)
    const others = controller && waiting.get(controller.uid)
    if (!others?.delete(uid) || others.size > 0) return
    waiting.delete(controller!.uid)
    owners.forget(controller!.uid)
  }

  function wait({ uid, controller }: Pod): void {
    const others = waiting.get(controller!.uid)
    if (others) others.add(uid)
    else waiting.set(controller!.uid, new Set([uid]))
  }

  function ownerResolved(ownerUid: string): void {
    const uids = waiting.get(ownerUid) ?? []
    waiting.delete(ownerUid)
    for (const uid of uids) {
      const before = byUid.get(uid)
      if (before === undefined) continue
      const entry = { ...before, resolved: owners.resolve(before.pod.controller, before.pod.namespace) }
      byUid.set(uid, entry)
      const at = gone.indexOf(before)
      if (at >= 0) gone[at] = entry
      announce(entry)
    }
  }

  function announce({ pod }: PodEntry, before?: PodEntry): void {
    const addresses = [...new Set([...pod.addresses, ...(before?.pod.addresses ?? [])])]
    changed({ containerIds: pod.containers.flatMap(({ ids }) => ids), addresses })
  }

  return {
    upsert,
    remove,
    ownerResolved,
    byUid(uid: string): PodEntry | undefined {
      return byUid.get(uid) ?? byUid.get(byLocalUid.get(uid) ?? '')
    },
    byContainerId(id: string): ContainerIdentity | undefined {
      const entry = byUid.get(byContainer.get(id) ?? '')
      const container = entry?.pod.containers.find(({ ids }) => ids.includes(id))
      return entry && container && identifyContainer(entry, container)
    },
    /** The pod that held it then; those on the host's network hold none. */
    at(address: string, atMs: number): PodEntry | undefined {
      return byUid.get(holdings.at(address, atMs) ?? '')
    },
    holds: (address: string) => holdings.has(address),
    size: () => byUid.size,
  }
}

export type Pods = ReturnType<typeof createPods>

const idsOf = ({ pod }: PodEntry): string[] => pod.containers.flatMap(({ ids }) => ids)

/** A heartbeat or a probe's result changes nothing that is answered. */
function sameToUsers(a: PodEntry, b: PodEntry): boolean {
  const seen = ({ pod, resolved, goneAtMs }: PodEntry) => [
    ...[pod.addresses, pod.containers, pod.labels, pod.annotations, pod.nodeName, pod.endedMs === undefined],
    ...[resolved, goneAtMs === undefined],
  ]
  return isDeepStrictEqual(seen(a), seen(b))
}

export function identifyPod({ pod, resolved }: PodEntry): PodIdentity {
  return {
    podName: pod.name,
    namespace: pod.namespace,
    podUid: pod.uid,
    labels: pod.labels,
    annotations: pod.annotations,
    ...(pod.nodeName === undefined ? {} : { nodeName: pod.nodeName }),
    hostNetwork: pod.hostNetwork,
    ...(resolved.owner === undefined ? {} : { owner: resolved.owner }),
    complete: resolved.complete,
  }
}

function identifyContainer(entry: PodEntry, { name, image }: PodContainer): ContainerIdentity {
  return { ...identifyPod(entry), containerName: name, ...(image === undefined ? {} : { image }) }
}
