import type { Attributes } from '@opentelemetry/api'
import type { Standing } from './hysteresis.ts'
import type { LinkIdentity } from './identity.ts'
import { longestLatency, type Peer, sampleProbes } from './probed.ts'
import { COLUMN, type Kinds, type Row, sumColumn } from './series.ts'
import type { Link, LinkSample } from './types.ts'

/** A round of a link, in increments and per second. */
export interface Measured {
  readonly sample: LinkSample
  readonly connectsPerSecond: number
  readonly bytesSentPerSecond: number
  readonly bytesReceivedPerSecond: number
}

/** What has points in a round. */
export interface RoundParts {
  readonly number: number
  readonly rows: readonly Row[]
  /** Addresses of the rows, those that are probed; of these, those that anybody is connected to or tries. */
  readonly probed: readonly Peer[]
  readonly used: readonly Peer[]
}

/** A rate over less than this would make a burst of one packet. */
const SHORTEST_MS = 1000

/**
 * Adds up the rows that have points in the round, and what is known of the addresses behind them. `intervalMs` is the
 * round's length, undefined in the first.
 */
export function measure(
  { direction, scope }: LinkIdentity,
  { number, rows, probed, used }: RoundParts,
  intervalMs: number | undefined,
  kinds: Kinds,
): Measured {
  const sample: LinkSample = {
    direction,
    scope,
    connects: sumColumn(rows, COLUMN.connects),
    failures: kinds.sum('failed', rows),
    broken: kinds.sum('broken', rows),
    active: sumColumn(rows, COLUMN.active),
    segmentsSent: sumColumn(rows, COLUMN.segmentsSent),
    dataRetransmits: sumColumn(rows, COLUMN.dataRetransmits),
    handshakeRetransmits: sumColumn(rows, COLUMN.handshakeRetransmits),
    bytesSent: sumColumn(rows, COLUMN.bytesSent),
    bytesReceived: sumColumn(rows, COLUMN.bytesReceived),
    rttSeconds: meanRtt(rows),
    latencySeconds: longestLatency(probed),
    probes: sampleProbes(used, number, kinds),
  }
  return {
    sample,
    connectsPerSecond: rate(rows, COLUMN.connects, intervalMs),
    bytesSentPerSecond: rate(rows, COLUMN.bytesSent, intervalMs),
    bytesReceivedPerSecond: rate(rows, COLUMN.bytesReceived, intervalMs),
  }
}

/** Each row's increment over its own time: it may have missed rounds, or be older than we are. */
function rate(rows: readonly Row[], column: number, intervalMs = 0): number {
  let perSecond = 0
  for (const row of rows) {
    const sinceMs = row.previousEndMs > 0 ? row.previousEndMs : Math.min(row.startMs, row.endMs - intervalMs)
    perSecond += ((row.round[column]! || 0) * 1000) / Math.max(row.endMs - sinceMs, SHORTEST_MS)
  }
  return perSecond
}

/** Weighted by the connections that each row's mean is of. */
function meanRtt(rows: readonly Row[]): number | undefined {
  let sum = 0
  let weights = 0
  for (const { round } of rows) {
    const rtt = round[COLUMN.rtt]
    if (rtt === undefined || Number.isNaN(rtt)) continue
    const weight = Math.max(round[COLUMN.active]! || 0, 1)
    sum += rtt * weight
    weights += weight
  }
  return weights === 0 ? undefined : sum / weights
}

export interface LinkOwner {
  readonly key: string
  readonly sourceName: string
  readonly resource: Attributes
  readonly identity: LinkIdentity
}

export function toLink(
  { key, sourceName, resource, identity }: LinkOwner,
  measured: Measured,
  standing: Standing,
): Link {
  const { sample, ...rates } = measured
  const { peer, ownPort } = identity
  const own = ownPort === undefined ? { name: sourceName } : { name: sourceName, port: ownPort }
  const inbound = identity.direction === 'inbound'
  let failed = 0
  for (const count of Object.values(sample.failures)) failed += count
  return {
    ...sample,
    ...rates,
    key,
    source: inbound ? peer : own,
    destination: inbound ? own : peer,
    resource,
    status: standing.status,
    reason: standing.reason,
    failed,
    lossRatio: sample.segmentsSent > 0 ? sample.dataRetransmits / sample.segmentsSent : undefined,
  }
}
