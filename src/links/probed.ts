import type { DataPoint } from '../component/types.ts'
import {
  addCumulative,
  addDelta,
  COLUMN,
  type Kinds,
  PROBE_COLUMN,
  type Row,
  setGauge,
  startMs,
  sumColumn,
} from './series.ts'
import type { ProbeSample } from './types.ts'

/** An address that a container talks to: the series that reach it, on any port, and what its probes tell. */
export interface Peer {
  readonly rows: Set<Row>
  /** Undefined while it is not probed. */
  probe: Row | undefined
  /** As of the end of the round before, and of this one. */
  memory: Memory
  next: Memory
}

interface Memory {
  readonly answered: boolean
  /** Rounds with outcomes, none of them a reply, since the last reply. */
  readonly silentRounds: number
  /** Those of them since when TCP did not get through either. */
  readonly outageRounds: number
  readonly filtered: boolean
  /** Of the newest rounds with outcomes, newest last. */
  readonly recent: readonly Outcomes[]
}

interface Outcomes {
  readonly replies: number
  readonly all: number
}

/** In the latency's column, where NaN means that there was no point. */
const LOST = Number.POSITIVE_INFINITY
/** So many outcomes are looked back on, in at most as many rounds. */
const RECENT = 10
/**
 * TCP that gets through while probes don't shows that these are filtered: at once where none was ever answered, after
 * so many rounds where one was, because chance loses two in a row.
 */
const SILENT_ROUNDS = 3
/** So many rounds in which nothing got through are an outage, and no loss. */
const OUTAGE_ROUNDS = 2
/** `error.type` of a probe that this host lacked the means to send: that says nothing of the network. */
const OWN_FAULTS: ReadonlySet<unknown> = new Set(['EAFNOSUPPORT', 'EMFILE', 'ENFILE', 'ENOMEM'])

const NOTHING: Memory = { answered: false, silentRounds: 0, outageRounds: 0, filtered: false, recent: [] }

export function createPeer(): Peer {
  return { rows: new Set(), probe: undefined, memory: NOTHING, next: NOTHING }
}

export function isProbed({ probe }: Peer, round: number): boolean {
  return probe?.seenRound === round
}

/** A point of container.net.latency or container.net.probes. */
export function applyProbePoint(row: Row, point: DataPoint<number>, delta: boolean, kinds: Kinds): void {
  const { result } = point.attributes
  if (result === undefined) {
    setGauge(row, PROBE_COLUMN.latency, Number.isNaN(point.value) ? LOST : point.value)
    return
  }
  const column = columnOf(result, point.attributes['error.type'], kinds)
  if (column === undefined || Number.isNaN(point.value)) return
  if (delta) addDelta(row, column, point.value)
  else addCumulative(row, column, point.value, startMs(point))
}

function columnOf(result: unknown, errorType: unknown, kinds: Kinds): number | undefined {
  if (result === 'reply') return PROBE_COLUMN.replies
  if (result === 'timeout') return PROBE_COLUMN.timeouts
  if (result === 'unreachable') return kinds.column('unreachable', String(errorType ?? '_OTHER'))
  if (result !== 'error' || OWN_FAULTS.has(errorType)) return undefined
  return kinds.column('error', String(errorType ?? '_OTHER'))
}

/** What will be remembered of the round as far as it is known; asking again changes nothing. */
export function updateMemory(peer: Peer, round: number, kinds: Kinds): void {
  peer.next = remember(peer.memory, outcomesOf([peer.probe!], kinds), passes(peer, round, kinds))
}

export function endRound(peer: Peer): void {
  peer.memory = peer.probe === undefined ? NOTHING : peer.next
  peer.next = peer.memory
}

function remember(before: Memory, { replies, timeouts, unreachable, errors }: Counts, passing: boolean): Memory {
  const all = replies + timeouts + unreachable + errors
  // An outage that is over is no loss.
  const since = replies > 0 && before.outageRounds >= OUTAGE_ROUNDS ? [] : before.recent
  const recent = all > 0 ? newest([...since, { replies, all }]) : before.recent
  if (replies > 0) return { answered: true, silentRounds: 0, outageRounds: 0, filtered: false, recent }
  const enough = before.answered ? SILENT_ROUNDS : 1
  const silent = all > 0 ? 1 : 0
  return {
    answered: before.answered,
    silentRounds: before.silentRounds + silent,
    outageRounds: passing ? 0 : before.outageRounds + silent,
    filtered: before.filtered || (passing && before.silentRounds >= enough),
    recent,
  }
}

/** As few of the newest rounds as have enough outcomes together. */
function newest(rounds: readonly Outcomes[]): readonly Outcomes[] {
  let sum = 0
  let from = rounds.length
  while (from > 0 && sum < RECENT) sum += rounds[--from]!.all
  return rounds.slice(from)
}

/** Whether the other end acknowledged, sent, accepted or refused anything: whatever it is, it is there. */
function passes({ rows }: Peer, round: number, kinds: Kinds): boolean {
  for (const row of rows) {
    if (row.seenRound !== round) continue
    for (const column of [COLUMN.bytesSent, COLUMN.bytesReceived, COLUMN.connects])
      if ((row.round[column] || 0) > 0) return true
    if (kinds.sum('failed', [row]).refused !== undefined) return true
  }
  return false
}

type Counts = Pick<ProbeSample, 'replies' | 'timeouts' | 'unreachable' | 'errors'>

function outcomesOf(rows: readonly Row[], kinds: Kinds): Counts {
  const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, n) => sum + n, 0)
  return {
    replies: sumColumn(rows, PROBE_COLUMN.replies),
    timeouts: sumColumn(rows, PROBE_COLUMN.timeouts),
    unreachable: total(kinds.sum('unreachable', rows)),
    errors: total(kinds.sum('error', rows)),
  }
}

/** What is probed for a while longer, though nobody needs it any more, may be gone for good. */
export function isInUse({ round }: Row, kinds: Kinds): boolean {
  const { active, connects, handshakeRetransmits } = COLUMN
  for (const column of [active, connects, handshakeRetransmits]) if ((round[column] || 0) > 0) return true
  return Object.keys(kinds.sum('failed', [{ round }])).length > 0
}

export function sampleProbes(peers: readonly Peer[], round: number, kinds: Kinds): ProbeSample | undefined {
  if (peers.length === 0) return undefined
  // What is filtered tells nothing, as long as another one does.
  const unfiltered = peers.filter(({ next }) => !next.filtered)
  const telling = unfiltered.length > 0 ? unfiltered : peers
  const rows = telling.map(({ probe }) => probe!)
  const recent = telling.flatMap(({ next }) => next.recent)
  const sum = (key: keyof Outcomes) => recent.reduce((total, outcomes) => total + outcomes[key], 0)
  return {
    ...outcomesOf(rows, kinds),
    answering: peers.filter(({ next }) => next.answered && next.silentRounds === 0).length,
    recent: sum('all'),
    recentReplies: sum('replies'),
    neverAnswered: peers.every(({ next }) => !next.answered),
    passes: peers.some((peer) => passes(peer, round, kinds)),
    filtered: peers.every(({ next }) => next.filtered),
  }
}

/** In seconds; see LinkSample. */
export function longestLatency(peers: readonly Peer[]): number | undefined {
  let longest: number | undefined
  for (const { probe, next } of peers) {
    const latency = probe!.round[PROBE_COLUMN.latency] ?? Number.NaN
    // The receiver may leave a lost probe's point out instead.
    const lost = latency === LOST || (Number.isNaN(latency) && next.answered && next.silentRounds > 0)
    if (lost) longest ??= Number.NaN
    else if (!Number.isNaN(latency) && !(longest! >= latency)) longest = latency
  }
  return longest
}
