import type { Attributes } from '@opentelemetry/api'

/** Worst first: the order in which links are judged, compared and shown. `filtered`: probes stay unanswered, TCP does not. */
export const LINK_STATUSES = ['failed', 'refused', 'lossy', 'slow', 'filtered', 'ok', 'idle'] as const
export type LinkStatus = (typeof LINK_STATUSES)[number]

/** Where the other end is, as `destination.scope` and `source.scope` say. */
export type Scope = 'node' | 'cluster' | 'private' | 'external'

/** Who began the connections, seen from the container. `both`: an overflow series, where it is no longer known. */
export type Direction = 'outbound' | 'inbound' | 'both'

export type GroupBy = 'workload' | 'container'

/** When a round is bad. Ratios are from 0 to 1, times in milliseconds. */
export interface Thresholds {
  /** Share of a round's connection attempts that nobody answered, from which the link counts as failed. */
  readonly failedRatio: number
  /** Share of a round's connection attempts answered by RST, from which it counts as refused. */
  readonly refusedRatio: number
  /** Share of the sent segments that were sent again, from which it counts as lossy. */
  readonly lossyRatio: number
  /** Fewer segments in a round prove no loss: one retransmit in three is chance. */
  readonly lossyMinSegments: number
  /** Fewer retransmits in a round prove no loss: a single one may be a spurious tail loss probe. */
  readonly lossyMinRetransmits: number
  /** With fewer unanswered among the newest probes it is not lossy by them. */
  readonly lossyMinProbes: number
  /** Round trip, smoothed by TCP or of the last probe, above which it counts as slow, by where the other end is. */
  readonly slowMs: Readonly<Record<Scope, number>>
}

export const DEFAULT_THRESHOLDS: Thresholds = {
  failedRatio: 0.5,
  refusedRatio: 0.1,
  lossyRatio: 0.02,
  lossyMinSegments: 20,
  lossyMinRetransmits: 2,
  lossyMinProbes: 2,
  slowMs: { node: 10, cluster: 10, private: 10, external: 200 },
}

/**
 * What the probes of a link's addresses tell at the end of a round. A link has several addresses where pods, or the
 * addresses of a name, are folded into one.
 */
export interface ProbeSample {
  /** Outcomes that became known in the round. Most rounds have none: they are shorter than the probes' interval. */
  readonly replies: number
  readonly timeouts: number
  readonly unreachable: number
  /** Refused by this host's own network: a policy (EPERM), a route. What it lacked to send at all is not counted. */
  readonly errors: number
  /** Addresses whose newest probe was answered. */
  readonly answering: number
  /** The newest outcomes, at least ten where there were as many, and how many of them were replies. */
  readonly recent: number
  readonly recentReplies: number
  /** None of the addresses has answered since it was first seen. */
  readonly neverAnswered: boolean
  /** TCP got through to one of the addresses in the round, on any port. */
  readonly passes: boolean
  /** TCP got through while no probe did: they are filtered on the way, and say nothing. */
  readonly filtered: boolean
}

/** What happened on one link in one round: increments, except what is said to be as of its end. */
export interface LinkSample {
  readonly direction: Direction
  readonly scope: Scope | undefined
  /** Handshakes completed. */
  readonly connects: number
  /** Outbound attempts that were never established, by `error.type`; only kinds that occurred. */
  readonly failures: Readonly<Record<string, number>>
  /** Established connections that ended without a FIN exchange, by `error.type`; only kinds that occurred. */
  readonly broken: Readonly<Record<string, number>>
  /** Connections at its end. */
  readonly active: number
  /** Data segments sent, those sent again included. */
  readonly segmentsSent: number
  readonly dataRetransmits: number
  /** SYNs (outbound) or SYN-ACKs (inbound) sent again. */
  readonly handshakeRetransmits: number
  /** Acknowledged by the peer. */
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Kernel's smoothed RTT at its end, mean over live connections; undefined without one. */
  readonly rttSeconds: number | undefined
  /**
   * Round trip of the last probe at its end, the longest where there are several addresses; NaN when none was answered;
   * undefined where it is not known.
   */
  readonly latencySeconds: number | undefined
  /** Undefined where nothing is probed (inbound links), or without a connection or attempt that it would matter to. */
  readonly probes: ProbeSample | undefined
}

/** One end of a link. */
export interface Endpoint {
  /** For people: `shop/front-end`, `nginx.service`, `10.42.2.243`, `external`. */
  readonly name: string
  /** The listening port, on the end that listens, where it is known. */
  readonly port?: number
}

/** Who talks to whom on which port, in the last round, with one status. */
export interface Link extends LinkSample {
  /** The same from round to round. */
  readonly key: string
  /** Who dials: the container of an outbound link, its caller of an inbound one. */
  readonly source: Endpoint
  readonly destination: Endpoint
  /** Attributes of the (first) resource behind our end. */
  readonly resource: Attributes
  readonly status: LinkStatus
  /** Why the status is bad, in a few words (`4/4 connects timed_out`); empty for ok and idle. */
  readonly reason: string
  /** Sum of `failures`. */
  readonly failed: number
  /** dataRetransmits / segmentsSent; undefined when nothing was sent. */
  readonly lossRatio: number | undefined
  readonly connectsPerSecond: number
  readonly bytesSentPerSecond: number
  readonly bytesReceivedPerSecond: number
}

/** Everything known at the end of a round. */
export interface Round {
  /** End time of the round's points, Unix milliseconds; 0 before the first. */
  readonly timeMs: number
  /** Since the round before; undefined in the first. */
  readonly intervalMs: number | undefined
  /** Containers and services that have links, ungrouped. */
  readonly containers: number
  /** `host.name` of the first resource that has one. */
  readonly host: string | undefined
  /** In no particular order. */
  readonly links: readonly Link[]
}

/** Our end of a link: the container, or the workload it belongs to. */
export function observed(link: Link): Endpoint {
  return link.direction === 'inbound' ? link.destination : link.source
}

/** The other end. */
export function peer(link: Link): Endpoint {
  return link.direction === 'inbound' ? link.source : link.destination
}

/** Below 0 when `a` is worse than `b`. */
export function compareStatus(a: LinkStatus, b: LinkStatus): number {
  return LINK_STATUSES.indexOf(a) - LINK_STATUSES.indexOf(b)
}

export function isBad(status: LinkStatus): boolean {
  return compareStatus(status, 'ok') < 0
}
