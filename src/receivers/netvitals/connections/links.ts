import type { Container, Containers } from '../containers/types.ts'
import { formatAddress } from '../destinations/address.ts'
import type { Destinations, Scope } from '../destinations/types.ts'
import { Conn, ConnWord, type Records } from '../kernel/decode.ts'
import { ConnLayout, Direction } from '../kernel/layout.gen.ts'
import type { ContainerRef, LinkKind, LinkRef, Store } from '../metrics/types.ts'
import { createKeyTable } from './key-table.ts'

/** A key: cgroup id (2 words), direction and family and peer's scope, port, address (4), where wanted the client's (4). */
const WORDS = 8
const WORDS_WITH_CLIENT = 12
const ADDRESS = 4
const CLIENT = 8
const scopes: readonly Scope[] = ['node', 'cluster', 'private', 'external']
const linkKinds: Record<number, LinkKind> = {
  [Direction.outbound]: 'outbound',
  [Direction.inbound]: 'inbound',
  [Direction.listener]: 'listen',
}
/** How long an entry without connections is kept for the next one, and a gone cgroup's container for late records. */
const IDLE_MS = 60_000

export interface LinksOptions {
  readonly store: Store
  readonly containers: Containers
  readonly destinations: Destinations
  /** Adds client.address to inbound links: one more link for each peer address. */
  readonly clientAddress: boolean
}

/**
 * Which link of the store a record belongs to. An entry is a link's key as the kernel has it, found by hash without an
 * allocation; containers and destinations are asked when an entry is new. Several entries may share a link: nested
 * cgroups of one container.
 */
export interface Links {
  /** The entry of a record's connection: pair with `release`. */
  retain(records: Records, nowMs: number): number
  release(entry: number): void
  /** The store's link that the entry writes to at present: it changes when its container becomes known late. */
  linkOf(entry: number): LinkRef
  addActive(entry: number, delta: number): void
  cgroupRemoved(id: bigint, nowMs: number): void
  /** Forgets what has been idle. */
  sweep(nowMs: number): void
  readonly size: number
}

export function createLinks({ store, containers, destinations, clientAddress }: LinksOptions): Links {
  const wordsPerKey = clientAddress ? WORDS_WITH_CLIENT : WORDS
  const table = createKeyTable(wordsPerKey)
  // Taken out once: V8 keeps an object that has a getter as a dictionary, and looks a method of it up at each call.
  const { key, find, word } = table
  let linkRefs = new Int32Array(table.capacity)
  let users = new Int32Array(table.capacity)
  let active = new Int32Array(table.capacity)
  let lastUsedMs = new Float64Array(table.capacity)
  const refs = new Map<bigint, ContainerRef>()
  const refsByKey = new Map<string, ContainerRef>()
  const removed: { id: bigint; atMs: number }[] = []

  function setKey(r: Records): void {
    const { u32, bytes, offset } = r
    const record = offset >>> 2
    const direction = Conn.direction(r)
    const family = Conn.family(r)
    const outbound = direction === Direction.outbound
    const inbound = direction === Direction.inbound
    const address = record + (outbound ? ConnWord.remote : ConnWord.local)
    const scope = inbound ? scopes.indexOf(destinations.scope(bytes, offset + ConnLayout.remote, family)) : 0
    key[0] = u32[record + ConnWord.cgroupId]!
    key[1] = u32[record + ConnWord.cgroupId + 1]!
    key[2] = direction | (family << 8) | (scope << 16)
    key[3] = outbound ? Conn.remotePort(r) : Conn.localPort(r)
    for (let i = 0; i < 4; i++) key[ADDRESS + i] = u32[address + i]!
    if (!clientAddress) return
    for (let i = 0; i < 4; i++) key[CLIENT + i] = inbound ? u32[record + ConnWord.remote + i]! : 0
  }

  function containerRef(cgroup: bigint, container: Container): ContainerRef {
    const ref = store.container(container.key, container.attributes)
    refs.set(cgroup, ref)
    refsByKey.set(container.key, ref)
    return ref
  }

  const cgroupOf = (entry: number) => (BigInt(word(entry, 1)) << 32n) | BigInt(word(entry, 0))

  /** Retained once by the store, for the entry itself. */
  function openLink(entry: number, nowMs: number): LinkRef {
    const cgroup = cgroupOf(entry)
    const ref = refs.get(cgroup) ?? containerRef(cgroup, containers.byCgroup(cgroup))
    const words = Uint32Array.from({ length: wordsPerKey }, (_, i) => word(entry, i))
    const direction = words[2]! & 0xff
    const family = ((words[2]! >>> 8) & 0xff) as 4 | 6
    const scope = scopes[(words[2]! >>> 16) & 0xff]!
    // Without the cgroup: a container's nested cgroups share its links.
    const name = String.fromCharCode(...new Uint16Array(words.buffer, 8))
    const bytes = new Uint8Array(words.buffer)
    const at = ADDRESS * 4
    const attributes = () => {
      const port = words[3]!
      if (direction === Direction.outbound) return destinations.outbound(bytes, at, family, port)
      const client = clientAddress ? formatAddress(bytes, CLIENT * 4, family) : undefined
      const source = direction === Direction.inbound ? scope : undefined
      return destinations.inbound(bytes, at, family, port, source, client)
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
      const times = new Float64Array(capacity)
      times.set(lastUsedMs)
      lastUsedMs = times
    }
    users[entry] = 0
    active[entry] = 0
    linkRefs[entry] = openLink(entry, nowMs)
    return entry
  }

  /** Its connections, and what they do from now on, move to the link of the container that was found. */
  function move(entry: number, nowMs: number) {
    const old = linkRefs[entry]!
    const link = openLink(entry, nowMs)
    linkRefs[entry] = link
    for (let i = users[entry]!; i > 0; i--) store.retain(link, nowMs)
    store.addActive(link, active[entry]!)
    store.addActive(old, -active[entry]!)
    for (let i = users[entry]!; i >= 0; i--) store.release(old)
  }

  function forget(entry: number) {
    store.release(linkRefs[entry]!)
    table.drop(entry)
  }

  containers.onResolved((id, container) => {
    const nowMs = Date.now()
    containerRef(id, container)
    table.each((entry) => {
      if (cgroupOf(entry) === id) move(entry, nowMs)
    })
  })
  containers.onEnd((container) => {
    const ref = refsByKey.get(container.key)
    if (ref === undefined) return
    refsByKey.delete(container.key)
    store.endContainer(ref, Date.now())
  })

  return {
    retain(records, nowMs) {
      setKey(records)
      let entry = find()
      if (entry < 0) entry = enter(nowMs)
      store.retain(linkRefs[entry]!, nowMs)
      users[entry]!++
      lastUsedMs[entry] = nowMs
      return entry
    },
    release(entry) {
      users[entry]!--
      store.release(linkRefs[entry]!)
      // A listener's end is to be seen at once; another of the same address is rare.
      if (users[entry] === 0 && (word(entry, 2) & 0xff) === Direction.listener) forget(entry)
    },
    linkOf: (entry) => linkRefs[entry]!,
    addActive(entry, delta) {
      active[entry]! += delta
      store.addActive(linkRefs[entry]!, delta)
    },
    cgroupRemoved(id, nowMs) {
      removed.push({ id, atMs: nowMs })
    },
    sweep(nowMs) {
      const oldest = nowMs - IDLE_MS
      table.each((entry) => {
        if (users[entry] !== 0 || lastUsedMs[entry]! > oldest) return
        forget(entry)
      })
      while (removed.length > 0 && removed[0]!.atMs < oldest) refs.delete(removed.shift()!.id)
    },
    get size() {
      return table.size
    },
  }
}
