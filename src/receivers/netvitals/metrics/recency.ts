import type { Clock } from './clock.ts'
import type { ContainerState } from './container-table.ts'
import type { LinkTable } from './link-table.ts'
import { createLists, type Lists } from './lists.ts'
import type { KindPlan } from './plan.ts'
import { doubled, type Rows, WRITTEN } from './rows.ts'

/**
 * The order in which rows were last written to, in each container and everywhere. The hot path doesn't keep it:
 * a search moves the rows that it finds written to, at most once in a cycle. Rows that nobody uses come first.
 */
export interface Recency {
  /** Where a container's lists are made. */
  readonly inContainer: Lists
  enter(row: number): void
  leave(row: number): void
  /** Still its container's, but never again found to go. */
  hide(row: number): void
  /** It was written to, and that was exported. */
  exported(row: number): void
  /** The row that can go, -1: none. Never one that was written to since it was exported. */
  leastActive(): number
  leastActiveIn(state: ContainerState): number
  /** The same, but never one in use. */
  leastActiveUnused(): number
  /** The rows of a container's links as they stand. */
  rowsOf(state: ContainerState): number[]
}

/** Two lists, and in which cycle each row was last passed over by a search of them. */
interface Order {
  readonly lists: Lists
  passed: Uint32Array
}

export function createRecency(kinds: readonly KindPlan[], rows: Rows, links: LinkTable, clock: Clock): Recency {
  const inContainer: Order = { lists: createLists(), passed: new Uint32Array(16) }
  const everywhere: Order = { lists: createLists(), passed: new Uint32Array(16) }
  const idle = everywhere.lists.newList()
  const inUse = everywhere.lists.newList()

  const isAside = (row: number) => kinds[rows.kind[row]!]!.ownLimit

  function pass(order: Order, row: number): boolean {
    while (row >= order.passed.length) order.passed = doubled(order.passed)
    // One more than the cycles, because 0 is never.
    const now = clock.cycles + 1
    if (order.passed[row] === now) return false
    order.passed[row] = now
    return true
  }

  /**
   * The last row of the list that wasn't written to. Whoever begins to use a row is taken as writing to it, so of
   * the idle list this is never one in use.
   */
  function search(order: Order, list: number): number {
    const { lists } = order
    for (let row = lists.last(list); row >= 0; row = lists.last(list)) {
      if (rows.flags[row]! & WRITTEN) {
        // The whole list was gone through.
        if (!pass(order, row)) return -1
        lists.move(list, row)
      } else {
        return row
      }
    }
    return -1
  }

  function searchBoth(order: Order, idleList: number, inUseList: number): number {
    const row = search(order, idleList)
    return row >= 0 ? row : search(order, inUseList)
  }

  return {
    inContainer: inContainer.lists,
    enter(row) {
      const state = rows.container[row]!
      inContainer.lists.push(isAside(row) ? state.aside : state.idle, row)
      everywhere.lists.push(idle, row)
    },
    leave(row) {
      inContainer.lists.remove(row)
      everywhere.lists.remove(row)
    },
    hide: (row) => everywhere.lists.remove(row),
    exported(row) {
      const used = links.retained[rows.link[row]!]! > 0
      const state = rows.container[row]!
      if (!isAside(row)) inContainer.lists.move(used ? state.inUse : state.idle, row)
      everywhere.lists.move(used ? inUse : idle, row)
    },
    leastActive: () => searchBoth(everywhere, idle, inUse),
    leastActiveIn: (state) => searchBoth(inContainer, state.idle, state.inUse),
    leastActiveUnused: () => search(everywhere, idle),
    rowsOf(state) {
      const { lists } = inContainer
      const found: number[] = []
      for (const list of [state.idle, state.inUse, state.aside]) {
        for (let row = lists.first(list); row >= 0; row = lists.next(row)) found.push(row)
      }
      return found
    },
  }
}
