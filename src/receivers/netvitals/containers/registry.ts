import type { CgroupDirectory } from './cgroupfs.ts'
import { type CgroupIdentity, HOST, parsePath } from './parse-path.ts'
import type { Container } from './types.ts'

export interface RegistryOptions {
  readonly describe: (identity: CgroupIdentity) => Container
  /** A container that was not there before; and one that is not there any more. */
  readonly onBegin?: (identity: CgroupIdentity) => void
  readonly onGone?: (container: Container) => void
  /** Milliseconds for which a removed cgroup's id is still answered. */
  readonly lingerMs: number
  /** A clock that only goes forward, milliseconds. */
  readonly now: () => number
}

interface Entry {
  container: Container
  /** Its directory is gone, or was never found. */
  gone: boolean
  /** Number of the last walk that saw it, or during which it came. */
  seen: number
}

interface Live {
  container: Container
  /** Id of the container's own cgroup; unknown when only a nested one was seen yet. */
  ownId?: bigint
  readonly ids: Set<bigint>
}

/** What is known of cgroup ids, and the lives of their containers. Touches no file: its owner feeds it. */
export function createRegistry({ describe, onBegin, onGone, lingerMs, now }: RegistryOptions) {
  const host = describe(HOST)
  const entries = new Map<bigint, Entry>()
  const lives = new Map<string, Live>()
  /** Ids answered with `host` although nothing is known of them. */
  const unknown = new Set<bigint>()
  const leaving: { id: bigint; dueMs: number }[] = []
  const endListeners: ((container: Container) => void)[] = []
  const identifiedListeners: ((before: Container, now: Container, ids: readonly bigint[]) => void)[] = []
  const resolvedListeners: ((id: bigint, container: Container) => void)[] = []
  let walk = 0

  function learn(id: bigint, path: string): void {
    const known = entries.get(id)
    if (known !== undefined && !unknown.has(id)) {
      known.seen = walk
      return
    }
    const identity = parsePath(path)
    const container = identity.key === HOST.key ? host : owner(identity, id, path)
    entries.set(id, { container, gone: false, seen: walk })
    if (unknown.delete(id) && container !== host) for (const tell of resolvedListeners) tell(id, container)
  }

  function owner(identity: CgroupIdentity, id: bigint, path: string): Container {
    let live = lives.get(identity.key)
    let begun: CgroupIdentity | undefined
    const own = path === identity.key
    // The same path under another id: the one before has ended, though its record was lost.
    if (own && live?.ownId !== undefined && live.ownId !== id) {
      end(live)
      live = undefined
    }
    if (live === undefined) {
      live = { container: describe(identity), ids: new Set() }
      lives.set(identity.key, live)
      begun = identity
    }
    if (own) live.ownId = id
    live.ids.add(id)
    if (begun) onBegin?.(begun)
    return live.container
  }

  function remove(id: bigint): void {
    const entry = entries.get(id)
    if (entry === undefined || entry.gone) return
    leave(id, entry)
    const live = lives.get(entry.container.key)
    if (live?.container !== entry.container) return
    live.ids.delete(id)
    if (live.ownId === id || live.ids.size === 0) end(live)
  }

  function end(live: Live): void {
    lives.delete(live.container.key)
    for (const id of live.ids) leave(id, entries.get(id)!)
    for (const tell of endListeners) tell(live.container)
    onGone?.(live.container)
  }

  function leave(id: bigint, entry: Entry): void {
    if (!entry.gone) leaving.push({ id, dueMs: now() + lingerMs })
    entry.gone = true
  }

  return {
    host,
    learn,
    remove,
    /** Undefined: never heard of it. */
    find: (id: bigint): Container | undefined => entries.get(id)?.container,
    /** `host` is what was answered; who asked is told if it turns out otherwise. */
    answeredHost: (id: bigint): void => void unknown.add(id),
    isUnknown: (id: bigint): boolean => unknown.has(id),
    unknownIds: (): bigint[] => [...unknown].filter((id) => !entries.has(id)),

    /** A walk saw the whole hierarchy and not this id: its cgroup is gone, only a socket remembers it. */
    settle(id: bigint): void {
      if (entries.has(id)) return
      const entry = { container: host, gone: false, seen: walk }
      entries.set(id, entry)
      leave(id, entry)
    },

    /** Marks the beginning of a walk; `endWalk` says that it saw everything: what it did not see is gone. */
    beginWalk: (): void => void walk++,
    see: ({ id, path }: CgroupDirectory): void => learn(id, path),
    endWalk(): void {
      for (const [id, entry] of entries) if (!entry.gone && entry.seen < walk) remove(id)
    },

    /** Forgets the ids whose time is over. */
    sweep(): void {
      const current = now()
      let due = 0
      for (; due < leaving.length && leaving[due]!.dueMs <= current; due++) {
        const { id } = leaving[due]!
        // Not gone after all: settled as unknown, then its record came.
        if (entries.get(id)?.gone !== true) continue
        entries.delete(id)
        unknown.delete(id)
      }
      leaving.splice(0, due)
    },
    live: (): Container[] => [...lives.values()].map(({ container }) => container),
    /** The live container of this key becomes another, with the same ids. */
    identify(key: string, container: Container): void {
      const live = lives.get(key)
      if (live === undefined) return
      const before = live.container
      live.container = container
      const ids = [...live.ids]
      for (const id of ids) entries.get(id)!.container = container
      for (const tell of identifiedListeners) tell(before, container, ids)
    },
    onIdentified: (listener: (before: Container, now: Container, ids: readonly bigint[]) => void): void =>
      void identifiedListeners.push(listener),
    onEnd: (listener: (container: Container) => void): void => void endListeners.push(listener),
    onResolved: (listener: (id: bigint, container: Container) => void): void => void resolvedListeners.push(listener),
    size: (): { cgroups: number; containers: number } => ({ cgroups: entries.size, containers: lives.size }),
  }
}
