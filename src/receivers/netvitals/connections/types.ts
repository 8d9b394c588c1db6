import type { Answer, Translation } from '../destinations/translation.ts'
import type { Records } from '../kernel/decode.ts'

export interface ConnectionsStats {
  /** Connections and attempts in the table now. */
  readonly tracked: number
  /** Ended by reconciliation: their ends were lost. */
  readonly reconciled: number
  /** Ends of connections that were not in the table any more: nothing was counted for them. */
  readonly unknownEnds: number
}

/** What was told of a connection so far: only what rises from here is counted. */
export interface ConnectionTotals {
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly segmentsSent: number
  readonly retransData: number
  readonly retransHandshake: number
  /** Its handshake is counted, or is not to be. */
  readonly counted: boolean
  /** It stands for a listener's handshakes that are not finished. */
  readonly synack: boolean
}

/** The bounded table of live connections: records of the kernel in, series out. Its bound is the kernel side's. */
export interface Connections {
  /** Before the records of a batch: what they happen to bears this time (ms since the epoch). */
  beginBatch(nowMs: number): void
  /** One record of struct nv_conn, any kind but Kind.ends. */
  apply(records: Records, kind: number): void
  /** One of Kind.ends. False: nothing was counted, and each that it was made of is to be applied. */
  applyEnds(records: Records): boolean
  /**
   * The same of one that is another container's than it was told for, if it was told: what it does from here on is that
   * one's.
   */
  applyAnew(records: Records, kind: number): void
  /** From here on outbound connections are held until it is known who answers them; undefined: they are not, as at first. */
  translate(by: Pick<Translation, 'hold' | 'add'> | undefined): void
  /** A record that translation held back, now that it is known who answers its connection. */
  applyAnswered(records: Records, answer: Answer): void
  /** After a walk and before its cycle is collected. `endsLost`: that many ends are lost for good, since the start. */
  endWalk(endsLost: number): void
  /** After a cycle was collected. */
  endCycle(): void
  stats(): ConnectionsStats
  /** What this table told of a connection; undefined when it is not in it. */
  totalsOf(id: number): ConnectionTotals | undefined
  /**
   * Connections of `before`, to which no more records are given, go on here where they are there, each with its next
   * record; undefined: from now on one that is not known here is new.
   */
  inherit(before: Pick<Connections, 'totalsOf'> | undefined): void
}
