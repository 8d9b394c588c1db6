import type { Attributes } from '@opentelemetry/api'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'

/**
 * The series store. A link is what one container does with one destination (or one of its listening
 * addresses and who calls it): all series that share those attributes, one row of numbers.
 *
 * A link has a row while it stands; beyond the caps the least recently active rows are evicted, and what
 * happens then on links without a row is added to the container's series with otel.metric.overflow=true
 * (the process' one when even those are too many): increments after the eviction only. Exact means: the last
 * values of every series that ever existed, plus overflow.
 */
export interface Store {
  /** Begins (or finds) the container's resource. The same service.instance.id as one that ended: that one's series end now. */
  container(key: string, attributes: Attributes, standing?: ContainerStanding): ContainerRef
  /**
   * It turned out to be called otherwise. Before its first export it just is, also where it ended meanwhile, and the ref
   * stays; after it the series so far end and it goes on under another ref: whoever writes moves there. Totals over both
   * are right. Called as before, it goes on as before. Hidden: what was not exported yet never is.
   */
  identify(container: ContainerRef, attributes: Attributes, standing?: ContainerStanding): ContainerRef
  /** Its series are exported once more and go after `containerLingerMs`, or when its successor appears. */
  endContainer(container: ContainerRef, nowMs: number): void

  /**
   * The link of a container, by a key that the caller chose; `attributes` is called only when it is new.
   * Retained once per call: pair with `release`. A link whose row was evicted gets a new one (new start time).
   */
  link(container: ContainerRef, kind: LinkKind, key: string, attributes: () => Attributes, nowMs: number): LinkRef
  /** One more user of a link already held: the hot path of a connection to a known destination. Revives an evicted row. */
  retain(link: LinkRef, nowMs: number): void
  /** After the last `addActive(link, -1)` of that user. A link whose last user goes stands until it has idled. */
  release(link: LinkRef): void

  /** Hot path, no allocation: adds to a column (a sum's or a non-monotonic sum's) of the link's row, or of overflow. */
  add(link: LinkRef, column: number, delta: number): void
  /** Number of ESTABLISHED/CLOSE_WAIT connections of the link, ±1: moves with the link between row and overflow. */
  addActive(link: LinkRef, delta: number): void
  /** Begins a walk's round of rtt: the mean of what is added until the next call is what is exported. */
  resetRtt(): void
  /** `seconds`: of so many round trips (one when absent) together. */
  addRtt(link: LinkRef, seconds: number, times?: number): void
  /** A gauge column. Left out (and counted) for a link without a row; non-finite values other than latency's NaN are refused and counted. */
  set(link: LinkRef, column: number, value: number): void
  /** The gauge has no value any more: no point, until it is set again. */
  unset(link: LinkRef, column: number): void

  /**
   * One cycle, all points with the one end time `nowMs`; yields to the event loop at least every 10 ms of work.
   * Evicts what idled past the TTL and containers past their linger. Never waits for I/O. `last`: nothing is held back.
   */
  collect(nowMs: number, last?: boolean): Promise<ResourceMetrics[]>
  /** The end time that a `collect` at `nowMs` gives its points: later than every time before. Milliseconds since the epoch. */
  endOf(nowMs: number): number
  /** Nothing of it begins before this, milliseconds since the epoch: it goes on where another ended. Before all else. */
  beginAt(ms: number): void
  stats(): StoreStats
}

export type ContainerRef = number

export interface ContainerStanding {
  /** Its name may yet be found out: its first export waits until then, ms since the epoch. */
  readonly unsureUntilMs?: number | undefined
  /** No series of it are wanted: all such containers are one ref, whose counts are never exported. */
  readonly hidden?: boolean | undefined
}
export type LinkRef = number
export type LinkKind = 'outbound' | 'inbound' | 'probe' | 'listen'

export interface StoreStats {
  readonly containers: number
  /** Rows standing. */
  readonly links: number
  /** Data points that the last collect gave. */
  readonly series: number
  /** Rows evicted by a cap, since the start. */
  readonly evicted: number
  /** Adds that went to overflow, since the start. */
  readonly overflowed: number
  /** Gauge points left out, since the start. */
  readonly gaugesLeftOut: number
  /** Values refused because they were not finite, since the start. */
  readonly refused: number
}
