import { Conn, type Records } from '../kernel/decode.ts'
import { Direction, Flag, Kind } from '../kernel/layout.gen.ts'
import { Inbound, Outbound } from '../metrics/metrics.gen.ts'
import type { LinkRef, Store } from '../metrics/types.ts'
import { createIdMap } from './id-map.ts'
import type { Links } from './links.ts'
import { breakageColumn, failureColumn } from './outcome.ts'
import type { Connections } from './types.ts'

const TCP_ESTABLISHED = 1
const TCP_CLOSE_WAIT = 8

/** What is known of a slot. */
const COUNTED = 1 // its handshake is in successful_connects, or is not to be
const ACTIVE = 2
const SYNACK = 4
const LISTENER = 8

export interface ConnectionsOptions {
  readonly store: Store
  readonly links: Links
  /** Whether listening sockets are told to the store (container.net.tcp.listen). */
  readonly listeners: boolean
}

/**
 * Every record carries totals of its connection, so what is counted is the rise since its last record. A record of an
 * unknown connection makes it known, whatever its kind: the opening may have been lost.
 */
export function createConnections({ store, links, listeners }: ConnectionsOptions): Connections {
  const slots = createIdMap()
  let capacity = 1024
  let ids = new Float64Array(capacity)
  let entries = new Int32Array(capacity)
  let flags = new Uint8Array(capacity)
  let walkOf = new Uint32Array(capacity)
  let bytesSent = new Float64Array(capacity)
  let bytesReceived = new Float64Array(capacity)
  let segments = new Uint32Array(capacity)
  let retransData = new Uint32Array(capacity)
  let retransHandshake = new Uint32Array(capacity)
  let used = 0
  const free: number[] = []
  let nowMs = 0
  let walk = 1
  let endsLostBefore = 0
  let reconciled = 0
  let unknownEnds = 0
  let pendingWalks = 0

  function grow() {
    capacity *= 2
    const f64 = (old: Float64Array) => {
      const array = new Float64Array(capacity)
      array.set(old)
      return array
    }
    const u32 = (old: Uint32Array) => {
      const array = new Uint32Array(capacity)
      array.set(old)
      return array
    }
    ids = f64(ids)
    bytesSent = f64(bytesSent)
    bytesReceived = f64(bytesReceived)
    walkOf = u32(walkOf)
    segments = u32(segments)
    retransData = u32(retransData)
    retransHandshake = u32(retransHandshake)
    const longerEntries = new Int32Array(capacity)
    longerEntries.set(entries)
    entries = longerEntries
    const longerFlags = new Uint8Array(capacity)
    longerFlags.set(flags)
    flags = longerFlags
  }

  function begin(r: Records, id: number): number {
    const entry = links.retain(r, nowMs)
    const slot = free.pop() ?? used++
    if (slot >= capacity) grow()
    slots.add(id, slot)
    ids[slot] = id
    entries[slot] = entry
    flags[slot] = Conn.direction(r) === Direction.listener ? LISTENER : 0
    bytesSent[slot] = 0
    bytesReceived[slot] = 0
    segments[slot] = 0
    retransData[slot] = 0
    retransHandshake[slot] = 0
    return slot
  }

  function finish(slot: number) {
    const entry = entries[slot]!
    if (flags[slot]! & ACTIVE) links.addActive(entry, -1)
    links.release(entry)
    slots.delete(ids[slot]!)
    ids[slot] = 0
    free.push(slot)
  }

  function succeed(r: Records, slot: number, link: LinkRef, outbound: boolean) {
    flags[slot]! |= COUNTED
    if (Conn.flags(r) & Flag.existing) return
    if (!outbound) return store.add(link, Inbound.successfulConnects, 1)
    store.add(link, Outbound.successfulConnects, 1)
    store.add(link, Outbound.connectionTime, Conn.connectNs(r) / 1e9)
  }

  function addRises(r: Records, slot: number, link: LinkRef, columns: typeof Outbound | typeof Inbound) {
    const sent = Conn.bytesSent(r)
    if (sent > bytesSent[slot]!) {
      store.add(link, columns.bytesSent, sent - bytesSent[slot]!)
      bytesSent[slot] = sent
    }
    const received = Conn.bytesReceived(r)
    if (received > bytesReceived[slot]!) {
      store.add(link, columns.bytesReceived, received - bytesReceived[slot]!)
      bytesReceived[slot] = received
    }
    const sentSegments = Conn.segmentsSent(r)
    if (sentSegments > segments[slot]!) {
      store.add(link, columns.segmentsSent, sentSegments - segments[slot]!)
      segments[slot] = sentSegments
    }
    const data = Conn.retransData(r)
    if (data > retransData[slot]!) {
      store.add(link, columns.retransmitsData, data - retransData[slot]!)
      retransData[slot] = data
    }
    const handshake = Conn.retransHandshake(r)
    if (handshake > retransHandshake[slot]!) {
      store.add(link, columns.retransmitsHandshake, handshake - retransHandshake[slot]!)
      retransHandshake[slot] = handshake
    }
  }

  function setActive(slot: number, is: boolean) {
    const was = (flags[slot]! & ACTIVE) !== 0
    if (was === is) return
    flags[slot]! ^= ACTIVE
    links.addActive(entries[slot]!, is ? 1 : -1)
  }

  function apply(r: Records, kind: number) {
    if (!listeners && Conn.direction(r) === Direction.listener) return
    const id = Conn.id(r)
    const ends = kind === Kind.end || kind === Kind.fail
    const state = Conn.flags(r)
    let slot = slots.get(id)
    if (slot < 0) {
      if (ends && state & (Flag.existing | Flag.openReported)) {
        unknownEnds++
        return
      }
      slot = begin(r, id)
    }
    walkOf[slot] = walk
    if (flags[slot]! & LISTENER) {
      if (ends) finish(slot)
      return
    }
    if (kind === Kind.synack) flags[slot]! |= SYNACK
    const link = links.linkOf(entries[slot]!)
    const outbound = Conn.direction(r) === Direction.outbound
    const columns = outbound ? Outbound : Inbound
    // A walk may show a connection whose opening is still in the ring: that record counts it.
    const opening = kind === Kind.open || ends || !(state & Flag.openReported)
    if (state & Flag.established && !(flags[slot]! & COUNTED) && opening) succeed(r, slot, link, outbound)
    addRises(r, slot, link, columns)
    if (kind === Kind.fail) store.add(link, failureColumn(Conn.error(r), state), 1)
    else if (state & Flag.broken) store.add(link, breakageColumn(Conn.error(r), columns), 1)
    if (state & Flag.established) {
      const tcp = Conn.state(r)
      setActive(slot, tcp === TCP_ESTABLISHED || tcp === TCP_CLOSE_WAIT)
      // Of short connections the walk sees none: their ends tell.
      const srttUs = kind === Kind.sample || kind === Kind.end ? Conn.srttUs(r) : 0
      if (srttUs > 0) store.addRtt(link, srttUs / 1e6)
    }
    if (ends) finish(slot)
  }

  /** Connections that two walks did not show, after ends were lost for good. One walk is not enough: it isn't atomic. */
  function reconcile() {
    for (let slot = 0; slot < used; slot++) {
      if (ids[slot] === 0 || flags[slot]! & SYNACK || walkOf[slot]! + 2 > walk) continue
      finish(slot)
      reconciled++
    }
  }

  function endWalk(endsLost: number) {
    const lost = endsLost > endsLostBefore
    if (lost) pendingWalks = 3
    endsLostBefore = endsLost
    if (pendingWalks > 0) {
      pendingWalks--
      reconcile()
    }
    // The kernel forgets them when idle. As with connections one walk is not enough: seen again they would count again.
    for (let slot = 0; slot < used; slot++)
      if (flags[slot]! & SYNACK && ids[slot] !== 0 && walkOf[slot]! + 2 <= walk) finish(slot)
    walk++
  }
  return {
    beginBatch(now) {
      nowMs = now
    },
    apply,
    endWalk,
    endCycle() {
      store.resetRtt()
      links.sweep(Date.now())
    },
    stats: () => ({ tracked: slots.size, reconciled, unknownEnds }),
  }
}
