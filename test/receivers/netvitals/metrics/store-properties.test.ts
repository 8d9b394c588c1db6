import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import { links as layouts, metrics, Probe } from '../../../../src/receivers/netvitals/metrics/metrics.gen.ts'
import type { Column } from '../../../../src/receivers/netvitals/metrics/schema.ts'
import { createStore } from '../../../../src/receivers/netvitals/metrics/store.ts'
import type { ContainerRef, LinkRef } from '../../../../src/receivers/netvitals/metrics/types.ts'
import { columnOf, createObserver } from './observer.ts'

const limits = { maxDestinationsPerContainer: 3, maxSeries: 60, seriesTtlMs: 30_000, containerLingerMs: 25_000 }
const kinds = ['outbound', 'inbound', 'probe'] as const
const PROBE = 2 as const
// Two of the keys have one service.instance.id, as a container has before and after its restart.
const instances = ['restarts', 'restarts', 'alone', 'another', 'one-more']

type Step =
  | { do: 'link'; container: number; kind: 0 | 1 | 2; destination: number }
  | { do: 'retain' | 'release' | 'open' | 'close' | 'rtt'; user: number }
  | { do: 'add'; user: number; column: number; delta: number }
  | { do: 'end'; container: number }
  | { do: 'wait'; ms: number }
  | { do: 'collect'; during: boolean }

const user = fc.nat(50)
const container = fc.nat(instances.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('link' as const),
      container,
      kind: fc.constantFrom(0 as const, 1 as const, PROBE),
      destination: fc.nat(7),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('retain', 'release', 'open', 'close', 'rtt'), user }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('add' as const), user, column: fc.nat(30), delta: fc.nat(1000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), container }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('collect' as const), during: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      // The last two are a clock that is put back: by less and by more than is waited out.
      ms: fc.oneof(fc.nat(20_000), fc.constantFrom(60_000, 3_600_000, -5_000, -600_000)),
    }),
  },
)

/** One user of a link: a connection, or an attempt at one. */
interface User {
  link: LinkRef
  kind: 0 | 1 | 2
  open: boolean
}

function createHistory(sliceMs: number) {
  const store = createStore({
    self: { 'service.name': 'netvitals', 'service.instance.id': 'host' },
    version: '0',
    sliceMs,
    ...limits,
  })
  const observer = createObserver()
  const refs = new Map<number, ContainerRef>()
  const expected = new Map<string, number>()
  const users: User[] = []
  let nowMs = 1_700_000_000_000
  const count = (column: string, delta: number) => expected.set(column, (expected.get(column) ?? 0) + delta)
  const active = (kind: 0 | 1 | 2) => columnOf('container.net.tcp.active_connections', { direction: kinds[kind] })

  function close(user: User): void {
    if (!user.open) return
    user.open = false
    store.addActive(user.link, -1)
    count(active(user.kind), -1)
  }

  function act(step: Exclude<Step, { do: 'collect' }>): void {
    if (step.do === 'wait') {
      nowMs += step.ms
      return
    }
    if (step.do === 'end') {
      const ref = refs.get(step.container)
      if (ref !== undefined) store.endContainer(ref, nowMs)
      refs.delete(step.container)
      return
    }
    if (step.do === 'link') {
      const { container, kind, destination } = step
      const instance = instances[container]!
      const attributes = { 'service.name': instance, 'service.instance.id': instance, 'container.id': `${container}` }
      const ref = refs.get(container) ?? store.container(`container ${container}`, attributes)
      refs.set(container, ref)
      const link = store.link(
        ref,
        kinds[kind],
        `${destination}`,
        () => ({ 'destination.address': `${destination}` }),
        nowMs,
      )
      users.push({ link, kind, open: false })
      return
    }
    const index = step.user % users.length
    const user = users[index]
    if (!user) return
    if (step.do === 'retain') {
      store.retain(user.link, nowMs)
      users.push({ ...user, open: false })
    } else if (step.do === 'release') {
      close(user)
      users.splice(index, 1)
      store.release(user.link)
    } else if (user.kind === PROBE && step.do !== 'add') {
      if (step.do === 'open') store.set(user.link, Probe.latency, Number.NaN)
      else if (step.do === 'rtt') store.set(user.link, Probe.latency, 0.001)
      else store.unset(user.link, Probe.latency)
    } else if (step.do === 'open' && !user.open) {
      user.open = true
      store.addActive(user.link, 1)
      count(active(user.kind), 1)
    } else if (step.do === 'close') {
      close(user)
    } else if (step.do === 'rtt') {
      store.resetRtt()
      store.addRtt(user.link, 0.001)
    } else if (step.do === 'add') {
      const columns: readonly Column[] = layouts[kinds[user.kind]].columns
      const index = step.column % columns.length
      const { metric, attributes, role } = columns[index]!
      if (role || metrics[metric]!.type === 'gauge') return
      store.add(user.link, index, step.delta)
      count(columnOf(metrics[metric]!.name, attributes), step.delta)
    }
  }

  async function collect(meanwhile: readonly Exclude<Step, { do: 'collect' }>[] = []): Promise<void> {
    const atMs = nowMs
    const cycle = store.collect(atMs)
    for (const step of meanwhile) {
      await new Promise(setImmediate)
      act(step)
    }
    const batch = await cycle
    observer.see(batch, atMs)
    assertLimits(batch)
  }

  function assertLimits(batch: readonly ResourceMetrics[]): void {
    let series = 0
    for (const { resource, scopeMetrics } of batch) {
      if (resource.attributes['service.name'] !== 'netvitals') series += seriesOf(scopeMetrics[0]!.metrics)
      const standing = scopeMetrics[0]!.metrics.find(({ descriptor }) =>
        descriptor.name.endsWith('successful_connects'),
      )
      const links = standing?.dataPoints.filter(({ attributes }) => !attributes['otel.metric.overflow']) ?? []
      const { 'service.name': name } = resource.attributes
      assert.ok(links.length <= limits.maxDestinationsPerContainer, `${links.length} links of ${name}`)
    }
    assert.ok(series <= limits.maxSeries, `${series} series`)
  }

  /** Without those that come with what they count, and without rows that say goodbye. */
  function seriesOf(metrics: readonly MetricData[]): number {
    const standing = (name: string) => !/failed|broken|retransmits|active/.test(name)
    return metrics
      .filter(({ descriptor }) => standing(descriptor.name))
      .flatMap(({ dataPoints }): readonly { attributes: Attributes }[] => dataPoints)
      .filter(({ attributes }) => !/unreachable|error/.test(String(attributes.result))).length
  }

  function settledTotals(): Map<string, number> {
    return new Map([...expected].filter(([, value]) => value !== 0))
  }

  return { act, collect, observer, settledTotals }
}

async function live(steps: readonly Step[], sliceMs: number): Promise<void> {
  const history = createHistory(sliceMs)
  for (const [index, step] of steps.entries()) {
    if (step.do !== 'collect') history.act(step)
    else if (step.during && sliceMs === 0) {
      const next = steps.slice(index + 1, index + 9).filter((other) => other.do !== 'collect' && other.do !== 'wait')
      await history.collect(next as Exclude<Step, { do: 'collect' }>[])
    } else await history.collect()
  }
  // A successor waits a cycle for its predecessor's last values, and may have one that waits for it.
  for (let cycle = 0; cycle < 6; cycle++) {
    history.act({ do: 'wait', ms: 1_000 })
    await history.collect()
  }
  assert.deepEqual(sorted(history.observer.totals()), sorted(history.settledTotals()))
}

function sorted(totals: Map<string, number>): [string, number][] {
  return [...totals].sort(([a], [b]) => (a < b ? -1 : 1))
}

const histories = fc.array(step, { minLength: 1, maxLength: 150, size: 'max' })

test('whatever happens, the last values of all series that ever were add up to what was counted', async () => {
  await fc.assert(
    fc.asyncProperty(histories, (steps) => live(steps, 4)),
    { numRuns: 1_000 },
  )
})

test('it stays so when everything happens while a cycle is being collected', async () => {
  await fc.assert(
    fc.asyncProperty(histories, (steps) => live(steps, 0)),
    { numRuns: 1_000 },
  )
})
