import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DataPoint, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { Listen, metrics, Outbound, Probe } from '../../../../src/receivers/netvitals/metrics/metrics.gen.ts'
import { createStore, type StoreOptions } from '../../../../src/receivers/netvitals/metrics/store.ts'
import type { LinkKind, Store } from '../../../../src/receivers/netvitals/metrics/types.ts'

const t0 = 1_700_000_000_000
const enabledMetrics = new Set(metrics.map(({ name }) => name))

function create(options: Partial<StoreOptions> = {}) {
  const self = { 'service.name': 'netvitals', 'service.instance.id': 'host-id' }
  const store = createStore({ self, version: '1.2.3', enabledMetrics, ...options })
  const container = store.container('web', { 'service.name': 'web', 'service.instance.id': 'web' })
  const link = (kind: LinkKind, address: string, nowMs = t0) =>
    store.link(container, kind, address, () => ({ 'destination.address': address }), nowMs)
  return { store, container, link }
}

/** `<metric, short> <address> <result> <error.type>` -> value, without TCP's. */
function told(batch: readonly ResourceMetrics[]): Record<string, number> {
  const entries = batch.flatMap(({ scopeMetrics }) =>
    scopeMetrics[0]!.metrics.flatMap(({ descriptor, dataPoints }) =>
      (dataPoints as DataPoint<number>[]).flatMap(({ attributes: a, value }): [string, number][] => {
        if (!/^container\.net\.(latency|probes)$/.test(descriptor.name)) return []
        const address = a['otel.metric.overflow'] ? 'overflow' : a['destination.address']
        const parts = [descriptor.name.slice(14), address, a.result, a['error.type']]
        return [[parts.filter((part) => part !== undefined).join(' '), value]]
      }),
    ),
  )
  return Object.fromEntries(entries)
}

const zeros = (address: string) => ({ [`probes ${address} reply`]: 0, [`probes ${address} timeout`]: 0 })

const collect = async (store: Store, ms: number) => told(await store.collect(t0 + ms))

describe('a probe link', () => {
  test('counts replies and timeouts from 0 on, other results once there was one', async () => {
    const { store, link } = create()
    const probe = link('probe', 'a')
    assert.deepEqual(await collect(store, 10), zeros('a'))
    store.add(probe, Probe.probesReply, 1)
    store.add(probe, Probe.probesErrorEperm, 2)
    store.add(probe, Probe.probesUnreachableAdminProhibited, 3)
    assert.deepEqual(await collect(store, 20), {
      'probes a reply': 1,
      'probes a timeout': 0,
      'probes a unreachable admin_prohibited': 3,
      'probes a error EPERM': 2,
    })
  })

  test('has NaN as a latency, which is not the same as none', async () => {
    const { store, link } = create()
    const probe = link('probe', 'a')
    store.set(probe, Probe.latency, 0.25)
    assert.equal((await collect(store, 10))['latency a'], 0.25)
    store.set(probe, Probe.latency, Number.NaN)
    assert.ok(Number.isNaN((await collect(store, 20))['latency a']))
    assert.ok(Number.isNaN((await collect(store, 30))['latency a']), 'as of the last probe, in every cycle')
    store.unset(probe, Probe.latency)
    assert.deepEqual(await collect(store, 40), zeros('a'))
    assert.equal(store.stats().refused, 0)
  })

  test('NaN is a value of latency alone, and an infinite latency is none', async () => {
    const { store, link } = create()
    store.set(link('listen', ':80'), Listen.listen, Number.NaN)
    store.set(link('probe', 'a'), Probe.latency, Number.NEGATIVE_INFINITY)
    store.add(link('probe', 'a'), Probe.probesReply, Number.NaN)
    assert.equal(store.stats().refused, 3)
    assert.deepEqual(await collect(store, 10), zeros('a'))
  })

  test('keeps its counts when it is released, and no latency, until it has idled', async () => {
    const { store, link } = create({ seriesTtlMs: 60_000 })
    const probe = link('probe', 'a')
    store.add(probe, Probe.probesReply, 1)
    store.set(probe, Probe.latency, 0.25)
    await store.collect(t0 + 10)
    store.unset(probe, Probe.latency)
    store.release(probe)
    assert.deepEqual(await collect(store, 20_000), { 'probes a reply': 1, 'probes a timeout': 0 })
    assert.deepEqual(await collect(store, 90_000), {})
    assert.equal(store.stats().links, 0)
  })

  test('takes no place of a destination, and loses none to one', async () => {
    const { store, link } = create({ maxDestinationsPerContainer: 2 })
    for (const address of ['a', 'b', 'c', 'd']) store.release(link('probe', address))
    for (const address of ['a', 'b']) store.add(link('outbound', address), Outbound.bytesSent, 1)
    await store.collect(t0 + 10)
    assert.deepEqual([store.stats().links, store.stats().evicted], [6, 0])
    for (const address of ['c', 'd', 'e']) link('outbound', address, t0 + 20)
    await store.collect(t0 + 30)
    assert.equal(store.stats().links, 6, 'four probes, two destinations')
    assert.equal(Object.keys(await collect(store, 40)).length, 8)
  })

  test('goes like any other where there are too many series in all, its counts to overflow', async () => {
    const { store, link } = create({ maxSeries: 8 })
    const [a, b, c] = ['a', 'b', 'c'].map((address) => link('probe', address))
    for (const probe of [a!, b!, c!]) {
      store.add(probe, Probe.probesReply, 1)
      store.set(probe, Probe.latency, 0.5)
    }
    const seen = await collect(store, 10)
    const replies = Object.entries(seen).filter(([name]) => name.endsWith('reply'))
    assert.equal(
      replies.reduce((sum, [, value]) => sum + value, 0),
      3,
    )
    assert.equal(seen['latency overflow'], undefined)
    assert.ok(store.stats().gaugesLeftOut > 0)
  })
})
