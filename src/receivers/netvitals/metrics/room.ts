import type { ContainerState } from './container-table.ts'
import type { KindPlan } from './plan.ts'
import type { Recency } from './recency.ts'

/** How many series there are, how many there may be, and who goes to make room for others. */
export interface Room {
  /** So many series more; less where negative. */
  count(series: number): void
  /** Whether another link of the container may have a row of its own without one that goes. */
  isFor(state: ContainerState, kind: number): boolean
  /** Room for a link's own row. False: nothing more can go. */
  make(state: ContainerState, kind: number): boolean
  /** Only rows that nobody uses go for it: evicting another one may need overflow itself. */
  makeForOverflow(series: number): boolean
  /** Back within the limit on series, as far as rows can go. */
  shrink(): void
  /** Rows that went. */
  evicted(): number
}

export interface RoomOptions {
  readonly kinds: readonly KindPlan[]
  readonly recency: Pick<Recency, 'leastActive' | 'leastActiveIn' | 'leastActiveUnused'>
  readonly maxDestinationsPerContainer: number
  readonly maxSeries: number
  /** Takes the row, and what it counts as, away. */
  readonly evict: (row: number) => void
}

export function createRoom(options: RoomOptions): Room {
  const { kinds, recency, maxDestinationsPerContainer, maxSeries, evict } = options
  let series = 0
  let evicted = 0

  const isFull = (state: ContainerState) => state.rowCount >= maxDestinationsPerContainer
  const exceeds = (reserve: number) => series + reserve > maxSeries

  /** False: nothing more can go. */
  function evictWhile(full: () => boolean, next: () => number): boolean {
    while (full()) {
      const row = next()
      if (row < 0) return false
      evicted++
      evict(row)
    }
    return true
  }

  return {
    count(more) {
      series += more
    },
    isFor: (state, kind) => !isFull(state) && !exceeds(kinds[kind]!.reserve),
    make(state, kind) {
      const { reserve, ownLimit } = kinds[kind]!
      return (
        evictWhile(
          () => !ownLimit && isFull(state),
          () => recency.leastActiveIn(state),
        ) && evictWhile(() => exceeds(reserve), recency.leastActive)
      )
    },
    makeForOverflow: (reserve) => evictWhile(() => exceeds(reserve), recency.leastActiveUnused),
    shrink: () => void evictWhile(() => exceeds(0), recency.leastActive),
    evicted: () => evicted,
  }
}
