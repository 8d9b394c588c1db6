import { reasonOf } from '../../../errors.ts'
import type { Containers } from '../containers/types.ts'
import { Conn, ConnWord, kindOf, type Records } from '../kernel/decode.ts'
import { ConnLayout, Direction, Flag, Kind } from '../kernel/layout.gen.ts'
import { createHeldRecords } from './held-records.ts'
import { createMadeListeners, type MadeListener, type Owner } from './made-listeners.ts'
import { createMakers } from './makers.ts'
import type { Connections } from './types.ts'

/** Looks for who holds these sockets (`Conn.id`): each holder is a record Kind.holder before it resolves. */
export type LookForHolders = (ids: Float64Array) => Promise<unknown>

export interface ActivationOptions {
  readonly containers: Pick<Containers, 'byCgroup' | 'makerOf' | 'onResolved'>
  readonly connections: Pick<Connections, 'apply' | 'applyEnds' | 'applyAnew' | 'beginBatch' | 'totalsOf'>
  readonly report: (status: 'ok' | 'down', detail?: string) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

/**
 * Socket activation. A listener that init (or another service manager) made for a service carries the maker's cgroup,
 * and so do its connections: whose they are is told by who holds the listener, or else the connection. Their records
 * wait for that here, at most until the cycle is collected; all others pass.
 */
export interface Activation {
  /** One record of struct nv_conn, any kind but Kind.ends. */
  take(records: Records, kind: number): void
  /** One of Kind.ends. False: nothing was told, and each that it was made of is to be taken. */
  takeEnds(records: Records): boolean
  /** Without it, as at first, everything passes. */
  use(holders: LookForHolders | undefined): void
  cgroupRemoved(id: bigint): void
  /**
   * After a walk (or a snapshot), before what follows from it is collected: no record waits from here on, but for
   * connections that nobody has accepted yet. `last`: nor do these.
   */
  settle(last?: boolean): Promise<void>
  /** What waits is told at once. */
  close(): void
}

/** Records that wait at most; 1.8 MB. */
const HELD_MAX = 16_384
/** @see NV_WANTED_MAX in bpf/events.h */
const ASKED_MAX = 4_096
/** Before the end of a cycle it is looked so soon: whoever is started by a connection has its sockets by then, mostly. */
const LOOK_AFTER_MS = 50
/** Between two such looks: at least so long, and so many times what one takes. */
const PAUSE_MS = 1_000
const PAUSE_FACTOR = 100
/** How long a connection waits for somebody to accept it: a service that it has started may take so long to come up. */
const PATIENCE_MS = 30_000
/** Between two looks at what is known, or was left to its maker: a listener may pass from one to another. */
const VERIFY_MS = 60_000

export function createActivation(options: ActivationOptions): Activation {
  const { containers, connections, report, now = () => performance.now() } = options
  // Taken out once: most records pass.
  const { apply } = connections
  const makers = createMakers(containers)
  const listeners = createMadeListeners()
  const held = createHeldRecords(HELD_MAX)
  /** Live connections that are another's than their maker's: whose. */
  const owners = new Map<number, bigint>()
  /** The same, since the last look, not told yet. */
  const found = new Map<number, bigint>()
  /** Connections that nobody holds but the manager: since when. */
  const waiting = new Map<number, number>()
  /** Live ones that were left to their maker: to whom. */
  const left = new Map<number, bigint>()
  /** By socket, during a look: cgroups of its holders. */
  const holdersOf = new Map<number, Set<bigint>>()
  let holders: LookForHolders | undefined
  let isReady = false
  let looking: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let nextLookMs = 0
  let nextVerifyMs = 0

  function take(r: Records, kind: number) {
    const direction = r.bytes[r.offset + ConnLayout.direction]!
    if (direction === Direction.outbound || holders === undefined) apply(r, kind)
    else if (kind === Kind.holder) onHolder(r)
    else if (!makers.has(r)) apply(r, kind)
    else if (direction === Direction.listener) takeListener(r, kind)
    else takeConnection(r, kind, 'arrived')
  }

  function takeEnds(r: Records): boolean {
    const passes = Conn.direction(r) === Direction.outbound || holders === undefined || !makers.has(r)
    if (passes) return connections.applyEnds(r)
    const owner = listeners.ownerBy(r)
    if (typeof owner === 'bigint') own(r, owner)
    else if (owner !== 'maker') return false
    return connections.applyEnds(r)
  }

  /** Not told before it was looked for who has it. */
  function takeListener(r: Records, kind: number) {
    const id = Conn.id(r)
    if (kind === Kind.end) {
      const ended = listeners.get(id)
      listeners.close(id, now())
      if (ended === undefined || ended.told !== undefined) apply(r, kind)
      return
    }
    const listener = listeners.get(id) ?? listeners.add(r)
    listeners.see(id)
    if (listener.owner === 'unasked') lookSoon()
    else tellListener(listener, r, kind)
  }

  function tellListener(listener: MadeListener, r: Records, kind: number) {
    const owner = typeof listener.owner === 'bigint' ? listener.owner : listener.maker
    const isAnew = listener.told !== owner
    listener.told = owner
    own(r, owner)
    if (isAnew) connections.applyAnew(r, kind)
    else apply(r, kind)
  }

  /** `looked`: it has waited for a look, which told what there is to know; `last`: it can't wait for another. */
  function takeConnection(r: Records, kind: number, when: 'arrived' | 'looked' | 'last') {
    const id = Conn.id(r)
    const ends = kind === Kind.end || kind === Kind.fail
    const known = owners.size > 0 ? owners.get(id) : undefined
    if (known !== undefined) {
      if (ends) owners.delete(id)
      own(r, known)
      return apply(r, kind)
    }
    const owner = listeners.ownerBy(r)
    if (owner === 'maker') return apply(r, kind)
    if (typeof owner === 'bigint') return give(r, kind, id, owner)
    const seen = found.get(id)
    if (seen !== undefined) return give(r, kind, id, seen)
    const isTold = connections.totalsOf(id) !== undefined
    // Until it is ready its listener may not have been shown yet.
    const isOpen = owner === 'unasked' || (when === 'arrived' && !(isReady && isTold))
    if (isOpen && when !== 'last') return hold(r, kind)
    const before = ends ? listeners.ownerBefore(r, now()) : undefined
    if (before !== undefined) return give(r, kind, id, before)
    const sinceMs = waiting.get(id) ?? now()
    const mayWait = !ends && !isTold && kind !== Kind.synack && !(Conn.flags(r) & Flag.existing)
    // The next walk shows it again, with what this record tells.
    if (mayWait && when === 'looked' && now() - sinceMs < PATIENCE_MS) return void waiting.set(id, sinceMs)
    waiting.delete(id)
    if (ends) left.delete(id)
    else left.set(id, Conn.cgroupId(r))
    apply(r, kind)
  }

  function give(r: Records, kind: number, id: number, owner: bigint): void {
    if (kind !== Kind.end && kind !== Kind.fail) owners.set(id, owner)
    found.delete(id)
    waiting.delete(id)
    left.delete(id)
    own(r, owner)
    connections.applyAnew(r, kind)
  }

  /** The record says so from here on. */
  function own({ u32, offset }: Records, owner: bigint): void {
    const cgroup = (offset >>> 2) + ConnWord.cgroupId
    u32[cgroup] = Number(owner & 0xffff_ffffn)
    u32[cgroup + 1] = Number(owner >> 32n)
  }

  function hold(r: Records, kind: number): void {
    if (held.add(r)) lookSoon()
    // Nothing comes after these; all others a walk brings again.
    else if (kind === Kind.end || kind === Kind.fail || kind === Kind.synack) apply(r, kind)
  }

  function lookSoon(): void {
    if (!isReady || timer !== undefined || looking !== undefined) return
    const lookAndReport = () => look(false, 'looked').catch((error) => report('down', reasonOf(error)))
    timer = setTimeout(lookAndReport, Math.max(LOOK_AFTER_MS, nextLookMs - now())).unref()
  }

  function look(all: boolean, when: 'looked' | 'last'): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    looking = askAndTell(all, when).finally(() => {
      looking = undefined
      if (held.size > 0 || listeners.hasUnasked()) lookSoon()
    })
    return looking
  }

  async function askAndTell(all: boolean, when: 'looked' | 'last'): Promise<void> {
    const began = now()
    const asked = listeners.toAsk(all).slice(0, ASKED_MAX)
    const ids = connectionsToAsk(all)
    const sockets = [...asked.map(({ id }) => id), ...ids.keys()].slice(0, ASKED_MAX)
    holdersOf.clear()
    try {
      if (sockets.length > 0) await holders?.(Float64Array.from(sockets))
    } catch (error) {
      if (holders === undefined) return
      report('down', `connections that services were handed are counted for who made them: ${reasonOf(error)}`)
      tellHeld('last')
      return tellListeners(asked)
    }
    if (holders === undefined) return
    report('ok')
    nextLookMs = now() + Math.max(PAUSE_MS, (now() - began) * PAUSE_FACTOR)
    for (const listener of asked) listener.owner = ownerOf(listener.id, listener.maker)
    for (const [id, maker] of ids) {
      const owner = ownerOf(id, maker)
      if (typeof owner === 'bigint' || owner === 'maker') found.set(id, owner === 'maker' ? maker : owner)
    }
    tellHeld(when)
    tellListeners(asked)
  }

  function tellListeners(of: readonly MadeListener[]): void {
    for (const listener of of) if (listener.closedMs === undefined) tellListener(listener, listener.record, Kind.sample)
  }

  /** With their makers: what is held and has not ended, and `all` that were left to their maker. */
  function connectionsToAsk(all: boolean): Map<number, bigint> {
    const ids = new Map(all ? left : [])
    held.each((r) => {
      const kind = kindOf(r)
      if (kind !== Kind.end && kind !== Kind.fail) ids.set(Conn.id(r), Conn.cgroupId(r))
    })
    return ids
  }

  function onHolder(r: Records): void {
    const id = Conn.id(r)
    const cgroups = holdersOf.get(id)
    if (cgroups) cgroups.add(Conn.cgroupId(r))
    else holdersOf.set(id, new Set([Conn.cgroupId(r)]))
  }

  /** By those that the last look found. */
  function ownerOf(id: number, maker: bigint): Owner {
    const cgroups = [...(holdersOf.get(id) ?? [])].filter((cgroup) => containers.makerOf(cgroup) !== 'manager')
    const [first] = cgroups.sort((a, b) => Number(a - b))
    if (first === undefined) return 'nobody'
    const { key } = containers.byCgroup(first)
    if (cgroups.some((cgroup) => containers.byCgroup(cgroup).key !== key)) return 'several'
    return key === containers.byCgroup(maker).key ? 'maker' : first
  }

  function tellHeld(when: 'looked' | 'last'): void {
    connections.beginBatch(Date.now())
    held.drain((r) => takeConnection(r, kindOf(r), when))
  }

  /** Whatever has ended meanwhile, its end lost. */
  function prune(): void {
    for (const map of [owners, left, found])
      for (const id of map.keys()) if (connections.totalsOf(id) === undefined) map.delete(id)
    for (const [id, sinceMs] of waiting) if (now() - sinceMs > PATIENCE_MS + VERIFY_MS) waiting.delete(id)
  }

  return {
    take,
    takeEnds,
    use(lookForHolders) {
      holders = lookForHolders
    },
    cgroupRemoved(id) {
      listeners.ownerGone(id, now())
      makers.forget(id)
    },
    async settle(last = false) {
      if (holders === undefined) return
      isReady = true
      await looking?.catch(() => {})
      listeners.endWalk(now())
      const isDue = now() >= nextVerifyMs && (left.size > 0 || listeners.toAsk(true).length > 0)
      if (isDue) nextVerifyMs = now() + VERIFY_MS
      if (held.size > 0 || isDue || listeners.hasUnasked()) await look(isDue, last ? 'last' : 'looked')
      if (isDue) prune()
    },
    close() {
      clearTimeout(timer)
      timer = undefined
      if (held.size > 0) tellHeld('last')
      holders = undefined
    },
  }
}
