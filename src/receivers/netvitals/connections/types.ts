import type { Records } from '../kernel/decode.ts'

export interface ConnectionsStats {
  /** Connections and attempts in the table now. */
  readonly tracked: number
  /** Ended by reconciliation: their ends were lost. */
  readonly reconciled: number
  /** Ends of connections that were not in the table any more: nothing was counted for them. */
  readonly unknownEnds: number
}

/** The bounded table of live connections: records of the kernel in, series out. Its bound is the kernel side's. */
export interface Connections {
  /** Before the records of a batch: what they happen to bears this time (ms since the epoch). */
  beginBatch(nowMs: number): void
  /** One record of struct nv_conn, any kind. */
  apply(records: Records, kind: number): void
  /** After a walk and before its cycle is collected. `endsLost`: that many ends are lost for good, since the start. */
  endWalk(endsLost: number): void
  /** After a cycle was collected. */
  endCycle(): void
  stats(): ConnectionsStats
}
