import { Conn, ConnWord, createRecords, type Records } from '../kernel/decode.ts'
import { ConnLayout } from '../kernel/layout.gen.ts'
import { createKeyTable } from './key-table.ts'

/**
 * Whose a socket is that a service manager made: the cgroup that it was handed to; its maker's own; `nobody`'s but the
 * manager's so far, or that of several, so that it is not known which of them accepts.
 */
export type Owner = bigint | 'maker' | 'nobody' | 'several'

/** A listener that a service manager made. */
export interface MadeListener {
  readonly id: number
  readonly maker: bigint
  owner: Owner | 'unasked'
  /** The last that is gone. */
  before: { readonly owner: bigint; readonly untilMs: number } | undefined
  /** Milliseconds. */
  readonly closedMs: number | undefined
  /** Under whose cgroup it was told last. */
  told: bigint | undefined
  /** The one that made it known, a copy. */
  readonly record: Records
}

interface Entry extends MadeListener {
  readonly spot: number
  readonly family: number
  readonly address: Uint32Array
  readonly isWildcard: boolean
  readonly makerWords: readonly [number, number]
  closedMs: number | undefined
  seen: number
}

/** How long it is known of one that closed: ends of its connections come after its own. */
const LINGER_MS = 60_000
/** Walks that may miss one that is there. */
const WALKS_MISSED = 3

const none: readonly Entry[] = []

/** Such listeners. A connection came through that of the same maker whose address is the most exact. */
export function createMadeListeners() {
  const byId = new Map<number, Entry>()
  /** Network namespace and port: looked up with each connection of a maker, so without an allocation. */
  const spots = createKeyTable(2, 64)
  const { key, find } = spots
  /** By spot. */
  const inSpot: Entry[][] = []
  let walk = 0

  /** -1: nobody listens there. */
  function spotOf(r: Records): number {
    key[0] = Conn.netns(r)
    key[1] = Conn.localPort(r)
    return find()
  }

  function listenersAt(r: Records): readonly Entry[] {
    const spot = spotOf(r)
    return spot < 0 ? none : inSpot[spot]!
  }

  function drop(entry: Entry): void {
    byId.delete(entry.id)
    const others = inSpot[entry.spot]!.filter((each) => each !== entry)
    inSpot[entry.spot] = others
    if (others.length === 0) spots.drop(entry.spot)
  }

  function add(r: Records): MadeListener {
    const { bytes, u32, offset } = r
    const at = (offset >>> 2) + ConnWord.local
    const address = u32.slice(at, at + 4)
    const cgroup = (offset >>> 2) + ConnWord.cgroupId
    const known = spotOf(r)
    const spot = known >= 0 ? known : spots.enter()
    const entry: Entry = {
      ...{ id: Conn.id(r), maker: Conn.cgroupId(r), owner: 'unasked', before: undefined, told: undefined },
      ...{ spot, family: Conn.family(r), address, isWildcard: address.every((word) => word === 0) },
      ...{ makerWords: [u32[cgroup]!, u32[cgroup + 1]!], closedMs: undefined, seen: walk },
      record: createRecords(bytes.slice(offset, offset + ConnLayout.size)),
    }
    byId.set(entry.id, entry)
    if (known >= 0) inSpot[spot]!.push(entry)
    else inSpot[spot] = [entry]
    return entry
  }

  /** How well a listener fits a connection, as the kernel chooses; 0: not at all. One that is closed fits last. */
  function fit({ makerWords, family, address, isWildcard, closedMs }: Entry, r: Records): number {
    const { u32, offset } = r
    const cgroup = (offset >>> 2) + ConnWord.cgroupId
    if (makerWords[0] !== u32[cgroup] || makerWords[1] !== u32[cgroup + 1]) return 0
    const isSameFamily = family === Conn.family(r)
    const isExact = isSameFamily && isAt(address, u32, (offset >>> 2) + ConnWord.local)
    // An IPv6 listener takes IPv4 connections too, where no other does.
    const rank = isExact ? 3 : isWildcard && isSameFamily ? 2 : isWildcard && family === 6 ? 1 : 0
    return rank > 0 && closedMs === undefined ? rank + 3 : rank
  }

  /** Whose a connection is by the listener that it came through, or by all that fit it equally well. */
  function ownerBy(r: Records): Owner | 'unasked' {
    const here = listenersAt(r)
    let best = 0
    let owner: Owner | 'unasked' = 'nobody'
    for (let i = 0; i < here.length; i++) {
      const listener = here[i]!
      const fits = fit(listener, r)
      if (fits === 0 || fits < best) continue
      if (fits > best || listener.owner === 'unasked') owner = listener.owner
      else if (owner !== 'unasked' && owner !== listener.owner) owner = 'several'
      best = fits
    }
    return owner
  }

  /** Of one that ended: a service that has ended too accepted it, as long as nobody has come after that. */
  function ownerBefore(r: Records, nowMs: number): bigint | undefined {
    let best = 0
    let owner: bigint | undefined
    for (const listener of listenersAt(r)) {
      const fits = fit(listener, r)
      if (fits === 0 || fits < best) continue
      if (fits > best) owner = undefined
      best = fits
      const { before } = listener
      if (listener.owner === 'nobody' && before !== undefined && before.untilMs > nowMs) owner = before.owner
    }
    return owner
  }

  return {
    add,
    ownerBy,
    ownerBefore,
    get: (id: number): MadeListener | undefined => byId.get(id),
    /** A walk showed it. */
    see(id: number): void {
      byId.get(id)!.seen = walk
    },
    close(id: number, nowMs: number): void {
      const entry = byId.get(id)
      if (entry) entry.closedMs = nowMs
    },
    /** Of a cgroup that is gone: they are to be asked for again. */
    ownerGone(owner: bigint, nowMs: number): void {
      for (const entry of byId.values()) {
        if (entry.owner !== owner) continue
        entry.before = { owner, untilMs: nowMs + LINGER_MS }
        entry.owner = 'unasked'
      }
    },
    /** Those that are there and whose owner is open; `all`: those that were handed over too. */
    toAsk(all: boolean): MadeListener[] {
      const open = [...byId.values()].filter(({ closedMs }) => closedMs === undefined)
      return open.filter(({ owner }) => owner !== 'maker' && (all || typeof owner !== 'bigint'))
    },
    hasUnasked(): boolean {
      for (const { owner, closedMs } of byId.values()) if (owner === 'unasked' && closedMs === undefined) return true
      return false
    },
    /** After a walk: forgets those that are gone. */
    endWalk(nowMs: number): void {
      walk++
      for (const entry of byId.values()) {
        const { closedMs, seen } = entry
        if (closedMs === undefined ? seen + WALKS_MISSED < walk : closedMs + LINGER_MS < nowMs) drop(entry)
      }
    },
    get size() {
      return byId.size
    },
  }
}

function isAt(address: Uint32Array, u32: Uint32Array, word: number): boolean {
  for (let i = 0; i < address.length; i++) if (address[i] !== u32[word + i]) return false
  return true
}
