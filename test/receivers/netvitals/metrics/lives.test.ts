import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { Outbound } from '../../../../src/receivers/netvitals/metrics/metrics.gen.ts'
import { namings } from '../../../../src/receivers/netvitals/metrics/naming.ts'
import { createStore, type StoreOptions } from '../../../../src/receivers/netvitals/metrics/store.ts'

const STARTED = 1_800_000_000_000
const SECOND = 1_000
const called = (name: string, instance = name) => ({ 'service.name': name, 'service.instance.id': instance })
const destination = () => ({ 'destination.address': '10.0.0.1', 'destination.port': 443 })

function make(options: Partial<StoreOptions> = {}) {
  const store = createStore({ self: called('netvitals'), version: '0', ...options })
  let nowMs = STARTED
  const dial = (container: number, times: number, key = '10.0.0.1:443') => {
    const link = store.link(container, 'outbound', key, destination, nowMs)
    store.add(link, Outbound.successfulConnects, times)
    store.release(link)
  }
  /** successful_connects by service.name, and since when. */
  async function collect(afterMs = SECOND): Promise<Record<string, [value: number, start: number]>> {
    nowMs += afterMs
    return counts(await store.collect(nowMs))
  }
  return { store, dial, collect, now: () => nowMs }
}

function counts(batch: readonly ResourceMetrics[]): Record<string, [number, number]> {
  const found: Record<string, [number, number]> = {}
  for (const { resource, scopeMetrics } of batch)
    for (const { descriptor, dataPoints } of scopeMetrics[0]!.metrics) {
      if (!descriptor.name.endsWith('successful_connects')) continue
      const [{ startTime, value }] = dataPoints as unknown as [{ startTime: [number, number]; value: number }]
      found[String(resource.attributes['service.name'])] = [value, startTime[0] * SECOND + startTime[1] / 1e6]
    }
  return found
}

describe('a container in the store', () => {
  it('keeps its ref when it is called otherwise before its first export, and gets another one after it', async () => {
    const { store, dial, collect } = make()
    const first = store.container('/a', called('unknown', 'a'))
    dial(first, 3)
    assert.equal(store.identify(first, called('web')), first)
    const began = await collect()
    assert.equal(began.web![0], 3)
    const second = store.identify(first, called('front'))
    assert.notEqual(second, first)
    dial(second, 4)
    const both = await collect()
    assert.deepEqual(both, { web: began.web, front: both.front })
    assert.equal(both.front![0], 4)
    assert.ok(both.front![1] > both.web![1], 'it begins later')
    assert.deepEqual(Object.keys(await collect()), ['front'], 'the old name was told once more')
  })

  it('begins after the last value of the old name where both are one to a backend', async () => {
    const { store, dial, collect, now } = make()
    const first = store.container('/a', { ...called('web', 'a'), 'container.image.name': 'nginx:1' })
    dial(first, 3)
    await collect()
    const second = store.identify(first, { ...called('web', 'a'), 'container.image.name': 'nginx:2' })
    dial(second, 4)
    const toldMs = now() + SECOND
    assert.equal((await collect()).web![0], 3)
    const [value, start] = (await collect()).web!
    assert.deepEqual([value, start > toldMs - SECOND], [4, true])
  })

  it('goes on when it is called as before', async () => {
    const { store, dial, collect } = make()
    const ref = store.container('/a', called('web'))
    dial(ref, 3)
    const [, start] = (await collect()).web!
    assert.equal(store.identify(ref, called('web')), ref)
    dial(ref, 1)
    assert.deepEqual((await collect()).web, [4, start])
  })

  it('is held until it has a name, until its time is over, or until there is no next cycle', async () => {
    const { store, dial, collect, now } = make()
    const unsure = { unsureUntilMs: STARTED + 10 * SECOND }
    const [named, timely] = [store.container('/a', called('a'), unsure), store.container('/b', called('b'), unsure)]
    dial(named, 1)
    dial(timely, 2)
    assert.deepEqual(await collect(), {})
    store.identify(named, called('web'))
    assert.deepEqual(Object.keys(await collect()), ['web'])
    assert.deepEqual(Object.keys(await collect(8 * SECOND)), ['web', 'b'])
    const late = store.container('/c', called('c'), { unsureUntilMs: now() + 60 * SECOND })
    dial(late, 3)
    assert.equal((await collect()).c, undefined)
    assert.equal(counts(await store.collect(now() + SECOND, true)).c![0], 3)
  })

  it('is not held for longer because the clock was put back', async () => {
    const { store, dial, collect, now } = make()
    dial(store.container('/other', called('other')), 1)
    await collect()
    dial(store.container('/a', called('a'), { unsureUntilMs: now() + 5 * SECOND }), 1)
    await collect(-3_600 * SECOND)
    assert.equal((await collect()).a, undefined)
    assert.ok((await collect(6 * SECOND)).a, 'by the new clock')
  })

  it('waits for its name when it ended meanwhile, and its successor waits for it', async () => {
    const { store, dial, collect, now } = make()
    const first = store.container('/a', called('x', 'x'), { unsureUntilMs: STARTED + 10 * SECOND })
    dial(first, 1)
    store.endContainer(first, now())
    const second = store.container('/b', called('web'))
    dial(second, 2)
    assert.deepEqual(Object.keys(await collect()), ['web'])
    assert.equal(store.identify(first, called('web')), first, 'it can no longer have the name')
    const both = await collect()
    assert.deepEqual([both.web![0], both.x![0]], [2, 1])
  })

  it('that is hidden costs nothing and leaves nothing', async () => {
    const { store, dial, collect, now } = make({ maxDestinationsPerContainer: 2, containerLingerMs: 0 })
    const doubtful = store.container('/a', called('a'), { unsureUntilMs: STARTED + 60 * SECOND })
    for (let n = 0; n < 5; n++) dial(doubtful, 1, `10.0.0.${n}:443`)
    assert.equal(store.stats().links, 2)
    const hidden = store.identify(doubtful, called('a'), { hidden: true })
    assert.deepEqual([store.stats().links, store.stats().containers], [0, 0])
    assert.equal(store.container('/b', called('b'), { hidden: true }), hidden, 'all of them are one')
    const { overflowed, evicted } = store.stats()
    for (let n = 0; n < 5; n++) dial(hidden, 1, `10.0.0.${n}:443`)
    store.endContainer(hidden, now())
    dial(hidden, 1)
    assert.deepEqual(await collect(), {})
    assert.deepEqual(store.stats(), { ...store.stats(), links: 0, overflowed, evicted })
  })

  it('has the last name on its points where a naming puts it there', async () => {
    const { store, dial, now } = make({ naming: namings.coroot })
    const ref = store.container('/docker/ab', called('unknown', 'ab'))
    dial(ref, 1)
    store.identify(ref, { ...called('web', 'ab'), 'container.name': 'web' })
    const [{ scopeMetrics }] = (await store.collect(now() + SECOND)) as [ResourceMetrics]
    assert.equal(scopeMetrics[0]!.metrics[0]!.dataPoints[0]!.attributes.container_id, '/docker/web')
  })
})
