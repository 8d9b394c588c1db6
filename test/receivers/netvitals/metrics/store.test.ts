import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import type { DataPoint, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { Inbound, Listen, metrics, Outbound } from '../../../../src/receivers/netvitals/metrics/metrics.gen.ts'
import { namings } from '../../../../src/receivers/netvitals/metrics/naming.ts'
import { createStore, type StoreOptions } from '../../../../src/receivers/netvitals/metrics/store.ts'
import type { Store } from '../../../../src/receivers/netvitals/metrics/types.ts'

const t0 = 1_700_000_000_000
const self = { 'service.name': 'netvitals', 'service.instance.id': 'host-id', 'host.name': 'host' }

function create(options: Partial<StoreOptions> = {}): Store {
  return createStore({ self, version: '1.2.3', ...options })
}

function begin(store: Store, instance = 'web-1', key = instance) {
  return store.container(key, { 'service.name': 'web', 'service.instance.id': instance, 'container.id': key })
}

function dial(store: Store, container: number, address: string, nowMs = t0): number {
  return store.link(container, 'outbound', address, () => ({ 'destination.address': address }), nowMs)
}

/** The points of a metric, of one container or all. */
function points(batch: readonly ResourceMetrics[], metric: string, instance?: string): DataPoint<number>[] {
  return batch
    .filter(({ resource }) => !instance || resource.attributes['service.instance.id'] === instance)
    .flatMap(({ scopeMetrics }) => scopeMetrics[0]!.metrics)
    .filter(({ descriptor }) => descriptor.name === `container.net.tcp.${metric}`)
    .flatMap(({ dataPoints }) => dataPoints as DataPoint<number>[])
}

function values(batch: readonly ResourceMetrics[], metric: string, instance?: string): Record<string, number> {
  const name = ({ attributes: a }: { attributes: Attributes }) =>
    String(a['otel.metric.overflow'] ? 'overflow' : a['destination.address'])
  return Object.fromEntries(points(batch, metric, instance).map((point) => [name(point), point.value]))
}

function names(batch: readonly ResourceMetrics[], instance = 'web-1'): string[] {
  return batch
    .filter(({ resource }) => resource.attributes['service.instance.id'] === instance)
    .flatMap(({ scopeMetrics }) => scopeMetrics[0]!.metrics.map(({ descriptor }) => descriptor.name.split('.').at(-1)!))
}

describe('what is emitted', () => {
  test('a link whose attempts all failed has its failures, and no bytes to speak of', async () => {
    const store = create()
    store.add(dial(store, begin(store), 'a'), Outbound.failedConnectsTimedOut, 1)
    const batch = await store.collect(t0 + 10)
    assert.deepEqual(names(batch), ['successful_connects', 'failed_connects', 'active_connections'])
    assert.deepEqual(
      { ...points(batch, 'failed_connects')[0]!.attributes },
      {
        'destination.address': 'a',
        'error.type': 'timed_out',
      },
    )
  })

  test('a link that had a connection has all it can say of one, from 0 on and for good', async () => {
    const store = create()
    const link = dial(store, begin(store), 'a')
    store.addActive(link, 1)
    const established = ['successful_connects', 'connection_time', 'active_connections', 'retransmits']
    const expected = [...established, 'segments_sent', 'bytes_sent', 'bytes_received']
    assert.deepEqual(names(await store.collect(t0 + 10)), expected)
    store.addActive(link, -1)
    assert.deepEqual(names(await store.collect(t0 + 20)), expected)
  })

  test('retransmits of handshakes come once there is one', async () => {
    const store = create()
    const link = store.link(begin(store), 'inbound', ':80', () => ({ 'destination.port': 80 }), t0)
    store.add(link, Inbound.retransmitsHandshake, 3)
    const found = points(await store.collect(t0 + 10), 'retransmits')
    assert.deepEqual(
      found.map(({ attributes, value }) => [attributes['network.tcp.retransmit.type'], attributes.direction, value]),
      [['handshake', 'inbound', 3]],
    )
  })

  test('rtt is the mean of the current round, and left out without a sample in it', async () => {
    const store = create()
    const link = dial(store, begin(store), 'a')
    store.resetRtt()
    store.addRtt(link, 0.25)
    store.addRtt(link, 0.75)
    assert.deepEqual(values(await store.collect(t0 + 10), 'rtt'), { a: 0.5 })
    store.resetRtt()
    assert.deepEqual(values(await store.collect(t0 + 20), 'rtt'), {})
    store.addRtt(link, 0.125)
    assert.deepEqual(values(await store.collect(t0 + 30), 'rtt'), { a: 0.125 })
  })

  test('a listening address is told while it is listened on, where the metric is enabled', async () => {
    const enabledMetrics = new Set(metrics.map(({ name }) => name))
    for (const [store, expected] of [
      [create({ enabledMetrics }), { '0.0.0.0': 1 }],
      [create(), {}],
    ] as const) {
      const link = store.link(begin(store), 'listen', ':80', () => ({ 'destination.address': '0.0.0.0' }), t0)
      store.set(link, Listen.listen, Number.NaN)
      assert.deepEqual(values(await store.collect(t0 + 10), 'listen'), expected)
      store.release(link)
      assert.deepEqual(values(await store.collect(t0 + 20), 'listen'), {})
      assert.equal(store.stats().links, 0)
    }
  })

  test('the program tells its version with every cycle, on a resource of its own', async () => {
    const store = create()
    for (const nowMs of [t0, t0 + 10]) {
      const [own, ...others] = await store.collect(nowMs)
      assert.equal(others.length, 0)
      assert.deepEqual({ ...own!.resource.attributes }, { ...self, 'service.version': '1.2.3' })
      assert.deepEqual(own!.scopeMetrics[0]!.scope, { name: 'netvitals', version: '1.2.3' })
      const [info] = own!.scopeMetrics[0]!.metrics
      assert.equal(info!.descriptor.name, 'netvitals.build.info')
      assert.equal(info!.dataPoints[0]!.value, 1)
    }
  })

  test('what is disabled is left out, but for what identifies', async () => {
    const store = create({
      enabledMetrics: new Set(['container.net.tcp.bytes_sent']),
      enabledResourceAttributes: new Set(['container.id']),
    })
    const container = store.container('k', {
      'service.name': 'web',
      'service.instance.id': 'web-1',
      'container.id': 'k',
      'host.name': 'h',
    })
    store.add(dial(store, container, 'a'), Outbound.bytesSent, 7)
    const batch = await store.collect(t0 + 10)
    assert.deepEqual(names(batch), ['bytes_sent'])
    assert.deepEqual(Object.keys(batch[0]!.resource.attributes), [
      'service.name',
      'service.instance.id',
      'container.id',
    ])
  })

  test('naming coroot changes what comes out of the store and nothing in it', async () => {
    const store = create({ naming: namings.coroot })
    const attributes = { 'destination.address': '10.0.0.1', 'destination.port': 80 }
    const link = store.link(begin(store), 'outbound', 'a', () => attributes, t0)
    store.add(link, Outbound.retransmitsData, 2)
    const batch = await store.collect(t0 + 10)
    assert.equal('container.id' in batch[0]!.resource.attributes, false)
    assert.deepEqual(
      { ...points(batch, 'retransmits')[0]!.attributes },
      {
        container_id: '/docker/web-1',
        destination: '10.0.0.1:80',
        'network.tcp.retransmit.type': 'data',
      },
    )
  })
})

describe('objects', () => {
  test('resources and attributes are frozen and the same in each cycle, points are new ones', async () => {
    const store = create()
    const link = dial(store, begin(store), 'a')
    store.add(link, Outbound.bytesSent, 1)
    const first = await store.collect(t0 + 10)
    store.add(link, Outbound.bytesSent, 1)
    const second = await store.collect(t0 + 20)
    assert.equal(first[0]!.resource, second[0]!.resource)
    assert.ok(Object.isFrozen(first[0]!.resource) && Object.isFrozen(first[0]!.resource.attributes))
    const [one, two] = [points(first, 'bytes_sent')[0]!, points(second, 'bytes_sent')[0]!]
    assert.equal(one.attributes, two.attributes)
    assert.ok(Object.isFrozen(one.attributes))
    assert.equal(one.startTime, two.startTime)
    assert.deepEqual([one.value, two.value], [1, 2])
  })

  test('columns with equal attributes share one object, and a cycle has one end time', async () => {
    const store = create()
    store.addActive(dial(store, begin(store), 'a'), 1)
    const batch = await store.collect(t0 + 10)
    const [sent, received] = [points(batch, 'bytes_sent')[0]!, points(batch, 'bytes_received')[0]!]
    assert.equal(sent.attributes, received.attributes)
    assert.equal(sent.endTime, received.endTime)
    assert.notEqual(sent.attributes, points(batch, 'retransmits')[0]!.attributes)
  })

  test('attributes are asked for when a link is new, and only then', () => {
    const store = create()
    const container = begin(store)
    let asked = 0
    const attributes = () => {
      asked++
      return {}
    }
    const first = store.link(container, 'outbound', 'a', attributes, t0)
    assert.equal(store.link(container, 'outbound', 'a', attributes, t0), first)
    assert.equal(asked, 1)
    store.link(container, 'inbound', 'a', attributes, t0)
    assert.equal(asked, 2)
  })
})

describe('limits', () => {
  test('the least recently active link makes room, and comes back from 0 with a new start time', async () => {
    const store = create({ maxDestinationsPerContainer: 2 })
    const container = begin(store)
    const [a, b] = [dial(store, container, 'a'), dial(store, container, 'b')]
    for (const link of [a, b]) store.add(link, Outbound.bytesSent, 5)
    store.release(a)
    store.release(b)
    const [first] = points(await store.collect(t0 + 10), 'bytes_sent')
    dial(store, container, 'b', t0 + 15)
    await store.collect(t0 + 20)
    dial(store, container, 'c', t0 + 30)
    assert.deepEqual(Object.keys(values(await store.collect(t0 + 40), 'successful_connects')).sort(), ['b', 'c'])
    assert.equal(store.stats().evicted, 1)
    await store.collect(t0 + 50)
    store.add(dial(store, container, 'a', t0 + 60), Outbound.bytesSent, 1)
    const again = points(await store.collect(t0 + 70), 'bytes_sent').find(
      (p) => p.attributes['destination.address'] === 'a',
    )
    assert.equal(again!.value, 1)
    assert.notDeepEqual(again!.startTime, first!.startTime)
  })

  test('a row with increments that were not told yet stays: the newcomer is counted by overflow', async () => {
    const store = create({ maxDestinationsPerContainer: 1 })
    const container = begin(store)
    store.add(dial(store, container, 'a'), Outbound.bytesSent, 5)
    store.add(dial(store, container, 'b'), Outbound.bytesSent, 7)
    const batch = await store.collect(t0 + 10)
    assert.deepEqual(values(batch, 'bytes_sent'), { a: 5, overflow: 7 })
    const { attributes } = points(batch, 'bytes_sent').find((point) => point.attributes['otel.metric.overflow'])!
    assert.deepEqual({ ...attributes }, { 'otel.metric.overflow': true, direction: 'outbound' })
    assert.equal(store.stats().overflowed, 1)
  })

  test("an evicted link's past stays where it was told; only what follows is overflow", async () => {
    const store = create({ maxDestinationsPerContainer: 1 })
    const container = begin(store)
    const a = dial(store, container, 'a')
    store.add(a, Outbound.bytesSent, 1_000)
    store.addActive(a, 1)
    await store.collect(t0 + 10)
    const b = dial(store, container, 'b', t0 + 15)
    store.addActive(b, 1)
    store.add(a, Outbound.bytesSent, 3)
    const batch = await store.collect(t0 + 20)
    assert.deepEqual(values(batch, 'bytes_sent'), { b: 0, overflow: 3 })
    assert.deepEqual(values(batch, 'active_connections'), { a: 0, b: 1, overflow: 1 })
    store.addActive(b, -1)
    store.release(b)
    await store.collect(t0 + 30)
    store.retain(a, t0 + 45)
    store.retain(a, t0 + 45)
    assert.deepEqual(values(await store.collect(t0 + 50), 'active_connections'), { a: 1, overflow: 0 })
  })

  test('a link in use goes only where every other is in use, too', async () => {
    const store = create({ maxDestinationsPerContainer: 2 })
    const container = begin(store)
    dial(store, container, 'used')
    await store.collect(t0 + 10)
    store.release(dial(store, container, 'unused', t0 + 15))
    await store.collect(t0 + 20)
    dial(store, container, 'new', t0 + 30)
    assert.deepEqual(Object.keys(values(await store.collect(t0 + 40), 'successful_connects')).sort(), ['new', 'used'])
  })

  test('a link in use without a row gets one as soon as there is room', async () => {
    const store = create({ maxDestinationsPerContainer: 1, seriesTtlMs: 1_000 })
    const container = begin(store)
    store.release(dial(store, container, 'a'))
    const b = dial(store, container, 'b')
    store.addActive(b, 2)
    assert.deepEqual(values(await store.collect(t0 + 10), 'active_connections'), { a: 0, overflow: 2 })
    await store.collect(t0 + 2_000)
    assert.deepEqual(values(await store.collect(t0 + 4_000), 'active_connections'), { b: 2, overflow: 0 })
  })

  test('series in all are limited, by the least recently active of any container', async () => {
    const store = create({ maxSeries: 20 })
    const [one, two] = [begin(store, 'one'), begin(store, 'two')]
    store.release(dial(store, one, 'a'))
    store.release(dial(store, two, 'b'))
    await store.collect(t0 + 10)
    dial(store, two, 'b', t0 + 15)
    dial(store, two, 'c', t0 + 15)
    const batch = await store.collect(t0 + 20)
    assert.deepEqual(values(batch, 'successful_connects', 'one'), {})
    assert.deepEqual(values(batch, 'successful_connects', 'two'), { b: 0, c: 0 })
  })

  test("where there is no room for a container's own overflow, the program's takes it", async () => {
    const store = create({ maxSeries: 9 })
    dial(store, begin(store, 'one'), 'a')
    store.add(dial(store, begin(store, 'two'), 'b'), Outbound.failedConnectsRefused, 4)
    const batch = await store.collect(t0 + 10)
    assert.deepEqual(values(batch, 'failed_connects', 'host-id'), { overflow: 4 })
    assert.deepEqual(values(batch, 'failed_connects', 'two'), {})
  })

  test('a container that needs overflow gets it at the expense of a link that nobody uses', async () => {
    const store = create({ maxSeries: 18, maxDestinationsPerContainer: 1 })
    const one = begin(store, 'one')
    const used = dial(store, one, 'a')
    store.release(dial(store, begin(store, 'two'), 'b'))
    await store.collect(t0 + 10)
    store.add(used, Outbound.bytesSent, 1)
    store.add(dial(store, one, 'c', t0 + 15), Outbound.bytesSent, 2)
    const batch = await store.collect(t0 + 20)
    assert.deepEqual(values(batch, 'bytes_sent', 'one'), { a: 1, overflow: 2 })
    assert.deepEqual(values(batch, 'successful_connects', 'two'), {})
  })

  test('a container that is gone gives back the room of its overflow', async () => {
    const store = create({ maxSeries: 18, maxDestinationsPerContainer: 1, containerLingerMs: 0 })
    const one = begin(store, 'one')
    for (const address of ['a', 'b']) dial(store, one, address)
    store.endContainer(one, t0 + 1)
    await store.collect(t0 + 10)
    for (const instance of ['two', 'three']) dial(store, begin(store, instance), 'c', t0 + 15)
    assert.equal(store.stats().links, 2)
  })

  test('gauges beyond the limit are left out and counted', async () => {
    const store = create({ maxDestinationsPerContainer: 1 })
    const container = begin(store)
    dial(store, container, 'a')
    const b = dial(store, container, 'b')
    store.resetRtt()
    store.addRtt(b, 0.1)
    assert.deepEqual(values(await store.collect(t0 + 10), 'rtt'), {})
    assert.equal(store.stats().gaugesLeftOut, 1)
  })

  test('a gauge that is set has that value, where its link has a row', async () => {
    const enabledMetrics = new Set(metrics.map(({ name }) => name))
    const store = create({ enabledMetrics, maxDestinationsPerContainer: 1 })
    const container = begin(store)
    const [a, b] = ['a', 'b'].map((address) =>
      store.link(container, 'listen', address, () => ({ 'destination.address': address }), t0),
    )
    store.set(a!, Listen.listen, 2)
    store.set(b!, Listen.listen, 3)
    assert.deepEqual(values(await store.collect(t0 + 10), 'listen', 'web-1'), { a: 2 })
    assert.equal(store.stats().gaugesLeftOut, 1)
  })

  test('a link idles for its time and goes, unless it is in use', async () => {
    const store = create({ seriesTtlMs: 60_000 })
    const container = begin(store)
    const [a, b] = [dial(store, container, 'a'), dial(store, container, 'b')]
    store.release(a)
    const seen = async (ms: number) => Object.keys(values(await store.collect(t0 + ms), 'successful_connects')).sort()
    assert.deepEqual(await seen(10_000), ['a', 'b'])
    assert.deepEqual(await seen(70_000), ['a', 'b'])
    assert.deepEqual(await seen(70_001), ['b'])
    store.release(b)
    assert.deepEqual(await seen(140_000), [])
    assert.equal(store.stats().evicted, 0)
  })

  test('what is no number, infinite, or takes away from a count is refused and counted', async () => {
    const store = create()
    const link = dial(store, begin(store), 'a')
    store.resetRtt()
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
      store.add(link, Outbound.bytesSent, wrong)
      store.addRtt(link, wrong)
    }
    assert.deepEqual(names(await store.collect(t0 + 10)), ['successful_connects', 'active_connections'])
    assert.equal(store.stats().refused, 6)
  })
})

describe('the end of a container', () => {
  test('its series are told until it has lingered, and then go', async () => {
    const store = create({ containerLingerMs: 30_000 })
    const container = begin(store)
    store.add(dial(store, container, 'a'), Outbound.bytesSent, 5)
    await store.collect(t0 + 10_000)
    store.endContainer(container, t0 + 11_000)
    assert.deepEqual(values(await store.collect(t0 + 20_000), 'bytes_sent'), { a: 5 })
    assert.deepEqual(values(await store.collect(t0 + 41_000), 'bytes_sent'), { a: 5 })
    assert.deepEqual(values(await store.collect(t0 + 50_000), 'bytes_sent'), {})
    assert.deepEqual([store.stats().containers, store.stats().links], [0, 0])
  })

  test('its last values are told before its successor, whose series are new', async () => {
    const store = create()
    const old = begin(store, 'web-1', 'old cgroup')
    store.add(dial(store, old, 'a'), Outbound.bytesSent, 5)
    const [before] = points(await store.collect(t0 + 10), 'bytes_sent')
    store.add(dial(store, old, 'a', t0 + 12), Outbound.bytesSent, 2)
    store.endContainer(old, t0 + 13)
    const successor = begin(store, 'web-1', 'new cgroup')
    assert.notEqual(successor, old)
    store.add(dial(store, successor, 'a', t0 + 15), Outbound.bytesSent, 1)
    const last = await store.collect(t0 + 20)
    assert.deepEqual(values(last, 'bytes_sent'), { a: 7 })
    assert.equal(last[0]!.resource.attributes['container.id'], 'old cgroup')
    const next = await store.collect(t0 + 30)
    assert.deepEqual(values(next, 'bytes_sent'), { a: 1 })
    assert.equal(next[0]!.resource.attributes['container.id'], 'new cgroup')
    assert.notDeepEqual(points(next, 'bytes_sent')[0]!.startTime, before!.startTime)
  })

  test('one that was told already makes way for its successor at once', async () => {
    const store = create()
    const old = begin(store, 'web-1', 'old cgroup')
    const link = dial(store, old, 'a')
    store.add(link, Outbound.bytesSent, 5)
    store.release(link)
    store.endContainer(old, t0 + 5)
    await store.collect(t0 + 10)
    store.add(dial(store, begin(store, 'web-1', 'new cgroup'), 'a', t0 + 15), Outbound.bytesSent, 1)
    assert.deepEqual(values(await store.collect(t0 + 20), 'bytes_sent'), { a: 1 })
  })

  test('one that ended before it was ever told goes on as its successor: nobody saw it', async () => {
    const store = create()
    const old = begin(store, 'web-1', 'old cgroup')
    store.add(dial(store, old, 'a'), Outbound.failedConnectsRefused, 5)
    store.endContainer(old, t0 + 5)
    store.add(dial(store, begin(store, 'web-1', 'new cgroup'), 'a', t0 + 6), Outbound.failedConnectsRefused, 1)
    const batch = await store.collect(t0 + 10)
    assert.deepEqual(values(batch, 'failed_connects'), { a: 6 })
    assert.equal(batch[0]!.resource.attributes['container.id'], 'new cgroup')
  })

  test('its successor begins later than it did, overflow included', async () => {
    const store = create({ maxDestinationsPerContainer: 1 })
    for (const key of ['old cgroup', 'new cgroup']) {
      const container = begin(store, 'web-1', key)
      for (const address of ['a', 'b']) store.add(dial(store, container, address), Outbound.bytesSent, 1)
    }
    const starts = (batch: ResourceMetrics[]) =>
      points(batch, 'bytes_sent', 'web-1').map(({ startTime }) => `${startTime}`)
    const old = starts(await store.collect(t0 + 10))
    const successor = starts(await store.collect(t0 + 20))
    assert.deepEqual([old.length, successor.length], [2, 2])
    for (const start of old) assert.ok(!successor.includes(start), start)
  })

  test('once it has a successor it begins no series any more', async () => {
    const store = create()
    const old = begin(store, 'web-1', 'old cgroup')
    dial(store, old, 'a')
    await store.collect(t0 + 10)
    begin(store, 'web-1', 'new cgroup')
    store.add(dial(store, old, 'b', t0 + 15), Outbound.bytesSent, 4)
    const batch = await store.collect(t0 + 20)
    assert.deepEqual(values(batch, 'bytes_sent', 'host-id'), { overflow: 4 })
    assert.deepEqual(values(batch, 'successful_connects', 'web-1'), { a: 0 })
  })

  test('what comes after it is gone is still counted, by the overflow of the program', async () => {
    const store = create({ containerLingerMs: 1_000 })
    const container = begin(store)
    const link = dial(store, container, 'a')
    store.addActive(link, 1)
    store.endContainer(container, t0 + 1)
    await store.collect(t0 + 5_000)
    store.add(link, Outbound.bytesSent, 9)
    store.add(dial(store, container, 'b', t0 + 6_000), Outbound.bytesSent, 1)
    const batch = await store.collect(t0 + 7_000)
    assert.deepEqual(values(batch, 'bytes_sent'), { overflow: 10 })
    store.addActive(link, -1)
    store.release(link)
    assert.deepEqual(values(await store.collect(t0 + 8_000), 'active_connections', 'host-id'), { overflow: 0 })
  })
})

describe('while a cycle is being collected', () => {
  const nextTurn = () => new Promise(setImmediate)

  test('what begins in a container before its last turn is told in a turn of its own', async () => {
    const store = create({ sliceMs: 0 })
    dial(store, begin(store, 'first'), 'x')
    const old = begin(store, 'web-1', 'old')
    dial(store, old, 'a')
    await store.collect(t0 + 10)
    const cycle = store.collect(t0 + 20)
    await nextTurn()
    store.add(dial(store, old, 'b', t0 + 21), Outbound.bytesSent, 5)
    begin(store, 'web-1', 'new')
    await cycle
    assert.equal(values(await store.collect(t0 + 30), 'bytes_sent', 'web-1').b, 5)
  })

  test('what comes to a container in its last turn is counted by the overflow of the program', async () => {
    const store = create({ sliceMs: 0, containerLingerMs: 1 })
    const old = begin(store)
    dial(store, old, 'a')
    dial(store, old, 'b')
    store.endContainer(old, t0 + 1)
    const cycle = store.collect(t0 + 10)
    await nextTurn()
    store.add(dial(store, old, 'c', t0 + 11), Outbound.bytesSent, 3)
    const told = [await cycle, await store.collect(t0 + 20)].map((batch) => values(batch, 'bytes_sent', 'host-id'))
    assert.deepEqual(told.at(-1), { overflow: 3 })
  })

  test('no row of a container in its last turn makes room for another', async () => {
    const store = create({ sliceMs: 0, containerLingerMs: 1, maxSeries: 18 })
    const old = begin(store)
    for (const address of ['a', 'b']) store.add(dial(store, old, address), Outbound.bytesSent, 1)
    await store.collect(t0 + 10)
    store.endContainer(old, t0 + 11)
    const cycle = store.collect(t0 + 20)
    await nextTurn()
    store.add(dial(store, begin(store, 'other'), 'c', t0 + 21), Outbound.bytesSent, 2)
    assert.deepEqual(values(await cycle, 'bytes_sent', 'web-1'), { a: 1, b: 1 })
    assert.deepEqual(values(await store.collect(t0 + 30), 'bytes_sent'), { overflow: 2 })
  })
})

describe('time', () => {
  test('a clock that is put back by hours begins every series anew once it was told', async () => {
    const store = create()
    const link = dial(store, begin(store), 'a')
    store.add(link, Outbound.bytesSent, 5)
    store.addActive(link, 1)
    await store.collect(t0 + 10)
    store.add(link, Outbound.bytesSent, 1)
    assert.deepEqual(values(await store.collect(t0 - 7_200_000), 'bytes_sent'), { a: 6 })
    store.add(link, Outbound.bytesSent, 2)
    const batch = await store.collect(t0 - 7_190_000)
    assert.deepEqual(values(batch, 'bytes_sent'), { a: 2 })
    assert.deepEqual(values(batch, 'active_connections'), { a: 1 })
    assert.deepEqual(points(batch, 'bytes_sent')[0]!.startTime, [(t0 - 7_200_000) / 1000, 0])
  })

  test('a clock that is put back by hours makes nothing idle or linger for hours', async () => {
    const store = create({ seriesTtlMs: 60_000, containerLingerMs: 60_000 })
    const ended = begin(store, 'ended')
    store.release(dial(store, begin(store, 'idle'), 'a'))
    dial(store, ended, 'b')
    await store.collect(t0 + 10)
    store.endContainer(ended, t0 + 11)
    const back = t0 - 7_200_000
    await store.collect(back)
    assert.equal(store.stats().links, 2)
    await store.collect(back + 61_000)
    assert.equal(store.stats().links, 0)
  })

  test('of three generations that a put-back clock finds, no two have series that start together', async () => {
    const store = create()
    const seen: string[] = []
    const tell = async (nowMs: number) => {
      for (const point of points(await store.collect(nowMs), 'bytes_sent'))
        seen.push(`${point.value} ${point.startTime}`)
    }
    store.add(dial(store, begin(store, 'web-1', 'first'), 'a'), Outbound.bytesSent, 1)
    await tell(t0 + 10)
    store.add(dial(store, begin(store, 'web-1', 'second'), 'a', t0 + 15), Outbound.bytesSent, 2)
    store.add(dial(store, begin(store, 'web-1', 'third'), 'a', t0 + 16), Outbound.bytesSent, 3)
    const back = t0 - 7_200_000
    for (const ms of [0, 10_000, 20_000]) await tell(back + ms)
    assert.deepEqual(
      seen.map((text) => text[0]),
      ['1', '1', '2', '3'],
    )
    assert.equal(new Set(seen.slice(1).map((text) => text.slice(2))).size, 3)
  })

  test('two collects at once are two cycles, one after the other', async () => {
    const store = create({ sliceMs: 0 })
    store.add(dial(store, begin(store), 'a'), Outbound.bytesSent, 5)
    const [one, two] = await Promise.all([store.collect(t0 + 10), store.collect(t0 + 10)])
    assert.ok(points(one, 'bytes_sent')[0]!.endTime[1] < points(two, 'bytes_sent')[0]!.endTime[1])
  })
})
