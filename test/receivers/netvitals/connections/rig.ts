import { createConnections } from '../../../../src/receivers/netvitals/connections/connections.ts'
import { createLinks, type LinksOptions } from '../../../../src/receivers/netvitals/connections/links.ts'
import { type ContainersOptions, createContainers } from '../../../../src/receivers/netvitals/containers/index.ts'
import { createDestinations, type DestinationsOptions } from '../../../../src/receivers/netvitals/destinations/index.ts'
import { createRecords, eachRecord, type Records } from '../../../../src/receivers/netvitals/kernel/decode.ts'
import {
  ConnLayout,
  Direction,
  EndedLayout,
  EndsLayout,
  Flag,
  Kind,
} from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { metrics } from '../../../../src/receivers/netvitals/metrics/metrics.gen.ts'
import { createStore } from '../../../../src/receivers/netvitals/metrics/store.ts'

export const ESTABLISHED = 1
export const SYN_SENT = 2
export const CLOSE = 7
export const CLOSE_WAIT = 8

/** struct nv_conn, with what is usual where nothing is said. */
export interface Conn {
  kind: number
  id: number
  cgroup?: bigint
  netns?: number
  family?: 4 | 6
  direction?: number
  flags?: number
  state?: number
  error?: number
  connectNs?: number
  bytesSent?: number
  bytesReceived?: number
  segmentsSent?: number
  retransData?: number
  retransHandshake?: number
  srttUs?: number
  local?: readonly number[]
  localPort?: number
  remote?: readonly number[]
  remotePort?: number
}

export function bytesOf(records: readonly Conn[]): Uint8Array {
  const bytes = new Uint8Array(records.length * ConnLayout.size)
  const view = new DataView(bytes.buffer)
  for (const [index, r] of records.entries()) {
    const at = index * ConnLayout.size
    const u32 = (offset: number, value: number) => view.setUint32(at + offset, value, true)
    const u64 = (offset: number, value: number | bigint) => view.setBigUint64(at + offset, BigInt(value), true)
    u32(ConnLayout.kind, r.kind)
    u32(ConnLayout.netns, r.netns ?? 1)
    u64(ConnLayout.id, r.id)
    u64(ConnLayout.cgroupId, r.cgroup ?? 1n)
    u64(ConnLayout.connectNs, r.connectNs ?? 0)
    u64(ConnLayout.bytesSent, r.bytesSent ?? 0)
    u64(ConnLayout.bytesReceived, r.bytesReceived ?? 0)
    u32(ConnLayout.segmentsSent, r.segmentsSent ?? 0)
    u32(ConnLayout.retransData, r.retransData ?? 0)
    u32(ConnLayout.retransHandshake, r.retransHandshake ?? 0)
    u32(ConnLayout.srttUs, r.srttUs ?? 0)
    u32(ConnLayout.error, r.error ?? 0)
    view.setUint8(at + ConnLayout.state, r.state ?? (r.kind === Kind.end || r.kind === Kind.fail ? CLOSE : ESTABLISHED))
    view.setUint8(at + ConnLayout.direction, r.direction ?? Direction.outbound)
    view.setUint8(at + ConnLayout.family, r.family ?? 4)
    view.setUint8(at + ConnLayout.flags, r.flags ?? Flag.established)
    view.setUint16(at + ConnLayout.localPort, r.localPort ?? 40_000, true)
    view.setUint16(at + ConnLayout.remotePort, r.remotePort ?? 443, true)
    bytes.set(r.local ?? [10, 0, 0, 1], at + ConnLayout.local)
    bytes.set(r.remote ?? [10, 0, 0, 2], at + ConnLayout.remote)
  }
  return bytes
}

/** One record of Kind.ends in a buffer of its own, as the reader of the ring joins these: they have a link in common. */
export function joinedOf(ends: readonly Conn[]): Records {
  const placeOf = (index: number) => ConnLayout.size + EndsLayout.size + index * EndedLayout.size
  const bytes = new Uint8Array(placeOf(ends.length))
  const view = new DataView(bytes.buffer)
  const sum = (of: (end: Conn) => number | undefined) => ends.reduce((total, end) => total + (of(end) ?? 0), 0)
  const joined = {
    ...ends[0]!,
    ...{ kind: Kind.ends, id: ConnLayout.size, state: CLOSE },
    connectNs: sum((end) => end.connectNs),
    bytesSent: sum((end) => end.bytesSent),
    bytesReceived: sum((end) => end.bytesReceived),
    segmentsSent: sum((end) => end.segmentsSent),
    retransData: sum((end) => end.retransData),
    retransHandshake: sum((end) => end.retransHandshake),
  }
  bytes.set(bytesOf([joined]))
  const u32 = (at: number, value: number) => view.setUint32(ConnLayout.size + at, value, true)
  u32(EndsLayout.kind, ends[0]!.kind)
  u32(EndsLayout.count, ends.length)
  view.setBigUint64(ConnLayout.size + EndsLayout.srttUs, BigInt(sum((end) => end.srttUs)), true)
  u32(EndsLayout.withSrtt, ends.filter(({ srttUs = 0 }) => srttUs > 0).length)
  u32(EndsLayout.first, placeOf(0))
  u32(EndsLayout.last, placeOf(ends.length - 1))
  for (const [index, end] of ends.entries()) {
    view.setUint32(placeOf(index) + EndedLayout.next, index + 1 < ends.length ? placeOf(index + 1) : 0, true)
    bytes.set(bytesOf([end]), placeOf(index) + EndedLayout.r)
  }
  return createRecords(bytes)
}

/** `<container> <metric, short> <distinguishing attributes>` -> value, for all sums and gauges of a cycle. */
export type Totals = Map<string, number>

export const dockerId = (n: number) => n.toString(16).padStart(64, '0')

/** The stages from records to series as the receiver joins them, without a kernel. */
export function createRig({
  clientAddress = false,
  listeners = false,
  idleMs = 60_000,
  ofContainers = {} as ContainersOptions,
  ofDestinations = {} as DestinationsOptions['config'],
  ports = undefined as LinksOptions['ports'],
} = {}) {
  const host = { id: 'host-id', name: 'host-name' }
  // No runtime of the machine's: what is not here is nobody's.
  const containers = createContainers({ host, runtimes: [], ...ofContainers })
  const destinations = createDestinations({
    config: ofDestinations ?? {},
    readLocal: () => ({ addresses: [], containerNetworks: [] }) as never,
  })
  const enabledMetrics = new Set(metrics.map(({ name }) => name))
  const store = createStore({
    self: { 'service.name': 'netvitals', 'service.instance.id': 'host-id' },
    version: '0',
    enabledMetrics,
  })
  const links = createLinks({ store, containers, destinations, clientAddress, idleMs, ports })
  const connections = createConnections({ store, links, listeners })
  let nowMs = Date.now()

  function apply(...records: readonly Conn[]) {
    const bytes = bytesOf(records)
    nowMs = Math.max(nowMs, Date.now())
    connections.beginBatch(nowMs)
    eachRecord(createRecords(bytes), bytes.length, (r, kind) => connections.apply(r, kind))
  }

  /** Ends that have a link in common, as one record. */
  function applyEnds(...ends: readonly Conn[]): boolean {
    nowMs = Math.max(nowMs, Date.now())
    connections.beginBatch(nowMs)
    return connections.applyEnds(joinedOf(ends))
  }

  /** A cycle: the walk's end, what is exported, what comes after. */
  async function cycle(endsLost = 0): Promise<Totals> {
    connections.endWalk(endsLost)
    return collect()
  }

  async function collect(): Promise<Totals> {
    nowMs += 10_000
    const totals: Totals = new Map()
    for (const { resource, scopeMetrics } of await store.collect(nowMs)) {
      const container = String(resource.attributes['container.id'] ?? resource.attributes['service.name'])
      for (const { metrics } of scopeMetrics)
        for (const { descriptor, dataPoints } of metrics)
          for (const { attributes, value } of dataPoints) {
            const parts = [
              container.replace(/^0+(?=.)/, ''),
              descriptor.name.replace(/^container\.net\.tcp\./, ''),
              attributes.direction,
              attributes['error.type'],
              attributes['network.tcp.retransmit.type'],
              attributes['destination.address'] &&
                `${attributes['destination.address']}:${attributes['destination.port'] ?? '*'}`,
              attributes['client.address'],
            ]
            totals.set(parts.filter((part) => part !== undefined).join(' '), value as number)
          }
    }
    connections.endCycle()
    return totals
  }

  return {
    apply,
    applyEnds,
    cycle,
    connections,
    links,
    store,
    containers,
    destinations,
    /** A container's cgroup, its id the same number. */
    container(id: number) {
      containers.cgroupCreated(BigInt(id), `/docker/${dockerId(id)}`)
      return dockerId(id).replace(/^0+/, '')
    },
    get nowMs() {
      return nowMs
    },
  }
}

/** Those of the totals whose name holds all of these words. */
export function only(totals: Totals, ...words: string[]): Record<string, number> {
  return Object.fromEntries([...totals].filter(([name]) => words.every((word) => name.split(' ').includes(word))))
}

/** Their sum. */
export function sum(totals: Totals, ...words: string[]): number {
  return Object.values(only(totals, ...words)).reduce((total, value) => total + value, 0)
}
