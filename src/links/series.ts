import type { HrTime } from '@opentelemetry/api'
import type { DataPoint } from '../component/types.ts'

/**
 * What the points of a set of series that differ in kind alone add up to in a round. A column is a metric, or a metric and a kind
 * of error: the first ones have names here, kinds of error join in the order in which they are met.
 */
export const COLUMN = {
  connects: 0,
  active: 1,
  segmentsSent: 2,
  dataRetransmits: 3,
  handshakeRetransmits: 4,
  bytesSent: 5,
  bytesReceived: 6,
  rtt: 7,
} as const
/** The same of an address that is probed, in rows of their own. */
export const PROBE_COLUMN = { replies: 0, timeouts: 1, latency: 2 } as const
const FIRST_FREE_COLUMN = 8
const MAX_KINDS = 64

export interface Row {
  /** Increment of the round of sums; value at its end of gauges. NaN where there was no point. */
  readonly round: number[]
  /** Last value of sums; unused for gauges. NaN before the first point. */
  readonly last: number[]
  /** Start of the series of sums, Unix milliseconds. */
  readonly started: number[]
  /** Number of the last round with a point. */
  seenRound: number
  /** End of that round, and of the one with a point before; 0 when there was none. */
  endMs: number
  previousEndMs: number
  /** Start of the series that was seen first. */
  readonly startMs: number
}

export function createRow(startMs: number): Row {
  return { round: [], last: [], started: [], seenRound: -1, endMs: 0, previousEndMs: 0, startMs }
}

/** Begins the round in a row, once; NaN wherever no point follows. */
export function beginRound(row: Row, round: number, endMs: number): void {
  if (row.seenRound === round) return
  row.seenRound = round
  row.previousEndMs = row.endMs
  row.endMs = endMs
  row.round.fill(Number.NaN)
}

/**
 * A cumulative point. A new start time, or a value below the last, is a series that began again: everything it has
 * counted is new. So is everything in a series seen for the first time.
 */
export function addCumulative(row: Row, column: number, value: number, startMs: number): void {
  reserve(row, column)
  const before = row.last[column]!
  const goesOn = row.started[column] === startMs && value >= before
  addDelta(row, column, goesOn ? value - before : value)
  row.last[column] = value
  row.started[column] = startMs
}

/** An increment, from a point of delta temporality. */
export function addDelta(row: Row, column: number, delta: number): void {
  reserve(row, column)
  row.round[column] = (row.round[column]! || 0) + delta
}

export function setGauge(row: Row, column: number, value: number): void {
  reserve(row, column)
  row.round[column] = value
}

function reserve(row: Row, column: number): void {
  while (row.round.length <= column) {
    row.round.push(Number.NaN)
    row.last.push(Number.NaN)
    row.started.push(Number.NaN)
  }
}

/** Columns of kinds that are not known beforehand: `timed_out` of failed. Few: the kinds come from metadata.yaml. */
export function createKinds() {
  const columns = {
    failed: new Map<string, number>(),
    broken: new Map<string, number>(),
    unreachable: new Map<string, number>(),
    error: new Map<string, number>(),
  }
  let next = FIRST_FREE_COLUMN
  return {
    column(metric: keyof typeof columns, kind: string): number {
      const known = columns[metric].get(kind)
      if (known !== undefined) return known
      // Whoever invents kinds may have this many columns of all rows, not more.
      const name = next - FIRST_FREE_COLUMN < MAX_KINDS ? kind : '_OTHER'
      const column = columns[metric].get(name) ?? next++
      columns[metric].set(name, column)
      return column
    },
    /** The kinds of a metric that occurred in these rows' round, summed. */
    sum(metric: keyof typeof columns, rows: readonly Pick<Row, 'round'>[]): Readonly<Record<string, number>> {
      let result: Record<string, number> | undefined
      for (const [kind, column] of columns[metric]) {
        const count = sumColumn(rows, column)
        if (count === 0) continue
        result ??= {}
        result[kind] = count
      }
      return result ?? NONE
    },
  }
}
export type Kinds = ReturnType<typeof createKinds>

const NONE: Readonly<Record<string, number>> = Object.freeze({})

export function sumColumn(rows: readonly Pick<Row, 'round'>[], column: number): number {
  let sum = 0
  for (const { round } of rows) if (column < round.length) sum += round[column]! || 0
  return sum
}

/** Unix milliseconds. */
export const toMs = ([seconds, nanoseconds]: HrTime) => seconds * 1000 + nanoseconds / 1e6

/** When the point's series began. */
export const startMs = ({ startTime }: DataPoint<number>) => toMs(startTime)
