import type { Attributes } from '@opentelemetry/api'
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { Batch, DataPoint } from '../component/types.ts'
import { advance, DEFAULT_HYSTERESIS, type HysteresisRules, type Standing, UNKNOWN } from './hysteresis.ts'
import { identify, type LinkIdentity, seriesKey, sourceName } from './identity.ts'
import { judge } from './judge.ts'
import { measure, toLink } from './measure.ts'
import { applyProbePoint, createPeer, endRound, isInUse, isProbed, type Peer, updateMemory } from './probed.ts'
import { beginRound, createKinds, createRow, type Row, startMs, toMs } from './series.ts'
import { APPLY_TCP } from './tcp.ts'
import { DEFAULT_THRESHOLDS, type GroupBy, type Link, type Round, type Thresholds } from './types.ts'

/** The SDK's enumerations, by value: importing them would load the SDK. */
const AGGREGATION_TEMPORALITY_DELTA = 0
const FLAG_NO_RECORDED_VALUE = 1
const METRIC_PREFIX = 'container.net.tcp.'
const PROBE_METRICS: ReadonlySet<string> = new Set(['container.net.latency', 'container.net.probes'])

export interface LinksOptions {
  readonly groupBy?: GroupBy
  readonly thresholds?: Thresholds
  readonly hysteresis?: HysteresisRules
  /** Rounds without a single point until a link is forgotten: its series were evicted, or its container went. */
  readonly forgetRounds?: number
}

export interface Links {
  /**
   * Takes points as `container.net.tcp.*`, `container.net.latency` and `container.net.probes` have them, of any
   * resources, in any split: a batch whose end time is later than all before begins a new round, any other adds to the
   * current one.
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
  /** By address. */
  readonly peers: Map<string, Peer>
}

/** Series that differ in kind alone; a link has several where addresses, or the containers of a workload, are folded. */
interface LinkRow extends Row {
  readonly link: LinkState
  /** Of an outbound one: what was dialled, and what answered where that is known to be another address. */
  readonly peers: readonly Peer[]
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
      for (const { peers } of sources.values()) for (const peer of peers.values()) endRound(peer)
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
        for (const peer of row.peers) peer.rows.delete(row)
        if (row.link.rows.size === 0) links.delete(row.link.key)
      }
      for (const [address, peer] of source.peers) {
        if (peer.probe !== undefined && roundNumber - peer.probe.seenRound >= forgetRounds) peer.probe = undefined
        if (peer.probe === undefined && peer.rows.size === 0) source.peers.delete(address)
      }
      if (source.rows.size === 0 && source.peers.size === 0) sources.delete(sourceKey)
    }
  }

  function addResource({ resource, scopeMetrics }: ResourceMetrics): void {
    let source: Source | undefined
    for (const { metrics } of scopeMetrics) {
      for (const metric of metrics) {
        const { name } = metric.descriptor
        if (!name.startsWith(METRIC_PREFIX) && !PROBE_METRICS.has(name)) continue
        source ??= findSource(resource.attributes)
        if (PROBE_METRICS.has(name)) addProbes(source, metric)
        else addMetric(source, metric)
      }
    }
  }

  function findSource(attributes: Attributes): Source {
    const key = sourceKeyOf(attributes)
    let source = sources.get(key)
    if (source === undefined) {
      source = {
        attributes,
        name: sourceName(attributes, groupBy),
        rows: new Map(),
        known: new WeakMap(),
        peers: new Map(),
      }
      sources.set(key, source)
    }
    return source
  }

  function addProbes({ peers }: Source, metric: MetricData): void {
    const delta = metric.aggregationTemporality === AGGREGATION_TEMPORALITY_DELTA
    for (const point of metric.dataPoints as readonly DataPoint<number>[]) {
      const address = point.attributes['destination.address']
      if (typeof address !== 'string' || ((point.flags ?? 0) & FLAG_NO_RECORDED_VALUE) !== 0) continue
      const peer = findPeer(peers, address)
      peer.probe ??= createRow(startMs(point))
      beginRound(peer.probe, roundNumber, timeMs)
      applyProbePoint(peer.probe, point, delta, kinds)
    }
  }

  function findPeer(peers: Map<string, Peer>, address: string): Peer {
    let peer = peers.get(address)
    if (peer === undefined) {
      peer = createPeer()
      peers.set(address, peer)
    }
    return peer
  }

  function addMetric(source: Source, metric: MetricData): void {
    const apply = APPLY_TCP[metric.descriptor.name.slice(METRIC_PREFIX.length)]
    if (apply === undefined) return
    const delta = metric.aggregationTemporality === AGGREGATION_TEMPORALITY_DELTA
    for (const point of metric.dataPoints as readonly DataPoint<number>[]) {
      if (Number.isNaN(point.value) || ((point.flags ?? 0) & FLAG_NO_RECORDED_VALUE) !== 0) continue
      const row = findRow(source, point)
      beginRound(row, roundNumber, timeMs)
      apply(row, point, delta, kinds)
    }
  }

  function findRow(source: Source, point: DataPoint<number>): LinkRow {
    const { attributes } = point
    let row = source.known.get(attributes)
    if (row !== undefined && !row.forgotten) return row
    const key = seriesKey(attributes)
    row = source.rows.get(key)
    if (row === undefined) {
      const link = findLink(source, identify(attributes, groupBy))
      const peers = addressesOf(attributes).map((address) => findPeer(source.peers, address))
      row = { ...createRow(startMs(point)), link, peers, forgotten: false }
      for (const peer of peers) peer.rows.add(row)
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
    if (cached !== undefined) return cached
    for (const { peers } of sources.values())
      for (const peer of peers.values()) if (isProbed(peer, roundNumber)) updateMemory(peer, roundNumber, kinds)
    cached = { timeMs, intervalMs, ...describeSources(), links: [...links.values()].map(describe) }
    return cached
  }

  function describe(link: LinkState): Link {
    const seen: Row[] = []
    const probed = new Set<Peer>()
    const used = new Set<Peer>()
    for (const row of link.rows) {
      if (row.seenRound !== roundNumber) continue
      seen.push(row)
      for (const peer of row.peers) {
        if (!isProbed(peer, roundNumber)) continue
        probed.add(peer)
        if (isInUse(row, kinds)) used.add(peer)
      }
    }
    const parts = { number: roundNumber, rows: seen, probed: [...probed], used: [...used] }
    const measured = measure(link.identity, parts, intervalMs, kinds)
    link.next =
      seen.length === 0 ? link.standing : advance(link.standing, judge(measured.sample, thresholds), hysteresis)
    return toLink(link, measured, link.next)
  }

  function describeSources() {
    let host: string | undefined
    let containers = 0
    for (const { attributes, rows } of sources.values()) {
      host ??= attributes['host.name'] as string | undefined
      if (rows.size > 0) containers++
    }
    return { containers, host }
  }

  return { add, current }
}

/** What an outbound point's connections reach. */
function addressesOf({ direction, ...attributes }: Attributes): string[] {
  if (direction === 'inbound') return []
  const both = [attributes['destination.address'], attributes['network.peer.address']]
  return [...new Set(both.filter((address) => typeof address === 'string'))]
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
