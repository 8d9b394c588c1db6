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
// Those after them begin as their path tells, each as itself; what they are called is found out later, or never.
const UNSURE = instances.length
const CONTAINERS = UNSURE + 2
const ALWAYS_HIDDEN = CONTAINERS
const DESTINATIONS = 8

type Step =
  | { do: 'link'; container: number; kind: 0 | 1 | 2; destination: number }
  | { do: 'retain' | 'release' | 'open' | 'close' | 'rtt'; user: number }
  | { do: 'add'; user: number; column: number; delta: number }
  | { do: 'end' | 'hide'; container: number }
  | { do: 'identify' | 'identify late'; container: number; instance: number; image: number }
  | { do: 'wait'; ms: number }
  | { do: 'collect'; during: boolean }

const user = fc.nat(50)
const container = fc.nat(ALWAYS_HIDDEN)
const called = { container, instance: fc.nat(instances.length - 1), image: fc.nat(1) }
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('link' as const),
      container,
      kind: fc.constantFrom(0 as const, 1 as const, PROBE),
      destination: fc.nat(DESTINATIONS - 1),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('retain', 'release', 'open', 'close', 'rtt'), user }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('add' as const), user, column: fc.nat(30), delta: fc.nat(1000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('end', 'hide'), container }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('identify', 'identify late'), ...called }) },
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
  destination: number
  open: boolean
  of: Known
}

/** A container as long as it has one ref in the store, with what is counted for it. */
interface Known {
  container: number
  ref: ContainerRef
  /** In its attributes: it tells one from those before it and after it. */
  generation: number
  /** It is called as its path tells. */
  provisional: boolean
  hidden: boolean
  /** It was hidden: what it counted is to be told only where some of it was. */
  dropped: boolean
  readonly counts: Map<string, number>
}

function createHistory(sliceMs: number) {
  const store = createStore({
    self: { 'service.name': 'netvitals', 'service.instance.id': 'host' },
    version: '0',
    sliceMs,
    ...limits,
  })
  const observer = createObserver()
  const current = new Map<number, Known>()
  const ended = new Map<number, Known>()
  const all: Known[] = []
  const seen = new Set<number>()
  const users: User[] = []
  let generations = 0
  let nowMs = 1_700_000_000_000
  const active = (kind: 0 | 1 | 2) => columnOf('container.net.tcp.active_connections', { direction: kinds[kind] })

  function count({ of: { counts } }: User, column: string, delta: number): void {
    counts.set(column, (counts.get(column) ?? 0) + delta)
  }

  function attributesOf(instance: string, generation: number, image = 0): Attributes {
    return { 'service.name': instance, 'service.instance.id': instance, generation, 'container.image.name': `${image}` }
  }

  function remember(known: Known): Known {
    all.push(known)
    current.set(known.container, known)
    return known
  }

  function begin(container: number): Known {
    const generation = ++generations
    const provisional = container >= UNSURE && container !== ALWAYS_HIDDEN
    const hidden = container === ALWAYS_HIDDEN
    const instance = instances[container] ?? `generation ${generation}`
    const ref = store.container(`container ${container}`, attributesOf(instance, generation), {
      hidden,
      ...(provisional && { unsureUntilMs: nowMs + (generation % 3) * 5_000 }),
    })
    return remember({ container, ref, generation, provisional, hidden, dropped: false, counts: new Map() })
  }

  /** Whoever writes moves along. */
  function moveUsers(from: Known, to: Known): void {
    for (const user of users) {
      if (user.of !== from) continue
      const { link, kind, open } = user
      user.link = openLink(to, kind, user.destination)
      if (open) {
        store.addActive(user.link, 1)
        store.addActive(link, -1)
        count(user, active(kind), -1)
      }
      user.of = to
      if (open) count(user, active(kind), 1)
      store.release(link)
    }
  }

  function openLink({ ref }: Known, kind: 0 | 1 | 2, destination: number): LinkRef {
    // The last two are one by a fold.
    const address = destination >= DESTINATIONS - 2 ? 'folded' : `${destination}`
    return store.link(ref, kinds[kind], address, () => ({ 'destination.address': address }), nowMs)
  }

  function identify(known: Known, instance: number, image: number): void {
    const generation = ++generations
    const ref = store.identify(known.ref, attributesOf(instances[instance]!, generation, image))
    if (ref === known.ref) {
      Object.assign(known, { generation, provisional: false })
      return
    }
    const { container } = known
    moveUsers(known, remember({ ...known, container, ref, generation, provisional: false, counts: new Map() }))
  }

  function hide(known: Known): void {
    const ref = store.identify(known.ref, attributesOf('hidden', ++generations), { hidden: true })
    assert.notEqual(ref, known.ref)
    const { container, generation } = known
    known.dropped = true
    moveUsers(
      known,
      remember({
        dropped: false,
        container,
        ref,
        generation: -generation,
        provisional: false,
        hidden: true,
        counts: new Map(),
      }),
    )
    current.delete(container)
  }

  function identifyLate(known: Known, instance: number, image: number): void {
    // One that was never exported goes on as its successor.
    if ([...current.values()].some(({ ref }) => ref === known.ref)) return
    assert.equal(store.identify(known.ref, attributesOf(instances[instance]!, ++generations, image)), known.ref)
  }

  function close(user: User): void {
    if (!user.open) return
    user.open = false
    store.addActive(user.link, -1)
    count(user, active(user.kind), -1)
  }

  function act(step: Exclude<Step, { do: 'collect' }>): void {
    if (step.do === 'wait') {
      nowMs += step.ms
      return
    }
    if (step.do === 'end') {
      const known = current.get(step.container)
      if (known === undefined) return
      store.endContainer(known.ref, nowMs)
      ended.set(step.container, known)
      current.delete(step.container)
      return
    }
    if (step.do === 'hide') {
      // Only one that nothing else was called like: what it counted is its own.
      const known = current.get(step.container)
      if (known?.provisional) hide(known)
      return
    }
    if (step.do === 'identify' || step.do === 'identify late') {
      const known = (step.do === 'identify' ? current : ended).get(step.container)
      if (known === undefined || known.hidden) return
      // One that has a name keeps it.
      const instance = known.provisional ? step.instance : step.container
      if (instance >= instances.length) return
      if (step.do === 'identify') identify(known, instance, step.image)
      else identifyLate(known, instance, step.image)
      return
    }
    if (step.do === 'link') {
      const { container, kind, destination } = step
      const known = current.get(container) ?? begin(container)
      users.push({ link: openLink(known, kind, destination), kind, destination, open: false, of: known })
      return
    }
    if (!('user' in step)) return
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
      count(user, active(user.kind), 1)
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
      count(user, columnOf(metrics[metric]!.name, attributes), step.delta)
    }
  }

  async function collect(meanwhile: readonly Exclude<Step, { do: 'collect' }>[] = [], last = false): Promise<void> {
    const atMs = nowMs
    const cycle = store.collect(atMs, last)
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
      assert.notEqual(resource.attributes['service.name'], 'hidden')
      if (typeof resource.attributes.generation === 'number') seen.add(resource.attributes.generation)
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

  /**
   * Least and most that a column may be in the end. They differ for what was hidden and never told: where a limit had
   * put it in the process' overflow, there it stays.
   */
  function settledTotals(): Map<string, readonly [number, number]> {
    const totals = new Map<string, [number, number]>()
    for (const { hidden, dropped, generation, counts } of all) {
      if (hidden) continue
      const told = !dropped || seen.has(generation)
      for (const [column, value] of counts) {
        const [least, most] = totals.get(column) ?? [0, 0]
        totals.set(column, [least + (told ? value : 0), most + value])
      }
    }
    return totals
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
  await history.collect([], true)
  // A successor waits a cycle for its predecessor's last values, and may have one that waits for it.
  for (let cycle = 0; cycle < 6; cycle++) {
    history.act({ do: 'wait', ms: 1_000 })
    await history.collect()
  }
  const totals = history.observer.totals()
  const expected = history.settledTotals()
  for (const column of new Set([...totals.keys(), ...expected.keys()])) {
    const total = totals.get(column) ?? 0
    const [least, most] = expected.get(column) ?? [0, 0]
    assert.ok(least <= total && total <= most, `${column}: ${total}, expected ${least} to ${most}`)
  }
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

// Two of one service.instance.id, renamed and begun anew while a cycle is collected: each waited for the other.
test('of two that one name takes turns between, neither waits for the other', async () => {
  await live(
    [
      { do: 'link', container: 0, kind: 0, destination: 0 },
      { do: 'collect', during: true },
      { do: 'identify', container: 0, instance: 0, image: 0 },
      { do: 'link', container: 1, kind: 0, destination: 0 },
      { do: 'end', container: 1 },
      { do: 'add', user: 0, column: 0, delta: 1 },
    ],
    0,
  )
})
