import '../../src/heap.ts'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Outbound } from '../../src/receivers/netvitals/metrics/metrics.gen.ts'
import { createStore } from '../../src/receivers/netvitals/metrics/store.ts'
import type { LinkRef, Store } from '../../src/receivers/netvitals/metrics/types.ts'
import { ofAllRounds, type Rounds, roundsOnWholeCore } from './core.ts'
import { longestHoldMs } from './processes.ts'
import { atMost, type BenchRow, information, median } from './row.ts'

// What a link with connections and no failures has.
const SERIES_PER_LINK = 9
const LINKS_PER_CONTAINER = 200
const CYCLE_MS = 10_000
const epochMs = 1_700_000_000_000
const MAX_SERIES_BYTES = 600
const MAX_RECORD_NS = 200
const MAX_HOLD_MS = 20
const CYCLES = 22

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

interface Filled {
  store: Store
  links: LinkRef[]
}

function fill(seriesCount: number): Filled {
  const store = createStore({
    self: { 'service.name': 'netvitals', 'service.instance.id': 'bench' },
    version: '0',
    maxSeries: seriesCount * 2,
  })
  const links: LinkRef[] = []
  let container = 0
  for (let index = 0; index < seriesCount / SERIES_PER_LINK; index++) {
    if (index % LINKS_PER_CONTAINER === 0) {
      const name = `container-${index / LINKS_PER_CONTAINER}`
      container = store.container(name, {
        'service.name': name,
        'service.instance.id': `${name}-0123456789ab`,
        'container.id': `${name}-0123456789ab`,
      })
    }
    const address = `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`
    const attributes = () => ({
      'destination.address': address,
      'destination.port': 443,
      'network.peer.address': `${address}`,
      'network.peer.port': 8443,
      'network.type': 'ipv4',
      'destination.scope': 'cluster',
    })
    links.push(store.link(container, 'outbound', `${address}:443>8443`, attributes, epochMs))
  }
  for (const link of links) store.addActive(link, 1)
  return { store, links }
}

/** A walk's record of each live connection. */
function walk(store: Store, links: readonly LinkRef[]): void {
  store.resetRtt()
  for (const link of links) {
    store.add(link, Outbound.bytesSent, 1234)
    store.add(link, Outbound.bytesReceived, 4321)
    store.add(link, Outbound.segmentsSent, 7)
    store.addRtt(link, 0.00123)
  }
}

function heldBytes(): number {
  for (let round = 0; round < 4; round++) collectGarbage()
  const { heapUsed, arrayBuffers, external } = process.memoryUsage()
  // arrayBuffers is part of external.
  return heapUsed + Math.max(arrayBuffers, external)
}

async function bytesPerSeries(seriesCount: number): Promise<number> {
  const before = heldBytes()
  const { store, links } = fill(seriesCount)
  walk(store, links)
  await store.collect(epochMs + CYCLE_MS)
  const bytes = heldBytes() - before
  return bytes / store.stats().series
}

/** The records of a connection: one in four opens or ends, the rest are samples. Links in a scattered order. */
function nsPerRecord(): Promise<Rounds<number>> {
  const { store, links } = fill(100_000)
  const order = links.map((_, index) => links[(index * 7919) % links.length]!)
  const passes = 10
  let now = epochMs
  function pass() {
    now++
    for (const link of order) {
      store.retain(link, now)
      store.add(link, Outbound.successfulConnects, 1)
      store.add(link, Outbound.connectionTime, 0.001)
      store.addActive(link, 1)
      store.add(link, Outbound.bytesSent, 1234)
      store.add(link, Outbound.bytesReceived, 4321)
      store.add(link, Outbound.segmentsSent, 7)
      store.add(link, Outbound.retransmitsData, 1)
      store.release(link)
    }
  }
  return roundsOnWholeCore(() => {
    const start = performance.now()
    for (let i = 0; i < passes; i++) pass()
    return ((performance.now() - start) * 1e6) / (passes * order.length)
  })
}

/** What one cycle takes, and the longest time that it held the event loop, garbage collection included. */
async function collectMs(seriesCount: number): Promise<{ totalMs: number; longestMs: number }> {
  const { store, links } = fill(seriesCount)
  const totals: number[] = []
  const holds: number[] = []
  for (let cycle = 1; cycle <= CYCLES; cycle++) {
    walk(store, links)
    await nextTurn()
    const start = performance.now()
    const hold = await longestHoldMs(async () => {
      const batch = await store.collect(epochMs + cycle * CYCLE_MS)
      if (batch.length < 2) throw new Error('nothing was collected')
    })
    totals.push(performance.now() - start)
    // The first cycles make the attribute objects and are compiled meanwhile.
    if (cycle > 2) holds.push(hold)
  }
  return { totalMs: median(totals), longestMs: Math.max(...holds) }
}

export async function bench(): Promise<BenchRow[]> {
  const at100k = await bytesPerSeries(100_000)
  const at200k = await bytesPerSeries(200_000)
  const nsRecord = await nsPerRecord()
  const small = await collectMs(100_000)
  const large = await collectMs(200_000)
  return [
    atMost('store: memory of a series at 100,000', at100k, 'B', MAX_SERIES_BYTES),
    atMost('store: memory of a series at 200,000', at200k, 'B', MAX_SERIES_BYTES),
    atMost('store: nine calls for a record', median(nsRecord.counted), 'ns', MAX_RECORD_NS),
    ofAllRounds('store: nine calls', nsRecord, 'ns'),
    information('store: collecting 100,000 series', small.totalMs, 'ms'),
    atMost('store: event loop held by it, at most', small.longestMs, 'ms', MAX_HOLD_MS),
    information('store: collecting 200,000 series', large.totalMs, 'ms'),
    atMost('store: event loop held by it, at most, 200,000', large.longestMs, 'ms', MAX_HOLD_MS),
  ]
}

if (import.meta.main) console.table(await bench())
