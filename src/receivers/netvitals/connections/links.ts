import type { Containers } from '../containers/types.ts'
import type { Answer } from '../destinations/translation.ts'
import type { Destinations } from '../destinations/types.ts'
import { Conn, type Records } from '../kernel/decode.ts'
import { ConnLayout, Direction } from '../kernel/layout.gen.ts'
import type { ContainerRef, LinkRef, Store } from '../metrics/types.ts'
import { createEntries } from './entries.ts'
import { createEntryLinks } from './entry-links.ts'
import { createEntryNames } from './entry-names.ts'
import { createOwners } from './owners.ts'
import type { PortFoldsOptions } from './port-folds.ts'
import { createUntranslated } from './untranslated.ts'

/** What `retain` gives for a connection of which is to be asked first who answers it. */
export const ASK_FIRST = -1
/** How long an entry without connections is kept at least, and a gone cgroup's container for late records. */
const IDLE_MS = 60_000
const PORT_IDLE_MS = 600_000

export interface LinksOptions {
  readonly store: Store
  readonly containers: Containers
  readonly destinations: Destinations
  /** Adds client.address to inbound links: one more link for each peer address. */
  readonly clientAddress: boolean
  /** Which ports are told without their number; none when absent. */
  readonly ports?: Pick<PortFoldsOptions, 'from' | 'keep'> | undefined
  /** How long a port without connections is told by number before another may be, milliseconds; ten minutes when absent. */
  readonly portIdleMs?: number
  /** How long an entry without connections is kept for the next one, milliseconds; at least a minute. */
  readonly idleMs?: number
}

/**
 * Which link of the store a record belongs to. An entry is a link's key as the kernel has it, found by hash without an
 * allocation; containers and destinations are asked when an entry is new. Several entries may share a link: nested
 * cgroups of one container.
 */
export interface Links {
  /**
   * The entry of a record's connection: pair with `release`. ASK_FIRST: nothing was retained; call again with the
   * answer. `count`: for how many connections this one call stands.
   */
  retain(records: Records, nowMs: number, answer?: Answer, count?: number): number
  release(entry: number, nowMs: number): void
  /** The store's link that the entry writes to at present: it changes when its container becomes known late. */
  linkOf(entry: number): LinkRef
  addActive(entry: number, delta: number): void
  cgroupRemoved(id: bigint, nowMs: number): void
  /** Forgets what has been idle. */
  sweep(nowMs: number): void
  /** Whether outbound connections may be answered by others than they dial: `retain` then asks. Off at first. */
  translate(on: boolean): void
  /** Tells of outbound entries from here on. */
  observe(observer: OutboundObserver): void
  /** It has connections or attempts, or had some since. */
  isLive(entry: number, sinceMs: number): boolean
  /** Connections and attempts that it has now, and that began since the last `ageUses`, those before counting half. */
  usage(entry: number): number
  ageUses(): void
  /** The observer forgot it: told of again with its next connection. */
  retell(entry: number): void
  readonly size: number
}

/** An outbound entry as it was made: what a container dialled, and from which network namespace. */
export interface Dialled {
  readonly entry: number
  readonly container: ContainerRef
  /** Path of the container's cgroup; `host` for what is no container's. */
  readonly containerKey: string
  /** Inode of the network namespace. */
  readonly netns: number
  readonly family: 4 | 6
  /** What answers, as far as it is known: 16 bytes in network byte order, IPv4 in the first 4. */
  readonly address: Uint8Array
  /** The connection's own address; unknown where an entry moved to another container. */
  readonly local: Uint8Array | undefined
}

/** Whoever wants to know which destinations are alive or are tried. */
export interface OutboundObserver {
  entered(dialled: Dialled): void
  forgotten(entry: number): void
  /** None of its entries is told of any more. */
  containerEnded(container: ContainerRef): void
}

export function createLinks(options: LinksOptions): Links {
  const { store, containers, destinations, clientAddress } = options
  const idleMs = Math.max(options.idleMs ?? 0, IDLE_MS)
  const entries = createEntries(destinations, clientAddress)
  const { table, answers, setKey, cgroupOf, familyOf, directionOf, otherEndOf, othersOf, eachOf } = entries
  // Taken out once: V8 keeps an object that has a getter as a dictionary, and looks a method of it up at each call.
  const { find } = table
  let linkRefs = new Int32Array(table.capacity)
  let users = new Int32Array(table.capacity)
  let active = new Int32Array(table.capacity)
  let uses = new Int32Array(table.capacity)
  let told = new Int32Array(table.capacity)
  let lastUsedMs = new Float64Array(table.capacity)
  const untranslated = createUntranslated()
  const names = createEntryNames({
    destinations,
    endsOf: entries.endsOf,
    each: table.each,
    onCorrected: (entry) => relink(entry, Date.now()),
    onReplaced: table.hide,
  })
  const owners = createOwners({
    store,
    containers,
    onMoved: (cgroups, nowMs) => eachOf(cgroups, (entry) => move(entry, nowMs)),
    onDecided: (cgroups) => eachOf(cgroups, (entry) => tell(entry, undefined)),
    onReused: (cgroup) =>
      eachOf(new Set([cgroup]), (entry) => (users[entry] === 0 ? forget(entry, Date.now()) : table.hide(entry))),
    onEnded: (ref) => observer?.containerEnded(ref),
  })
  const { ports, portIdleMs = PORT_IDLE_MS } = options
  const entryLinks = createEntryLinks({
    ...{ entries, names, owners, store, containers, destinations },
    ports: ports && { ...ports, idleMs: portIdleMs },
  })
  let observer: OutboundObserver | undefined
  let translated = false

  function enter(nowMs: number): number {
    const entry = table.enter()
    if (table.capacity > linkRefs.length) {
      const { capacity } = table
      const longer = (old: Int32Array) => {
        const array = new Int32Array(capacity)
        array.set(old)
        return array
      }
      linkRefs = longer(linkRefs)
      users = longer(users)
      active = longer(active)
      uses = longer(uses)
      told = longer(told)
      const times = new Float64Array(capacity)
      times.set(lastUsedMs)
      lastUsedMs = times
    }
    users[entry] = 0
    active[entry] = 0
    uses[entry] = 0
    untranslated.enter(entry)
    othersOf(entry).retain(otherEndOf(entry))
    names.enter(entry, nowMs)
    entryLinks.enter(entry, nowMs)
    linkRefs[entry] = entryLinks.open(entry, nowMs)
    told[entry] = 0
    return entry
  }

  function tell(entry: number, local: Uint8Array | undefined) {
    told[entry] = 1
    if (!observer || directionOf(entry) !== Direction.outbound) return
    const cgroup = cgroupOf(entry)
    const container = owners.refOf(cgroup, Date.now())
    const { key: containerKey, excluded, undecided } = containers.byCgroup(cgroup)
    if (excluded || undecided) return
    // It ended, and this is a late record of it.
    if (!owners.isPresent(containerKey, container)) return
    observer.entered({
      entry,
      container,
      containerKey,
      netns: entries.netnsOf(entry),
      family: familyOf(entry),
      address: answers.at(otherEndOf(entry))?.address ?? entries.addressOf(entry),
      local,
    })
  }

  /** Its connections, and what they do from now on, move to the link that is right. */
  function relink(entry: number, nowMs: number) {
    const old = linkRefs[entry]!
    const link = entryLinks.open(entry, nowMs)
    linkRefs[entry] = link
    for (let i = users[entry]!; i > 0; i--) store.retain(link, nowMs)
    store.addActive(link, active[entry]!)
    store.addActive(old, -active[entry]!)
    for (let i = users[entry]!; i >= 0; i--) store.release(old)
  }

  /** To another container. */
  function move(entry: number, nowMs: number) {
    relink(entry, nowMs)
    observer?.forgotten(entry)
    tell(entry, undefined)
  }

  function forget(entry: number, nowMs: number) {
    observer?.forgotten(entry)
    store.release(linkRefs[entry]!)
    othersOf(entry).release(otherEndOf(entry))
    entryLinks.leave(entry, nowMs)
    table.drop(entry)
  }

  return {
    retain(records, nowMs, answer, count = 1) {
      setKey(records)
      let entry = find()
      if (translated && Conn.direction(records) === Direction.outbound) {
        if (answer === undefined && (entry < 0 || untranslated.mustAsk(entry, nowMs, count))) return ASK_FIRST
        if (typeof answer === 'object') {
          if (entry >= 0) untranslated.learn(entry, answer, nowMs)
          entries.setAnswer(answers.numberOf(answer))
          entry = find()
        }
      }
      if (entry < 0) entry = enter(nowMs)
      if (typeof answer === 'string') untranslated.learn(entry, answer, nowMs)
      store.retain(linkRefs[entry]!, nowMs)
      users[entry]!++
      uses[entry]! += count
      lastUsedMs[entry] = nowMs
      if (told[entry] === 0) {
        const local = records.offset + ConnLayout.local
        tell(entry, records.bytes.subarray(local, local + 16))
      }
      return entry
    },
    release(entry, nowMs) {
      users[entry]!--
      lastUsedMs[entry] = nowMs
      store.release(linkRefs[entry]!)
      // A listener's end is to be seen at once; another of the same address is rare.
      if (users[entry] === 0 && directionOf(entry) === Direction.listener) forget(entry, nowMs)
    },
    linkOf: (entry) => linkRefs[entry]!,
    addActive(entry, delta) {
      active[entry]! += delta
      store.addActive(linkRefs[entry]!, delta)
    },
    cgroupRemoved: owners.cgroupRemoved,
    sweep(nowMs) {
      const oldest = nowMs - idleMs
      table.each((entry) => {
        if (users[entry] !== 0 || lastUsedMs[entry]! > oldest) return
        forget(entry, nowMs)
      })
      owners.sweep(oldest)
    },
    translate(on) {
      translated = on
    },
    observe(another) {
      observer = another
    },
    isLive: (entry, sinceMs) => users[entry]! > 0 || lastUsedMs[entry]! >= sinceMs,
    usage: (entry) => users[entry]! + uses[entry]!,
    ageUses() {
      for (let entry = 0; entry < uses.length; entry++) uses[entry]! >>>= 1
    },
    retell(entry) {
      told[entry] = 0
    },
    get size() {
      return table.size
    },
  }
}
