import type { Container, Containers } from '../containers/types.ts'
import type { ContainerRef, Store } from '../metrics/types.ts'

/** Whose a cgroup's connections are in the store, kept right while containers are found, named and end. */
export interface Owners {
  /** Begins the container in the store where it is new there. */
  refOf(cgroup: bigint, nowMs: number): ContainerRef
  /** It has not ended: what is told under `ref` is no late record of it. */
  isPresent(containerKey: string, ref: ContainerRef): boolean
  cgroupRemoved(id: bigint, nowMs: number): void
  /** Forgets cgroups that were removed before. */
  sweep(oldestMs: number): void
}

export interface OwnersOptions {
  readonly store: Pick<Store, 'container' | 'identify' | 'endContainer'>
  readonly containers: Containers
  /** Connections of these cgroups belong to another ref. */
  readonly onMoved: (cgroups: ReadonlySet<bigint>, nowMs: number) => void
  /** Of these it was open whether they are wanted: they are. */
  readonly onDecided: (cgroups: ReadonlySet<bigint>) => void
  /** Connections of this cgroup so far were another's, which is gone. */
  readonly onReused: (cgroup: bigint) => void
  /** Nothing is told under this ref any more. */
  readonly onEnded: (ref: ContainerRef) => void
}

export function createOwners(options: OwnersOptions): Owners {
  const { store, containers, onMoved, onDecided, onReused, onEnded } = options
  const refs = new Map<bigint, ContainerRef>()
  const refsByKey = new Map<string, ContainerRef>()
  const removed: { id: bigint; atMs: number }[] = []
  const ended = new WeakSet<Container>()

  function begin({ key, attributes, unsureUntilMs, excluded: hidden }: Container): ContainerRef {
    return store.container(key, attributes, { unsureUntilMs, hidden })
  }

  function own(cgroup: bigint, container: Container, nowMs: number): ContainerRef {
    const ref = begin(container)
    refs.set(cgroup, ref)
    if (ended.has(container)) {
      // A late record, the first of it: nobody tells of its end any more.
      store.endContainer(ref, nowMs)
      removed.push({ id: cgroup, atMs: nowMs })
    } else refsByKey.set(container.key, ref)
    return ref
  }

  containers.onReused((id) => {
    if (refs.delete(id)) onReused(id)
  })

  containers.onResolved((id, container) => {
    // Nothing of it was seen: no series for that.
    if (!refs.has(id)) return
    const nowMs = Date.now()
    own(id, container, nowMs)
    onMoved(new Set([id]), nowMs)
  })

  containers.onIdentified((before, now, ids) => {
    const over = ended.has(before)
    if (over) ended.add(now)
    const cgroups = new Set(ids.filter((id) => refs.has(id)))
    const [first] = cgroups
    if (first === undefined) return
    const nowMs = Date.now()
    const ref = refs.get(first)!
    const { key, attributes, unsureUntilMs, excluded: hidden } = now
    const next = before.excluded ? begin(now) : store.identify(ref, attributes, { unsureUntilMs, hidden })
    for (const id of cgroups) refs.set(id, next)
    if (over) store.endContainer(next, nowMs)
    else refsByKey.set(key, next)
    if (next !== ref) {
      onEnded(ref)
      onMoved(cgroups, nowMs)
    } else if (before.undecided) onDecided(cgroups)
  })

  containers.onEnd((container) => {
    ended.add(container)
    const ref = refsByKey.get(container.key)
    if (ref === undefined) return
    refsByKey.delete(container.key)
    store.endContainer(ref, Date.now())
    onEnded(ref)
  })

  return {
    refOf: (cgroup, nowMs) => refs.get(cgroup) ?? own(cgroup, containers.byCgroup(cgroup), nowMs),
    isPresent: (containerKey, ref) => refsByKey.get(containerKey) === ref,
    cgroupRemoved: (id, nowMs) => void removed.push({ id, atMs: nowMs }),
    sweep(oldestMs) {
      while (removed.length > 0 && removed[0]!.atMs < oldestMs) refs.delete(removed.shift()!.id)
    },
  }
}
