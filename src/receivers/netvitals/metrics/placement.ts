import type { Attributes } from '@opentelemetry/api'
import type { Clock } from './clock.ts'
import type { ContainerState } from './container-table.ts'
import type { LinkTable } from './link-table.ts'
import type { Lists } from './lists.ts'
import type { Plan } from './plan.ts'
import { LEAVING, OVERFLOW, PASSED_EVERYWHERE, PASSED_IN_CONTAINER, type Rows, WRITTEN } from './rows.ts'
import type { LinkRef } from './types.ts'

/**
 * Which row a link writes to: its own within the limits, else overflow. To make room, the least recently active
 * row goes, one in use only where there is no other. A row that was written to since it was last exported stays:
 * its latest increments were not told yet, and the newcomer is no more active than it. So nothing of an evicted
 * row's past ever moves to overflow, and a scan of a million ports replaces a row at most once in a cycle.
 */
export interface Placement {
  /** Gives the link a row of its own if it can. */
  place(link: LinkRef): void
  /** The link has no user any more. */
  unused(link: LinkRef): void
  /** A row that has idled. */
  expire(row: number): void
  /** After it was exported: in order of activity. */
  exported(row: number, active: boolean): void
  /** Series that a row turned out to have. */
  counted(row: number, series: number): void
  /** Back within maxSeries, then rows for links in use that have none, while there is room. */
  settle(states: Iterable<ContainerState>): void
  /** The program's own row, which only ever has constants. */
  introduceSelf(): void
  /** The container will be exported once more: links still in use write to the program's own overflow from here on. */
  detach(state: ContainerState): void
  /** Frees the rows of a container that was detached. */
  clear(state: ContainerState): void
  /** Frees the rows that were evicted while in use, once they were exported. */
  left(row: number): void
  /** The rows of a container's links as they stand. */
  rowsOf(state: ContainerState): number[]
  readonly rowCount: number
  readonly evicted: number
}

export interface PlacementOptions {
  readonly plan: Plan
  readonly rows: Rows
  readonly links: LinkTable
  readonly clock: Clock
  readonly inContainer: Lists
  readonly everywhere: Lists
  readonly waiting: Lists
  /** The program's own resource: it has no link, only the overflow of those who have none of their own. */
  readonly self: ContainerState
  readonly maxDestinationsPerContainer: number
  readonly maxSeries: number
}

const overflowAttributes: Attributes = Object.freeze({ 'otel.metric.overflow': true })
const none: Attributes = Object.freeze({})

export function createPlacement(options: PlacementOptions): Placement {
  const { plan, rows, links, clock, inContainer, everywhere, waiting, self } = options
  const { kinds } = plan
  const idle = everywhere.newList()
  const inUse = everywhere.newList()
  let series = 0
  let rowCount = 0
  let evicted = 0

  function place(link: LinkRef): void {
    const state = links.container[link]!
    const kind = links.kind[link]!
    const { reserve } = kinds[kind]!
    if (reserve === 0 || state === self || !makeRoom(state, reserve)) {
      share(link)
      return
    }
    const row = links.own[link]! < 0 ? make(link, state, kind) : comeBack(link)
    waiting.remove(link)
    retarget(link, row)
    inContainer.push(state.idle, row)
    everywhere.push(idle, row)
    state.rowCount++
    rowCount++
    series += rows.series[row]!
  }

  function make(link: LinkRef, state: ContainerState, kind: number): number {
    const row = rows.take(kind, state, links.attributes[link]!, clock.lastMs, clock.cycles)
    rows.link[row] = link
    links.own[link] = row
    return row
  }

  /** It was evicted since the last cycle, so nobody has seen it go: the same series goes on. */
  function comeBack(link: LinkRef): number {
    const row = links.own[link]!
    const { leaving } = links.container[link]!
    leaving.splice(leaving.indexOf(row), 1)
    rows.flags[row] = (rows.flags[row]! & ~LEAVING) | WRITTEN
    return row
  }

  /** Points the link at overflow. */
  function share(link: LinkRef): void {
    const state = links.container[link]!
    const kind = links.kind[link]!
    retarget(link, overflow(state, kind))
    waiting.remove(link)
    if (state !== self && kinds[kind]!.reserve > 0) waiting.push(state.waiting, link)
  }

  /** From here on the link writes to that row; its active connections go along. */
  function retarget(link: LinkRef, row: number): void {
    moveActive(link, -1)
    links.target[link] = row
    moveActive(link, 1)
  }

  function moveActive(link: LinkRef, sign: number): void {
    const count = links.active[link]!
    const { active } = kinds[links.kind[link]!]!
    if (count === 0 || active < 0) return
    const row = links.target[link]!
    rows.values[rows.base[row]! + active]! += sign * count
    rows.flags[row]! |= WRITTEN
  }

  function overflow(state: ContainerState, kind: number): number {
    const row = state.overflow[kind]!
    if (row >= 0) return row
    const { reserve } = kinds[kind]!
    const own = state === self
    if (!own && (reserve === 0 || !makeRoomForOverflow(reserve))) return overflow(self, kind)
    const attributes = kind === plan.indexOf.self ? none : overflowAttributes
    // Nothing happened on it before: it may begin where the last cycle ended.
    const made = rows.take(kind, state, attributes, clock.previousEndMs, clock.cycles)
    if (reserve > 0) rows.flags[made]! |= OVERFLOW
    state.overflow[kind] = made
    if (!own) series += reserve
    return made
  }

  function makeRoom(state: ContainerState, reserve: number): boolean {
    while (state.rowCount >= options.maxDestinationsPerContainer) {
      const row = leastActive(inContainer, state.idle, state.inUse, PASSED_IN_CONTAINER)
      if (row < 0) return false
      evict(row)
    }
    while (series + reserve > options.maxSeries) {
      const row = leastActive(everywhere, idle, inUse, PASSED_EVERYWHERE)
      if (row < 0) return false
      evict(row)
    }
    return true
  }

  /** Only rows that nobody uses go for it: evicting another one may need overflow itself. */
  function makeRoomForOverflow(reserve: number): boolean {
    while (series + reserve > options.maxSeries) {
      const row = leastActive(everywhere, idle, -1, PASSED_EVERYWHERE)
      if (row < 0) return false
      evict(row)
    }
    return true
  }

  /**
   * The least recently active row that can go, -1: none. The hot path doesn't keep the order: rows that were
   * written to are moved to the front here, once a cycle.
   */
  function leastActive(lists: Lists, idleList: number, inUseList: number, passed: number): number {
    for (const list of inUseList < 0 ? [idleList] : [idleList, inUseList]) {
      for (let row = lists.last(list); row >= 0; row = lists.last(list)) {
        const flags = rows.flags[row]!
        if (flags & WRITTEN) {
          if (flags & passed) break
          rows.flags[row] = flags | passed
          lists.move(list, row)
        } else if (list === idleList && links.retained[rows.link[row]!]! > 0) {
          if (inUseList < 0) return -1
          lists.move(inUseList, row)
        } else {
          return row
        }
      }
    }
    return -1
  }

  function evict(row: number): void {
    evicted++
    remove(row)
  }

  function remove(row: number): void {
    const link = rows.link[row]!
    const state = links.container[link]!
    leave(row)
    if (links.retained[link] === 0) {
      rows.free(row)
      links.free(link)
      return
    }
    share(link)
    if (links.active[link] === 0) {
      links.own[link] = -1
      rows.free(row)
      return
    }
    // Its connections are counted by overflow now: its own series has to say so before it goes.
    rows.flags[row]! |= LEAVING
    state.leaving.push(row)
  }

  function leave(row: number): void {
    inContainer.remove(row)
    everywhere.remove(row)
    rows.container[row]!.rowCount--
    rowCount--
    series -= rows.series[row]!
  }

  function unused(link: LinkRef): void {
    const row = links.own[link]!
    const kind = kinds[links.kind[link]!]!
    const leaving = row >= 0 && (rows.flags[row]! & LEAVING) !== 0
    // Exported first, then freed with its row.
    if (leaving || (row >= 0 && !kind.untilReleased)) return
    waiting.remove(link)
    if (row >= 0) {
      leave(row)
      rows.free(row)
    }
    links.free(link)
  }

  function left(row: number): void {
    const link = rows.link[row]!
    if (link >= 0) {
      links.own[link] = -1
      if (links.retained[link] === 0) {
        waiting.remove(link)
        links.free(link)
      }
    }
    rows.free(row)
  }

  function detach(state: ContainerState): void {
    for (const siblings of state.links) {
      for (const link of [...siblings.values()]) {
        const row = links.own[link]!
        if (row >= 0) rows.link[row] = -1
        waiting.remove(link)
        siblings.delete(links.key[link]!)
        if (links.retained[link] === 0) {
          links.free(link)
          continue
        }
        links.own[link] = -1
        links.container[link] = self
        retarget(link, overflow(self, links.kind[link]!))
      }
    }
  }

  function clear(state: ContainerState): void {
    for (const row of rowsOf(state)) {
      leave(row)
      rows.free(row)
    }
    for (const row of state.leaving) rows.free(row)
    for (const row of state.overflow) {
      if (row < 0) continue
      series -= rows.series[row]!
      rows.free(row)
    }
  }

  function rowsOf(state: ContainerState): number[] {
    const found: number[] = []
    for (const list of [state.idle, state.inUse]) {
      for (let row = inContainer.first(list); row >= 0; row = inContainer.next(row)) found.push(row)
    }
    return found
  }

  return {
    place,
    unused,
    expire: remove,
    exported(row, active) {
      const link = rows.link[row]!
      if (!active || link < 0) return
      const used = links.retained[link]! > 0
      const state = rows.container[row]!
      inContainer.move(used ? state.inUse : state.idle, row)
      everywhere.move(used ? inUse : idle, row)
    },
    counted(row, count) {
      const size = Math.max(count, kinds[rows.kind[row]!]!.reserve)
      if (rows.container[row] !== self) series += size - rows.series[row]!
      rows.series[row] = size
    },
    settle(states) {
      makeRoomForSeries()
      for (const state of states) promote(state)
    },
    introduceSelf: () => void overflow(self, plan.indexOf.self),
    detach,
    clear,
    left,
    rowsOf,
    get rowCount() {
      return rowCount
    },
    get evicted() {
      return evicted
    },
  }

  function makeRoomForSeries(): void {
    while (series > options.maxSeries) {
      const row = leastActive(everywhere, idle, inUse, PASSED_EVERYWHERE)
      if (row < 0) return
      evict(row)
    }
  }

  function promote(state: ContainerState): void {
    for (;;) {
      const link = waiting.last(state.waiting)
      if (link < 0 || state.rowCount >= options.maxDestinationsPerContainer) return
      if (series + kinds[links.kind[link]!]!.reserve > options.maxSeries) return
      place(link)
    }
  }
}
