import type { Containers } from '../containers/types.ts'
import { formatAddress } from '../destinations/address.ts'
import type { Answer, Answered } from '../destinations/translation.ts'
import type { Destinations } from '../destinations/types.ts'
import { Conn, ConnWord, type Records } from '../kernel/decode.ts'
import { ConnLayout, Direction } from '../kernel/layout.gen.ts'
import type { ContainerRef, LinkKind, LinkRef, Store } from '../metrics/types.ts'
import { createAnswers } from './answers.ts'
import { createCallers } from './callers.ts'
import { createEntryNames, type EntryEnds } from './entry-names.ts'
import { createKeyTable } from './key-table.ts'
import { createOwners } from './owners.ts'

/**
 * A key: cgroup id (2 words), netns, what the record is about (`packed`), address (4), the other end: who answers
 * (`answers`; 0: the address itself, as far as is known), or who calls (`callers`); where wanted the client's address (4).
 */
const WORDS = 9
const WORDS_WITH_CLIENT = 13
const NETNS = 2
const PACKED = 3
const ADDRESS = 4
const OTHER_END = 8
const CLIENT = 9
/** Bits of `packed`, above the port's 16. */
const DIRECTION = 16
const FAMILY = 20
const linkKinds: Record<number, LinkKind> = {
  [Direction.outbound]: 'outbound',
  [Direction.inbound]: 'inbound',
  [Direction.listener]: 'listen',
}
/** What `retain` gives for a connection of which is to be asked first who answers it. */
export const ASK_FIRST = -1
/** How long a destination counts as not translated: when that was said, and when nobody knew the connection. */
const SAME_MS = 60_000
const UNTRACKED_MS = 5_000
/** How long an entry without connections is kept at least, and a gone cgroup's container for late records. */
const IDLE_MS = 60_000

export interface LinksOptions {
  readonly store: Store
  readonly containers: Containers
  readonly destinations: Destinations
  /** Adds client.address to inbound links: one more link for each peer address. */
  readonly clientAddress: boolean
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
   * answer.
   */
  retain(records: Records, nowMs: number, answer?: Answer): number
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
  const wordsPerKey = clientAddress ? WORDS_WITH_CLIENT : WORDS
  const table = createKeyTable(wordsPerKey)
  // Taken out once: V8 keeps an object that has a getter as a dictionary, and looks a method of it up at each call.
  const { key, find, word } = table
  let linkRefs = new Int32Array(table.capacity)
  let users = new Int32Array(table.capacity)
  let active = new Int32Array(table.capacity)
  let uses = new Int32Array(table.capacity)
  let told = new Int32Array(table.capacity)
  let lastUsedMs = new Float64Array(table.capacity)
  let sameUntilMs = new Float64Array(table.capacity)
  const answers = createAnswers()
  const callers = createCallers(destinations)
  const dialled = new Uint32Array(4)
  const ends = {
    bytes: new Uint8Array(dialled.buffer),
    family: 4,
    port: 0,
    answered: undefined as Answered | undefined,
  }
  const names = createEntryNames({
    destinations,
    endsOf,
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
      eachOf(new Set([cgroup]), (entry) => (users[entry] === 0 ? forget(entry) : table.hide(entry))),
    onEnded: (ref) => observer?.containerEnded(ref),
  })
  let observer: OutboundObserver | undefined
  let translated = false

  function setKey(r: Records): void {
    const { u32, offset } = r
    const record = offset >>> 2
    const direction = Conn.direction(r)
    const family = Conn.family(r)
    const outbound = direction === Direction.outbound
    const inbound = direction === Direction.inbound
    const address = record + (outbound ? ConnWord.remote : ConnWord.local)
    key[0] = u32[record + ConnWord.cgroupId]!
    key[1] = u32[record + ConnWord.cgroupId + 1]!
    key[NETNS] = u32[record + ConnWord.netns]!
    const port = outbound ? Conn.remotePort(r) : Conn.localPort(r)
    key[PACKED] = port | (direction << DIRECTION) | (family << FAMILY)
    for (let i = 0; i < 4; i++) key[ADDRESS + i] = u32[address + i]!
    key[OTHER_END] = inbound ? callers.numberOf(r, offset + ConnLayout.remote, family) : 0
    if (!clientAddress) return
    for (let i = 0; i < 4; i++) key[CLIENT + i] = inbound ? u32[record + ConnWord.remote + i]! : 0
  }

  const cgroupOf = (entry: number) => (BigInt(word(entry, 1)) << 32n) | BigInt(word(entry, 0))
  const familyOf = (entry: number) => ((word(entry, PACKED) >>> FAMILY) & 0xf) as 4 | 6
  const directionOf = (entry: number) => (word(entry, PACKED) >>> DIRECTION) & 0xf
  const othersOf = (entry: number) => (directionOf(entry) === Direction.outbound ? answers : callers)

  /** Valid until it is asked again. */
  function endsOf(entry: number): EntryEnds | undefined {
    if (directionOf(entry) !== Direction.outbound) return undefined
    for (let i = 0; i < 4; i++) dialled[i] = word(entry, ADDRESS + i)
    ends.family = familyOf(entry)
    ends.port = word(entry, PACKED) & 0xffff
    ends.answered = answers.at(word(entry, OTHER_END))
    return ends as EntryEnds
  }

  /** Retained once by the store, for the entry itself. */
  function openLink(entry: number, nowMs: number): LinkRef {
    const cgroup = cgroupOf(entry)
    const ref = owners.refOf(cgroup, nowMs)
    const words = Uint32Array.from({ length: wordsPerKey }, (_, i) => word(entry, i))
    const number = words[OTHER_END]!
    // Numbers are used again.
    words[OTHER_END] = 0
    const direction = directionOf(entry)
    const family = familyOf(entry)
    // Without cgroup and namespace: a container's nested cgroups share its links.
    // What a container does of which no series are wanted is one link of each kind.
    if (containers.byCgroup(cgroup).excluded) return store.link(ref, linkKinds[direction]!, '', () => ({}), nowMs)
    const outbound = direction === Direction.outbound
    const reached = outbound ? names.of(entry) : undefined
    const other = othersOf(entry).nameOf(number) + (reached?.key ?? '')
    const name = String.fromCharCode(...new Uint16Array(words.buffer, PACKED * 4)) + other
    const bytes = new Uint8Array(words.buffer)
    const at = ADDRESS * 4
    const attributes = () => {
      const port = words[PACKED]! & 0xffff
      if (reached) return destinations.outbound(bytes, at, family, port, answers.at(number), reached)
      const client = clientAddress ? formatAddress(bytes, CLIENT * 4, family) : undefined
      return destinations.inbound(bytes, at, family, port, callers.at(number), client)
    }
    return store.link(ref, linkKinds[direction]!, name, attributes, nowMs)
  }

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
      const until = new Float64Array(capacity)
      until.set(sameUntilMs)
      sameUntilMs = until
    }
    users[entry] = 0
    active[entry] = 0
    uses[entry] = 0
    sameUntilMs[entry] = 0
    othersOf(entry).retain(word(entry, OTHER_END))
    names.enter(entry, nowMs)
    linkRefs[entry] = openLink(entry, nowMs)
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
    const words = Uint32Array.from({ length: 4 }, (_, i) => word(entry, ADDRESS + i))
    const answered = answers.at(word(entry, OTHER_END))
    observer.entered({
      entry,
      container,
      containerKey,
      netns: word(entry, NETNS),
      family: familyOf(entry),
      address: answered?.address ?? new Uint8Array(words.buffer),
      local,
    })
  }

  /** Its connections, and what they do from now on, move to the link that is right. */
  function relink(entry: number, nowMs: number) {
    const old = linkRefs[entry]!
    const link = openLink(entry, nowMs)
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

  function forget(entry: number) {
    observer?.forgotten(entry)
    store.release(linkRefs[entry]!)
    othersOf(entry).release(word(entry, OTHER_END))
    table.drop(entry)
  }

  /** Entries of these cgroups. Most belong to others, which half an id tells without making a bigint. */
  function eachOf(cgroups: ReadonlySet<bigint>, take: (entry: number) => void) {
    const halves = new Set([...cgroups].map((id) => Number(id & 0xffff_ffffn)))
    table.each((entry) => {
      if (halves.has(word(entry, 0)) && cgroups.has(cgroupOf(entry))) take(entry)
    })
  }

  return {
    retain(records, nowMs, answer) {
      setKey(records)
      let entry = find()
      if (translated && Conn.direction(records) === Direction.outbound) {
        if (answer === undefined && !(entry >= 0 && sameUntilMs[entry]! > nowMs)) return ASK_FIRST
        if (typeof answer === 'object') {
          key[OTHER_END] = answers.numberOf(answer)
          entry = find()
        }
      }
      if (entry < 0) entry = enter(nowMs)
      if (answer === 'same') sameUntilMs[entry] = nowMs + SAME_MS
      else if (answer === 'untracked') sameUntilMs[entry] = nowMs + UNTRACKED_MS
      store.retain(linkRefs[entry]!, nowMs)
      users[entry]!++
      uses[entry]!++
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
      if (users[entry] === 0 && directionOf(entry) === Direction.listener) forget(entry)
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
        forget(entry)
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
