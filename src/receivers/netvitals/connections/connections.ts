import type { Answer, Translation } from '../destinations/translation.ts'
import { Conn, ConnWord, kindOf, type Records, u64At } from '../kernel/decode.ts'
import { ConnLayout, Direction, Flag, Kind } from '../kernel/layout.gen.ts'
import { Inbound, Outbound } from '../metrics/metrics.gen.ts'
import type { LinkRef, Store } from '../metrics/types.ts'
import { createIdMap } from './id-map.ts'
import { createJoinedEnds } from './joined-ends.ts'
import { ASK_FIRST, type Links } from './links.ts'
import { breakageColumn, failureColumn } from './outcome.ts'
import type { Connections, ConnectionTotals } from './types.ts'

const TCP_ESTABLISHED = 1
const TCP_CLOSE_WAIT = 8

/** What is known of a slot. */
const COUNTED = 1 // its handshake is in successful_connects, or is not to be
const ACTIVE = 2
const SYNACK = 4
const LISTENER = 8
const UNANSWERED = 16 // an attempt of which nobody knew who answers it

/**
 * A slot is 48 bytes that lie together, because a record touches most of them: three numbers of 64 bits, then six words.
 * ID is 0 while the slot is free; WALK is the last walk during which the connection was seen.
 */
const SLOT_NUMBERS = 6
const [ID, BYTES_SENT, BYTES_RECEIVED] = [0, 1, 2] as const
const SLOT_WORDS = SLOT_NUMBERS * 2
const [ENTRY, FLAGS, WALK, SEGMENTS, RETRANS_DATA, RETRANS_HANDSHAKE] = [6, 7, 8, 9, 10, 11] as const
/** The slot of a connection whose first record is its last, as most records are: it needs no place in the table. */
const PASSING = 0

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
  const joinedEnds = createJoinedEnds({ store, links })
  // Taken out once: V8 keeps an object that has a getter as a dictionary, and looks a method of it up at each call.
  const { get: slotOf, add: addSlot, delete: deleteSlot } = slots
  const { retain, release, linkOf, addActive } = links
  let capacity = 1024
  let numbers = new Float64Array(capacity * SLOT_NUMBERS)
  let words = new Uint32Array(numbers.buffer)
  let used = PASSING + 1
  const free: number[] = []
  let nowMs = 0
  let walk = 1
  let endsLostBefore = 0
  let reconciled = 0
  let unknownEnds = 0
  let pendingWalks = 0
  let translation: Pick<Translation, 'hold' | 'add'> | undefined
  let answering: Answer | undefined
  let heritage: Pick<Connections, 'totalsOf'> | undefined
  /** Of connections that are to be told anew: what was told of them elsewhere. */
  const moved = new Map<number, ConnectionTotals>()

  function grow() {
    capacity *= 2
    const longer = new Float64Array(capacity * SLOT_NUMBERS)
    longer.set(numbers)
    numbers = longer
    words = new Uint32Array(numbers.buffer)
  }

  function takeSlot(id: number): number {
    const slot = free.pop() ?? used++
    if (slot >= capacity) grow()
    addSlot(id, slot)
    numbers[slot * SLOT_NUMBERS + ID] = id
    return slot
  }

  function begin(r: Records, id: number, ends: boolean): number {
    const entry = retain(r, nowMs, answering)
    if (entry === ASK_FIRST) return ASK_FIRST
    const slot = ends ? PASSING : takeSlot(id)
    const number = slot * SLOT_NUMBERS
    numbers[number + BYTES_SENT] = 0
    numbers[number + BYTES_RECEIVED] = 0
    const word = slot * SLOT_WORDS
    words[word + ENTRY] = entry
    words[word + FLAGS] = Conn.direction(r) === Direction.listener ? LISTENER : 0
    if (answering === 'unknown' && !(Conn.flags(r) & Flag.established)) words[word + FLAGS]! |= UNANSWERED
    words[word + SEGMENTS] = 0
    words[word + RETRANS_DATA] = 0
    words[word + RETRANS_HANDSHAKE] = 0
    const told = toldElsewhere(id)
    if (told !== undefined) resume(slot, told)
    if (moved.size > 0) moved.delete(id)
    return slot
  }

  function resume(slot: number, told: ConnectionTotals) {
    const number = slot * SLOT_NUMBERS
    numbers[number + BYTES_SENT] = told.bytesSent
    numbers[number + BYTES_RECEIVED] = told.bytesReceived
    const word = slot * SLOT_WORDS
    words[word + FLAGS]! |= (told.counted ? COUNTED : 0) | (told.synack ? SYNACK : 0)
    words[word + SEGMENTS] = told.segmentsSent
    words[word + RETRANS_DATA] = told.retransData
    words[word + RETRANS_HANDSHAKE] = told.retransHandshake
  }

  function toldElsewhere(id: number): ConnectionTotals | undefined {
    return (moved.size > 0 ? moved.get(id) : undefined) ?? heritage?.totalsOf(id)
  }

  /** The connection's next record begins it anew, and tells what it did since. */
  function letGo(id: number, slot: number) {
    moved.set(id, totalsOf(id)!)
    finish(slot)
  }

  function totalsOf(id: number): ConnectionTotals | undefined {
    const slot = slotOf(id)
    if (slot < 0) return toldElsewhere(id)
    const number = slot * SLOT_NUMBERS
    const word = slot * SLOT_WORDS
    return {
      bytesSent: numbers[number + BYTES_SENT]!,
      bytesReceived: numbers[number + BYTES_RECEIVED]!,
      segmentsSent: words[word + SEGMENTS]!,
      retransData: words[word + RETRANS_DATA]!,
      retransHandshake: words[word + RETRANS_HANDSHAKE]!,
      counted: (words[word + FLAGS]! & COUNTED) !== 0,
      synack: (words[word + FLAGS]! & SYNACK) !== 0,
    }
  }

  function finish(slot: number) {
    const word = slot * SLOT_WORDS
    const entry = words[word + ENTRY]!
    if (words[word + FLAGS]! & ACTIVE) addActive(entry, -1)
    release(entry, nowMs)
    if (slot === PASSING) return
    deleteSlot(numbers[slot * SLOT_NUMBERS + ID]!)
    numbers[slot * SLOT_NUMBERS + ID] = 0
    free.push(slot)
  }

  function succeed(r: Records, link: LinkRef, outbound: boolean) {
    if (!outbound) return store.add(link, Inbound.successfulConnects, 1)
    store.add(link, Outbound.successfulConnects, 1)
    store.add(link, Outbound.connectionTime, Conn.connectNs(r) / 1e9)
  }

  function addRises({ u32, offset }: Records, slot: number, link: LinkRef, columns: typeof Outbound | typeof Inbound) {
    const at = offset >>> 2
    const number = slot * SLOT_NUMBERS
    const word = slot * SLOT_WORDS
    const bytesSent = u64At(u32, at + ConnWord.bytesSent)
    const sentBefore = numbers[number + BYTES_SENT]!
    if (bytesSent > sentBefore) {
      numbers[number + BYTES_SENT] = bytesSent
      store.add(link, columns.bytesSent, bytesSent - sentBefore)
    }
    const bytesReceived = u64At(u32, at + ConnWord.bytesReceived)
    const receivedBefore = numbers[number + BYTES_RECEIVED]!
    if (bytesReceived > receivedBefore) {
      numbers[number + BYTES_RECEIVED] = bytesReceived
      store.add(link, columns.bytesReceived, bytesReceived - receivedBefore)
    }
    const segments = u32[at + ConnWord.segmentsSent]!
    const segmentsBefore = words[word + SEGMENTS]!
    if (segments > segmentsBefore) {
      words[word + SEGMENTS] = segments
      store.add(link, columns.segmentsSent, segments - segmentsBefore)
    }
    const data = u32[at + ConnWord.retransData]!
    const dataBefore = words[word + RETRANS_DATA]!
    if (data > dataBefore) {
      words[word + RETRANS_DATA] = data
      store.add(link, columns.retransmitsData, data - dataBefore)
    }
    const handshake = u32[at + ConnWord.retransHandshake]!
    const handshakeBefore = words[word + RETRANS_HANDSHAKE]!
    if (handshake > handshakeBefore) {
      words[word + RETRANS_HANDSHAKE] = handshake
      store.add(link, columns.retransmitsHandshake, handshake - handshakeBefore)
    }
  }

  function apply(r: Records, kind: number) {
    const { u32, bytes, offset } = r
    const direction = bytes[offset + ConnLayout.direction]!
    if (!listeners && direction === Direction.listener) return
    const id = u64At(u32, (offset >>> 2) + ConnWord.id)
    const ends = kind === Kind.end || kind === Kind.fail
    const state = bytes[offset + ConnLayout.flags]!
    let slot = slotOf(id)
    // Nobody knew the attempt; now that it is a connection, somebody may.
    if (slot >= 0 && state & Flag.established && words[slot * SLOT_WORDS + FLAGS]! & UNANSWERED) {
      letGo(id, slot)
      slot = -1
    }
    if (slot < 0) {
      if (translation !== undefined && answering === undefined && translation.add(id, r)) return
      const unknown = state & Flag.existing || direction === Direction.listener
      if (ends && unknown && toldElsewhere(id) === undefined) {
        unknownEnds++
        return
      }
      slot = begin(r, id, ends)
      if (slot === ASK_FIRST) {
        translation!.hold(r)
        return
      }
    }
    const word = slot * SLOT_WORDS
    words[word + WALK] = walk
    let known = words[word + FLAGS]!
    if (known & LISTENER) {
      if (ends) finish(slot)
      return
    }
    if (kind === Kind.synack) known |= SYNACK
    const entry = words[word + ENTRY]!
    const link = linkOf(entry)
    const outbound = direction === Direction.outbound
    const columns = outbound ? Outbound : Inbound
    if (state & Flag.established && !(known & COUNTED)) {
      known |= COUNTED
      if (!(state & Flag.existing)) succeed(r, link, outbound)
    }
    addRises(r, slot, link, columns)
    if (kind === Kind.fail) store.add(link, failureColumn(Conn.error(r), state), 1)
    else if (state & Flag.broken) store.add(link, breakageColumn(Conn.error(r), columns), 1)
    if (state & Flag.established) {
      const tcp = bytes[offset + ConnLayout.state]!
      const active = tcp === TCP_ESTABLISHED || tcp === TCP_CLOSE_WAIT
      if (active !== ((known & ACTIVE) !== 0)) {
        known ^= ACTIVE
        addActive(entry, active ? 1 : -1)
      }
      // Of short connections the walk sees none: their ends tell.
      const srttUs = kind === Kind.sample || kind === Kind.end ? u32[(offset >>> 2) + ConnWord.srttUs]! : 0
      if (srttUs > 0) store.addRtt(link, srttUs / 1e6)
    }
    words[word + FLAGS] = known
    if (ends) finish(slot)
  }

  function applyAnew(r: Records, kind: number) {
    const id = Conn.id(r)
    const slot = slotOf(id)
    if (slot >= 0) letGo(id, slot)
    apply(r, kind)
  }

  /** In the table, and two walks did not show it. */
  function unseen(slot: number): boolean {
    return numbers[slot * SLOT_NUMBERS + ID] !== 0 && words[slot * SLOT_WORDS + WALK]! + 2 <= walk
  }

  /** Connections that two walks did not show, after ends were lost for good. One walk is not enough: it isn't atomic. */
  function reconcile() {
    for (let slot = 0; slot < used; slot++) {
      if (!unseen(slot) || words[slot * SLOT_WORDS + FLAGS]! & SYNACK) continue
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
    for (let slot = 0; slot < used; slot++) if (words[slot * SLOT_WORDS + FLAGS]! & SYNACK && unseen(slot)) finish(slot)
    walk++
  }
  return {
    beginBatch(now) {
      nowMs = now
    },
    apply,
    applyEnds: (records) => joinedEnds(records, nowMs),
    applyAnew,
    translate(by) {
      translation = by
      links.translate(by !== undefined)
    },
    applyAnswered(records, answer) {
      answering = answer
      try {
        apply(records, kindOf(records))
      } finally {
        answering = undefined
      }
    },
    endWalk,
    endCycle() {
      store.resetRtt()
      links.sweep(Date.now())
    },
    stats: () => ({ tracked: slots.size, reconciled, unknownEnds }),
    totalsOf,
    inherit(before) {
      heritage = before
    },
  }
}
