import type { Clock } from './clock.ts'
import type { ContainerState } from './container-table.ts'
import type { LinkTable } from './link-table.ts'
import type { Lists } from './lists.ts'
import { createOverflow } from './overflow.ts'
import type { Plan } from './plan.ts'
import type { Recency } from './recency.ts'
import { createRoom } from './room.ts'
import { LEAVING, type Rows, WRITTEN } from './rows.ts'
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
  /** Series that a row turned out to have. */
  counted(row: number, series: number): void
  /** Back within maxSeries, then rows for links in use that have none, while there is room. */
  settle(states: Iterable<ContainerState>): void
  /** The program's own row, which only ever has constants. */
  introduceSelf(): void
  /**
   * The container's links go, those still in use to another's: to the program's own, whose overflow they write to from
   * here on, or to nobody's.
   */
  detach(state: ContainerState, to: ContainerState): void
  /** Frees the rows of a container that was detached. */
  clear(state: ContainerState): void
  /** Frees a row that was evicted while in use, once it was exported. */
  left(row: number): void
  readonly rowCount: number
  readonly evicted: number
}

export interface PlacementOptions {
  readonly plan: Plan
  readonly rows: Rows
  readonly links: LinkTable
  readonly clock: Clock
  readonly recency: Recency
  /** A list for each container: its links in use that have no row. */
  readonly waiting: Lists
  /** The program's own resource: it has no link, only the overflow of those who have none of their own. */
  readonly self: ContainerState
  /** What writes to it is not wanted: one row for each kind, which is never exported and counts for nothing. */
  readonly nobody: ContainerState
  readonly maxDestinationsPerContainer: number
  readonly maxSeries: number
}

export function createPlacement(options: PlacementOptions): Placement {
  const { plan, rows, links, clock, recency, waiting, self, nobody } = options
  const { maxDestinationsPerContainer, maxSeries } = options
  const { kinds } = plan
  const room = createRoom({ kinds, recency, maxDestinationsPerContainer, maxSeries, evict: remove })
  const { rowOf, isApart, mayGrow } = createOverflow({ plan, rows, clock, room, self, nobody })
  // Taken out once, as the store does with what each link calls.
  const { count: countSeries, make: makeRoom } = room
  let rowCount = 0

  function place(link: LinkRef): void {
    const state = links.container[link]!
    const kind = links.kind[link]!
    const { reserve } = kinds[kind]!
    if (reserve === 0 || !mayGrow(state) || !makeRoom(state, kind)) {
      share(link)
      return
    }
    const row = links.own[link]! < 0 ? make(link, state, kind) : comeBack(link)
    waiting.remove(link)
    retarget(link, row)
    recency.enter(row)
    if (!kinds[kind]!.ownLimit) state.rowCount++
    rowCount++
    countSeries(rows.series[row]!)
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
    retarget(link, rowOf(state, kind))
    waiting.remove(link)
    if (!isApart(state) && kinds[kind]!.reserve > 0) waiting.push(state.waiting, link)
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
    recency.leave(row)
    if (!kinds[rows.kind[row]!]!.ownLimit) rows.container[row]!.rowCount--
    rowCount--
    countSeries(-rows.series[row]!)
  }

  function unused(link: LinkRef): void {
    const row = links.own[link]!
    const kind = kinds[links.kind[link]!]!
    waiting.remove(link)
    if (row >= 0) {
      // A row that is leaving is exported first and takes the link with it.
      if (rows.flags[row]! & LEAVING || !kind.untilReleased) return
      leave(row)
      rows.free(row)
    }
    links.free(link)
  }

  function left(row: number): void {
    const { leaving } = rows.container[row]!
    leaving.splice(leaving.indexOf(row), 1)
    const link = rows.link[row]!
    if (link >= 0) {
      links.own[link] = -1
      if (links.retained[link] === 0) links.free(link)
    }
    rows.free(row)
  }

  function detach(state: ContainerState, to: ContainerState): void {
    state.detached = true
    // No longer there to make room for another.
    for (const row of recency.rowsOf(state)) recency.hide(row)
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
        links.container[link] = to
        retarget(link, rowOf(to, links.kind[link]!))
      }
    }
  }

  function clear(state: ContainerState): void {
    for (const row of recency.rowsOf(state)) {
      leave(row)
      rows.free(row)
    }
    for (const row of state.leaving) rows.free(row)
    for (const row of state.overflow) {
      if (row < 0) continue
      countSeries(-rows.series[row]!)
      rows.free(row)
    }
  }

  function promote(state: ContainerState): void {
    while (mayGrow(state)) {
      const link = waiting.first(state.waiting)
      if (link < 0 || !room.isFor(state, links.kind[link]!)) return
      place(link)
    }
  }

  return {
    place,
    unused,
    expire: remove,
    counted(row, count) {
      const size = Math.max(count, kinds[rows.kind[row]!]!.reserve)
      if (!isApart(rows.container[row]!)) countSeries(size - rows.series[row]!)
      rows.series[row] = size
    },
    settle(states) {
      room.shrink()
      for (const state of states) promote(state)
    },
    introduceSelf: () => void rowOf(self, plan.indexOf.self),
    detach,
    clear,
    left,
    get rowCount() {
      return rowCount
    },
    get evicted() {
      return room.evicted()
    },
  }
}
