import type { Attributes } from '@opentelemetry/api'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { type Cycle, createClock } from './clock.ts'
import { collectCycle } from './collect.ts'
import { createContainerTable } from './container-table.ts'
import { createLinkTable } from './link-table.ts'
import { createLists } from './lists.ts'
import { createLives } from './lives.ts'
import { type MetricName, metrics, type ResourceAttributeName, resourceAttributes } from './metrics.gen.ts'
import { type Naming, namings } from './naming.ts'
import { createPlacement } from './placement.ts'
import { ABSENT, createPlan } from './plan.ts'
import { createRecency } from './recency.ts'
import { createRows, OVERFLOW, WRITTEN } from './rows.ts'
import { createSnapshot } from './snapshot.ts'
import type { Store } from './types.ts'

export interface StoreOptions {
  /** The program's own resource: service.name and service.instance.id (that of the host), host.name. */
  readonly self: Attributes
  /** Of the scope, and service.version of the program's own resource. */
  readonly version: string
  /** Links with series of their own in one container, at most. */
  readonly maxDestinationsPerContainer?: number
  /** Series in all, at most. Columns that are only counted once touched may exceed it for one cycle. */
  readonly maxSeries?: number
  /** A link that nobody uses goes after so long without activity. */
  readonly seriesTtlMs?: number
  /** Series of a container that ended stand so long, unless its successor appears. */
  readonly containerLingerMs?: number
  /** `collect` yields to the event loop after so much work; 0: after every row, which is for tests. */
  readonly sliceMs?: number
  readonly naming?: Naming
  readonly enabledMetrics?: ReadonlySet<MetricName>
  readonly enabledResourceAttributes?: ReadonlySet<ResourceAttributeName>
}

const defaultMetrics = new Set<MetricName>(metrics.filter(({ enabled }) => enabled).map(({ name }) => name))
const defaultAttributes = new Set<ResourceAttributeName>(
  resourceAttributes.filter(({ enabled }) => enabled).map(({ name }) => name),
)

/**
 * The series store.
 *
 * @example
 * const store = createStore({ self: { 'service.name': 'netvitals', 'service.instance.id': hostId }, version })
 * const container = store.container(key, attributes)
 * const link = store.link(container, 'outbound', '10.0.0.1:443', () => destination, Date.now())
 * store.add(link, Outbound.successfulConnects, 1)
 * store.addActive(link, 1)
 * const batch = await store.collect(Date.now())
 */
export function createStore({
  self: selfAttributes,
  version,
  maxDestinationsPerContainer = 1_000,
  maxSeries = 200_000,
  seriesTtlMs = 600_000,
  containerLingerMs = 300_000,
  sliceMs = 2,
  naming = namings.otel,
  enabledMetrics = defaultMetrics,
  enabledResourceAttributes = defaultAttributes,
}: StoreOptions): Store {
  const plan = createPlan(naming, enabledMetrics)
  const { kinds, indexOf } = plan
  const clock = createClock()
  // Taken out once: V8 keeps an object that has a getter as a dictionary, and looks a method of it up at each call.
  const { see } = clock
  const rows = createRows(kinds)
  const links = createLinkTable()
  const recency = createRecency(kinds, rows, links, clock)
  const waiting = createLists()
  const hidden = new Set<string>(
    resourceAttributes
      .filter(({ name, required }) => !required && !enabledResourceAttributes.has(name))
      .map((a) => a.name),
  )
  const containers = createContainerTable({
    kinds: kinds.length,
    rowLists: recency.inContainer,
    waitingLists: waiting,
    emitted: (attributes) =>
      naming.resource(Object.fromEntries(Object.entries(attributes).filter(([name]) => !hidden.has(name)))),
  })
  const self = containers.makeApart({ ...selfAttributes, 'service.version': version })
  const nobody = containers.makeApart({})
  const placement = createPlacement({
    plan,
    rows,
    links,
    clock,
    recency,
    waiting,
    self,
    nobody,
    maxDestinationsPerContainer,
    maxSeries,
  })
  const lives = createLives({ kinds, clock, rows, recency, containers, placement, self, nobody, containerLingerMs })
  const snapshot = createSnapshot(plan, rows, version)
  let overflowed = 0
  let gaugesLeftOut = 0
  let refused = 0
  let series = 0
  let rttRound = 1
  let collecting: Promise<unknown> = Promise.resolve()

  function touch(row: number): void {
    const flags = rows.flags[row]!
    rows.flags[row] = flags | WRITTEN
    if (flags & OVERFLOW) overflowed++
  }

  function retain(link: number, nowMs: number): void {
    see(nowMs)
    links.retained[link]!++
    if (links.own[link] !== links.target[link]) placement.place(link)
    rows.flags[links.target[link]!]! |= WRITTEN
  }

  function refuse(): void {
    refused++
  }

  return {
    container: lives.container,
    identify: lives.identify,
    endContainer: lives.end,

    link(ref, kindName, key, attributes, nowMs) {
      const found = containers.get(ref)
      // Of a container that is gone it is still counted, but not as that container's.
      const state = found && !found.detached ? found : self
      const kind = indexOf[kindName]
      const known = state.links[kind]!.get(key)
      if (known !== undefined) {
        retain(known, nowMs)
        return known
      }
      see(nowMs)
      const link = links.take(state, kind, key, attributes())
      links.retained[link] = 1
      placement.place(link)
      return link
    },

    retain,

    release(link) {
      if (links.retained[link]! > 0 && --links.retained[link]! === 0) placement.unused(link)
    },

    add(link, column, delta) {
      const row = links.target[link]!
      if (!(delta >= 0 && delta < Number.POSITIVE_INFINITY)) {
        // A count that goes down is as wrong as one that isn't a number.
        if (!Number.isFinite(delta) || kinds[rows.kind[row]!]!.monotonic[column]) return refuse()
      }
      rows.values[rows.base[row]! + column]! += delta
      if ((rows.flags[row]! & (WRITTEN | OVERFLOW)) !== WRITTEN) touch(row)
    },

    addActive(link, delta) {
      const row = links.target[link]!
      links.active[link]! += delta
      rows.values[rows.base[row]! + kinds[rows.kind[row]!]!.active]! += delta
      if ((rows.flags[row]! & (WRITTEN | OVERFLOW)) !== WRITTEN) touch(row)
    },

    resetRtt() {
      rttRound++
    },

    addRtt(link, seconds, times = 1) {
      if (!(seconds >= 0 && seconds < Number.POSITIVE_INFINITY)) return refuse()
      const row = links.target[link]!
      const kind = kinds[rows.kind[row]!]!
      if (rows.flags[row]! & OVERFLOW) {
        gaugesLeftOut++
        return
      }
      const { values } = rows
      const sum = rows.base[row]! + kind.rtt
      const count = rows.base[row]! + kind.rttCount
      if (values[count + 1] !== rttRound) {
        values[count + 1] = rttRound
        values[count] = 0
        values[sum] = 0
      }
      values[sum]! += seconds
      values[count]! += times
    },

    set(link, column, value) {
      const row = links.target[link]!
      if (!Number.isFinite(value) && !(Number.isNaN(value) && kinds[rows.kind[row]!]!.nan[column])) return refuse()
      if (rows.flags[row]! & OVERFLOW) gaugesLeftOut++
      else rows.values[rows.base[row]! + column] = value
    },

    unset(link, column) {
      const row = links.own[link]!
      if (row >= 0) rows.values[rows.base[row]! + column] = ABSENT
    },

    collect(nowMs, last = false): Promise<ResourceMetrics[]> {
      const cycle = collecting.then(() => run(nowMs, last))
      // The next one waits for this one, however it ends.
      collecting = cycle.catch(() => undefined)
      return cycle
    },

    endOf: clock.endOf,
    beginAt: see,

    stats: () => ({
      containers: containers.size - 2,
      links: placement.rowCount,
      series,
      evicted: placement.evicted,
      overflowed,
      gaugesLeftOut,
      refused,
    }),
  }

  async function run(nowMs: number, last: boolean): Promise<ResourceMetrics[]> {
    const cycle: Cycle = clock.beginCycle(nowMs)
    placement.introduceSelf()
    const batch = await collectCycle({
      cycle,
      plan,
      rows,
      links,
      clock,
      containers,
      recency,
      placement,
      snapshot,
      self,
      nobody,
      last,
      rttRound,
      seriesTtlMs,
      sliceMs,
      drop: lives.drop,
    })
    series = snapshot.points
    return batch
  }
}
