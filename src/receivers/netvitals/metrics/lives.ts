import { isDeepStrictEqual } from 'node:util'
import type { Attributes } from '@opentelemetry/api'
import type { Clock } from './clock.ts'
import { type ContainerState, type ContainerTable, instanceOf } from './container-table.ts'
import type { Placement } from './placement.ts'
import type { KindPlan } from './plan.ts'
import type { Recency } from './recency.ts'
import { type Rows, WRITTEN } from './rows.ts'
import type { ContainerStanding, Store } from './types.ts'

/** Beginnings and ends of containers: who succeeds whom, and what becomes of the series when a name changes. */
export interface Lives extends Pick<Store, 'container' | 'identify'> {
  readonly end: Store['endContainer']
  /** The container's last values were told: nothing of it is needed any more. */
  drop(state: ContainerState): void
}

export interface LivesOptions {
  readonly kinds: readonly KindPlan[]
  readonly clock: Clock
  readonly rows: Rows
  readonly recency: Recency
  readonly containers: ContainerTable
  readonly placement: Placement
  readonly self: ContainerState
  readonly nobody: ContainerState
  readonly containerLingerMs: number
}

export function createLives(options: LivesOptions): Lives {
  const { kinds, clock, rows, recency, containers, placement, self, nobody, containerLingerMs } = options

  function drop(state: ContainerState): void {
    detach(state)
    placement.clear(state)
    containers.remove(state)
  }

  function detach(state: ContainerState, to = self): void {
    if (!state.detached) placement.detach(state, to)
  }

  /** What it counted was not told, and never is. */
  function discard(state: ContainerState): void {
    detach(state, nobody)
    drop(state)
  }

  /** Everything that it counted was exported since its end. */
  function isTold(state: ContainerState): boolean {
    const settled = (row: number) => row < 0 || (!(rows.flags[row]! & WRITTEN) && !hasActive(row))
    return (
      state.exportedSinceEnd &&
      state.leaving.length === 0 &&
      recency.rowsOf(state).every(settled) &&
      state.overflow.every(settled)
    )
  }

  function hasActive(row: number): boolean {
    const { active } = kinds[rows.kind[row]!]!
    return active >= 0 && rows.values[rows.base[row]! + active] !== 0
  }

  function endAt(state: ContainerState, nowMs: number): void {
    if (state.ended || state === nobody) return
    state.ended = true
    state.exportedSinceEnd = false
    state.lingerUntilMs = nowMs + containerLingerMs
  }

  function begin(key: string, attributes: Attributes, { unsureUntilMs, hidden }: ContainerStanding): ContainerState {
    if (hidden) return nobody
    const previous = containers.byInstance(instanceOf(attributes))
    const adopted = previous?.ended && !previous.exported ? previous : undefined
    const state = adopted ?? containers.make(key, attributes, previous ? clock.next() : clock.lastMs)
    if (adopted) containers.adopt(adopted, key, attributes)
    else if (previous) succeed(previous, state)
    state.heldUntilMs = unsureUntilMs ?? Number.NEGATIVE_INFINITY
    return state
  }

  /** Whether it waits, through however many between them, for the other's last values. */
  function isAfter(later: ContainerState, state: ContainerState): boolean {
    for (let next = state.successor; next; next = next.successor) if (next === later) return true
    return false
  }

  /** It was never exported. */
  function rename(state: ContainerState, attributes: Attributes): void {
    const other = containers.byInstance(instanceOf(attributes))
    if (other !== undefined && other !== state) {
      // It ended, and its successor is known by that name already: perhaps one that ended too.
      if (state.ended && (!other.ended || isAfter(other, state))) return
      succeed(other, state)
    }
    containers.rename(state, attributes, clock.cycles)
  }

  /** The one before has the same name: it is told once more, and gone, before any of the other's series begins. */
  function succeed(previous: ContainerState, state: ContainerState): void {
    // Still there though its successor is.
    endAt(previous, clock.lastMs)
    state.sinceMs = clock.next()
    for (const row of [...recency.rowsOf(state), ...state.overflow]) if (row >= 0) rows.setStart(row, state.sinceMs)
    if (isTold(previous)) {
      drop(previous)
      return
    }
    previous.successor = state
    state.predecessor = previous
  }

  return {
    container(key, attributes, standing = {}) {
      const known = containers.byKey(key)
      if (known && !known.ended) return known.ref
      return begin(key, attributes, standing).ref
    },

    identify(ref, attributes, standing = {}) {
      const state = containers.get(ref)
      if (!state || state === nobody) return ref
      if (!state.exported) {
        if (standing.hidden) {
          discard(state)
          return nobody.ref
        }
        rename(state, attributes)
        state.heldUntilMs = standing.unsureUntilMs ?? Number.NEGATIVE_INFINITY
        return ref
      }
      if (state.ended || (!standing.hidden && isDeepStrictEqual(state.attributes, attributes))) return ref
      endAt(state, clock.lastMs)
      // Told once more, and no longer.
      state.lingerUntilMs = clock.lastMs
      return begin(state.key, attributes, standing).ref
    },

    end(ref, nowMs) {
      const state = containers.get(ref)
      if (state) endAt(state, clock.see(nowMs))
    },
    drop,
  }
}
