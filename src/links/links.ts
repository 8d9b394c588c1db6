import type { Attributes, HrTime } from '@opentelemetry/api'
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { Batch, DataPoint } from '../component/types.ts'
import { advance, DEFAULT_HYSTERESIS, type HysteresisRules, type Standing, UNKNOWN } from './hysteresis.ts'
import { identify, type LinkIdentity, seriesKey, sourceName } from './identity.ts'
import { judge } from './judge.ts'
import { measure, toLink } from './measure.ts'
import {
  addCumulative,
  addDelta,
  beginRound,
  COLUMN,
  createKinds,
  createRow,
  type Kinds,
  type Row,
  setGauge,
} from './series.ts'
import { DEFAULT_THRESHOLDS, type GroupBy, type Link, type Round, type Thresholds } from './types.ts'

/** The SDK's enumerations, by value: importing them would load the SDK. */
const AGGREGATION_TEMPORALITY_DELTA = 0
const FLAG_NO_RECORDED_VALUE = 1
const METRIC_PREFIX = 'container.net.tcp.'

export interface LinksOptions {
  readonly groupBy?: GroupBy
  readonly thresholds?: Thresholds
  readonly hysteresis?: HysteresisRules
  /** Rounds without a single point until a link is forgotten: its series were evicted, or its container went. */
  readonly forgetRounds?: number
}

export interface Links {
  /**
   * Takes points as `container.net.tcp.*` has them, of any resources, in any split: a batch whose end time is later
   * than all before begins a new round, any other adds to the current one.
   */
  add(batch: Batch): void
  /** The current round as far as it is known: asking changes nothing, statuses move on when the next round begins. */
  current(): Round
}

interface Source {
  readonly attributes: Attributes
  readonly name: string
  /** By seriesKey. */
  readonly rows: Map<string, LinkRow>
  /** By attribute set: the store hands out the same frozen object each cycle, which spares reading it again. */
  readonly known: WeakMap<Attributes, LinkRow>
}

/** Series that differ in kind alone; a link has several where addresses, or the containers of a workload, are folded. */
interface LinkRow extends Row {
  readonly link: LinkState
  forgotten: boolean
}

interface LinkState {
  readonly key: string
  readonly sourceName: string
  readonly resource: Attributes
  readonly identity: LinkIdentity
  readonly rows: Set<LinkRow>
  standing: Standing
  next: Standing
}

/**
 * Metrics in, links out. Memory is bounded by what the receiver exports: a link is forgotten when its series are.
 *
 * @example
 * const links = createLinks({ groupBy: 'workload' })
 * links.add(batch)
 * for (const link of links.current().links) console.log(link.status, link.source.name, link.destination.name)
 */
export function createLinks(options: LinksOptions = {}): Links {
  const { groupBy = 'workload', thresholds = DEFAULT_THRESHOLDS, hysteresis = DEFAULT_HYSTERESIS } = options
  const { forgetRounds = 3 } = options
  const sources = new Map<string, Source>()
  const links = new Map<string, LinkState>()
  const kinds = createKinds()
  let roundNumber = 0
  let timeMs = 0
  let intervalMs: number | undefined
  let cached: Round | undefined

  function add(batch: Batch): void {
    const endMs = latestEnd(batch)
    if (endMs > timeMs) beginNextRound(endMs)
    cached = undefined
    for (const resourceMetrics of batch) addResource(resourceMetrics)
  }

  function beginNextRound(endMs: number): void {
    if (timeMs > 0) {
      current()
      for (const link of links.values()) link.standing = link.next
      forgetUnseen()
      intervalMs = endMs - timeMs
    }
    timeMs = endMs
    roundNumber++
  }

  function forgetUnseen(): void {
    for (const [sourceKey, source] of sources) {
      for (const [key, row] of source.rows) {
        if (roundNumber - row.seenRound < forgetRounds) continue
        source.rows.delete(key)
        row.forgotten = true
        row.link.rows.delete(row)
        if (row.link.rows.size === 0) links.delete(row.link.key)
      }
      if (source.rows.size === 0) sources.delete(sourceKey)
    }
  }

  function addResource({ resource, scopeMetrics }: ResourceMetrics): void {
    let source: Source | undefined
    for (const { metrics } of scopeMetrics) {
      for (const metric of metrics) {
        if (!metric.descriptor.name.startsWith(METRIC_PREFIX)) continue
        source ??= findSource(resource.attributes)
        addMetric(source, metric)
      }
    }
  }

  function findSource(attributes: Attributes): Source {
    const key = sourceKeyOf(attributes)
    let source = sources.get(key)
    if (source === undefined) {
      source = { attributes, name: sourceName(attributes, groupBy), rows: new Map(), known: new WeakMap() }
      sources.set(key, source)
    }
    return source
  }

  function addMetric(source: Source, metric: MetricData): void {
    const apply = APPLY[metric.descriptor.name.slice(METRIC_PREFIX.length)]
    if (apply === undefined) return
    const delta = metric.aggregationTemporality === AGGREGATION_TEMPORALITY_DELTA
    for (const point of metric.dataPoints as readonly DataPoint<number>[]) {
      if (Number.isNaN(point.value) || ((point.flags ?? 0) & FLAG_NO_RECORDED_VALUE) !== 0) continue
      const row = findRow(source, point)
      beginRound(row, roundNumber, timeMs)
      apply(row, point, delta, kinds)
    }
  }

  function findRow(source: Source, { attributes, startTime }: DataPoint<number>): LinkRow {
    let row = source.known.get(attributes)
    if (row !== undefined && !row.forgotten) return row
    const key = seriesKey(attributes)
    row = source.rows.get(key)
    if (row === undefined) {
      const link = findLink(source, identify(attributes, groupBy))
      row = { ...createRow(toMs(startTime)), link, forgotten: false }
      link.rows.add(row)
      source.rows.set(key, row)
    }
    if (Object.isFrozen(attributes)) source.known.set(attributes, row)
    return row
  }

  function findLink(source: Source, identity: LinkIdentity): LinkState {
    const key = `${source.name} ${identity.key}`
    let link = links.get(key)
    if (link === undefined) {
      const { name, attributes } = source
      link = {
        key,
        sourceName: name,
        resource: attributes,
        identity,
        rows: new Set(),
        standing: UNKNOWN,
        next: UNKNOWN,
      }
      links.set(key, link)
    }
    return link
  }

  function current(): Round {
    cached ??= { timeMs, intervalMs, ...describeSources(), links: [...links.values()].map(describe) }
    return cached
  }

  function describe(link: LinkState): Link {
    const seen: Row[] = []
    for (const row of link.rows) if (row.seenRound === roundNumber) seen.push(row)
    const measured = measure(link.identity, seen, intervalMs, kinds)
    link.next =
      seen.length === 0 ? link.standing : advance(link.standing, judge(measured.sample, thresholds), hysteresis)
    return toLink(link, measured, link.next)
  }

  function describeSources() {
    let host: string | undefined
    for (const { attributes } of sources.values()) host ??= attributes['host.name'] as string | undefined
    return { containers: sources.size, host }
  }

  return { add, current }
}

type Apply = (row: Row, point: DataPoint<number>, delta: boolean, kinds: Kinds) => void

const counter =
  (column: number | ((point: DataPoint<number>, kinds: Kinds) => number)): Apply =>
  (row, point, delta, kinds) => {
    const to = typeof column === 'number' ? column : column(point, kinds)
    if (delta) addDelta(row, to, point.value)
    else addCumulative(row, to, point.value, toMs(point.startTime))
  }

const gauge =
  (column: number): Apply =>
  (row, point) =>
    setGauge(row, column, point.value)

const errorType = (point: DataPoint<number>) => String(point.attributes['error.type'] ?? '_OTHER')
const isHandshake = (point: DataPoint<number>) => point.attributes['network.tcp.retransmit.type'] === 'handshake'

/** By metric name. connection_time, listen: nothing that a link shows. */
const APPLY: Readonly<Record<string, Apply>> = {
  successful_connects: counter(COLUMN.connects),
  failed_connects: counter((point, kinds) => kinds.column('failed', errorType(point))),
  broken_connections: counter((point, kinds) => kinds.column('broken', errorType(point))),
  active_connections: gauge(COLUMN.active),
  segments_sent: counter(COLUMN.segmentsSent),
  retransmits: counter((point) => (isHandshake(point) ? COLUMN.handshakeRetransmits : COLUMN.dataRetransmits)),
  bytes_sent: counter(COLUMN.bytesSent),
  bytes_received: counter(COLUMN.bytesReceived),
  rtt: gauge(COLUMN.rtt),
}

/** What makes a resource one series set at a Prometheus: METRICS identity on the wire. */
function sourceKeyOf(attributes: Attributes): string {
  const { 'service.namespace': namespace, 'service.name': name, 'service.instance.id': instance } = attributes
  return instance === undefined ? JSON.stringify(attributes) : `${namespace ?? ''}/${name ?? ''}/${instance}`
}

function latestEnd(batch: Batch): number {
  let latestMs = 0
  for (const { scopeMetrics } of batch) {
    for (const { metrics } of scopeMetrics) {
      const point = metrics.find(({ dataPoints }) => dataPoints.length > 0)?.dataPoints[0]
      if (point !== undefined) latestMs = Math.max(latestMs, toMs(point.endTime))
    }
  }
  return latestMs
}

const toMs = ([seconds, nanoseconds]: HrTime) => seconds * 1000 + nanoseconds / 1e6
