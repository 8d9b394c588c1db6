import type { CgroupDirectory } from './cgroupfs.ts'
import { type CgroupIdentity, HOST, parsePath } from './parse-path.ts'
import type { SocketMaker } from './socket-makers.ts'
import type { Container } from './types.ts'

export interface RegistryOptions {
  readonly describe: (identity: CgroupIdentity) => Container
  readonly makerOf: (path: string, identity: CgroupIdentity) => SocketMaker
  /** A container that was not there before; and one that is not there any more. */
  readonly onBegin?: (identity: CgroupIdentity) => void
  readonly onGone?: (container: Container) => void
  /** Milliseconds for which a removed cgroup's id is still answered. */
  readonly lingerMs: number
  /** A clock that only goes forward, milliseconds. */
  readonly now: () => number
}

interface Entry {
  readonly life: Life
  readonly maker: SocketMaker
  /** Its directory is gone, or was never found. */
  gone: boolean
  /** Number of the last walk that saw it, or during which it came. */
  seen: number
}

/** One container from its first cgroup to the last record that may name it. */
interface Life {
  container: Container
  /** Id of the container's own cgroup; unknown when only a nested one was seen yet. */
  ownId?: bigint
  /** All that are answered with it, those that are gone included. */
  readonly ids: Set<bigint>
  /** How many of them are there. */
  present: number
}

export type Registry = ReturnType<typeof createRegistry>

/** What is known of cgroup ids, and the lives of their containers. Touches no file: its owner feeds it. */
export function createRegistry({ describe, makerOf, onBegin, onGone, lingerMs, now }: RegistryOptions) {
  const ofHost: Life = { container: describe(HOST), ids: new Set(), present: 0 }
  const host = ofHost.container
  const entries = new Map<bigint, Entry>()
  const lives = new Map<string, Life>()
  /** Ended, and still answered: their names may yet come. */
  const ended = new Map<string, Life>()
  /** Ids answered with `host` although nothing is known of them. */
  const unknown = new Set<bigint>()
  const leaving: { id: bigint; dueMs: number }[] = []
  const endListeners: ((container: Container) => void)[] = []
  const identifiedListeners: ((before: Container, now: Container, ids: readonly bigint[]) => void)[] = []
  const resolvedListeners: ((id: bigint, container: Container) => void)[] = []
  const reusedListeners: ((id: bigint) => void)[] = []
  let walk = 0

  /** `mayHaveSeveral`: another id with the container's own path is no sign that the one before has ended. */
  function learn(id: bigint, path: string, mayHaveSeveral = false): void {
    const known = entries.get(id)
    if (known !== undefined && !unknown.has(id)) {
      known.seen = walk
      return
    }
    const identity = parsePath(path)
    const life = identity.key === HOST.key ? ofHost : owner(identity, id, !mayHaveSeveral && path === identity.key)
    entries.set(id, { life, maker: makerOf(path, identity), gone: false, seen: walk })
    if (unknown.delete(id) && life !== ofHost) for (const tell of resolvedListeners) tell(id, life.container)
  }

  function owner(identity: CgroupIdentity, id: bigint, own: boolean): Life {
    let life = lives.get(identity.key)
    let begun: CgroupIdentity | undefined
    // The same path under another id: the one before has ended, though its record was lost.
    if (own && life?.ownId !== undefined && life.ownId !== id) {
      end(life)
      life = undefined
    }
    if (life === undefined) {
      life = { container: describe(identity), ids: new Set(), present: 0 }
      lives.set(identity.key, life)
      begun = identity
    }
    if (own) life.ownId = id
    life.ids.add(id)
    life.present++
    if (begun) onBegin?.(begun)
    return life
  }

  function remove(id: bigint): void {
    const entry = entries.get(id)
    if (entry === undefined || entry.gone) return
    leave(id, entry)
    const { life } = entry
    if (lives.get(life.container.key) !== life) return
    life.present--
    if (life.ownId === id || life.present === 0) end(life)
  }

  function end(life: Life): void {
    const { key } = life.container
    lives.delete(key)
    ended.set(key, life)
    for (const id of life.ids) leave(id, entries.get(id)!)
    for (const tell of endListeners) tell(life.container)
    onGone?.(life.container)
  }

  function leave(id: bigint, entry: Entry): void {
    if (!entry.gone) leaving.push({ id, dueMs: now() + lingerMs })
    entry.gone = true
  }

  function forget(id: bigint, { life }: Entry): void {
    entries.delete(id)
    unknown.delete(id)
    life.ids.delete(id)
    if (life.ids.size === 0 && ended.get(life.container.key) === life) ended.delete(life.container.key)
  }

  return {
    host,
    learn,
    remove,
    /** Undefined: never heard of it. */
    find: (id: bigint): Container | undefined => entries.get(id)?.life.container,
    makerOf: (id: bigint): SocketMaker | undefined => entries.get(id)?.maker,
    /** `host` is what was answered; who asked is told if it turns out otherwise. */
    answeredHost: (id: bigint): void => void unknown.add(id),
    isUnknown: (id: bigint): boolean => unknown.has(id),
    unknownIds: (): bigint[] => [...unknown].filter((id) => !entries.has(id)),

    /** A walk saw the whole hierarchy and not this id: its cgroup is gone, only a socket remembers it. */
    settle(id: bigint): void {
      if (entries.has(id)) return
      const entry: Entry = { life: ofHost, maker: 'none', gone: false, seen: walk }
      entries.set(id, entry)
      leave(id, entry)
    },

    /** Marks the beginning of a walk; `endWalk` says that it saw everything: what it did not see is gone. */
    beginWalk: (): void => void walk++,
    see: ({ id, path }: CgroupDirectory): void => learn(id, path),
    /** Of the ids that it could meet. */
    endWalk(met: (id: bigint) => boolean = () => true): void {
      for (const [id, entry] of entries) if (!entry.gone && entry.seen < walk && met(id)) remove(id)
    },

    /**
     * As `see`, of what a container may have several of, under a number that is given out again: who had it before has it
     * no more, and whoever asked is told.
     */
    seeAnew({ id, path }: CgroupDirectory): void {
      const entry = entries.get(id)
      const begins = (entry === undefined || entry.gone) && !unknown.has(id)
      const isAnother = entry !== undefined && (entry.gone || entry.life.container.key !== parsePath(path).key)
      if (isAnother) {
        remove(id)
        forget(id, entry)
      }
      if (begins) for (const tell of reusedListeners) tell(id)
      learn(id, path, true)
      if (isAnother) for (const tell of resolvedListeners) tell(id, entries.get(id)!.life.container)
    },

    /** Forgets the ids whose time is over. */
    sweep(): void {
      const current = now()
      let due = 0
      for (; due < leaving.length && leaving[due]!.dueMs <= current; due++) {
        const { id } = leaving[due]!
        const entry = entries.get(id)
        // Not gone after all: settled as unknown, then its record came.
        if (entry?.gone === true) forget(id, entry)
      }
      leaving.splice(0, due)
    },
    live: (): Container[] => [...lives.values()].map(({ container }) => container),
    /** The latest container of this key becomes another, with the same ids. True: it is there. */
    identify(key: string, container: Container): boolean {
      const living = lives.get(key)
      const life = living ?? ended.get(key)
      if (life === undefined) return false
      const before = life.container
      life.container = container
      const ids = [...life.ids]
      for (const tell of identifiedListeners) tell(before, container, ids)
      return living !== undefined
    },
    onIdentified: (listener: (before: Container, now: Container, ids: readonly bigint[]) => void): void =>
      void identifiedListeners.push(listener),
    onEnd: (listener: (container: Container) => void): void => void endListeners.push(listener),
    onResolved: (listener: (id: bigint, container: Container) => void): void => void resolvedListeners.push(listener),
    onReused: (listener: (id: bigint) => void): void => void reusedListeners.push(listener),
    size: (): { cgroups: number; containers: number } => ({ cgroups: entries.size, containers: lives.size }),
  }
}
