import type { Attributes } from '@opentelemetry/api'
import type { Clock } from './clock.ts'
import type { ContainerState } from './container-table.ts'
import { ABSENT, CURRENT, type Plan } from './plan.ts'
import type { Room } from './room.ts'
import { OVERFLOW, type Rows } from './rows.ts'

/** The rows that links without one of their own share: one for each kind of a container. */
export interface Overflow {
  /** The row of that kind: the program's own where the container has none, and gets none. */
  rowOf(state: ContainerState, kind: number): number
  /** The program's own resource, or what stands for those that are hidden: they have no other rows. */
  isApart(state: ContainerState): boolean
  /** A container with a successor begins no series any more: they would be the successor's. */
  mayGrow(state: ContainerState): boolean
}

export interface OverflowOptions {
  readonly plan: Plan
  readonly rows: Rows
  readonly clock: Clock
  readonly room: Pick<Room, 'count' | 'makeForOverflow'>
  readonly self: ContainerState
  readonly nobody: ContainerState
}

const overflowAttributes: Attributes = Object.freeze({ 'otel.metric.overflow': true })
const none: Attributes = Object.freeze({})

export function createOverflow({ plan, rows, clock, room, self, nobody }: OverflowOptions): Overflow {
  const { kinds } = plan

  const isApart = (state: ContainerState) => state === self || state === nobody
  const mayGrow = (state: ContainerState) => !isApart(state) && !state.successor

  function rowOf(state: ContainerState, kind: number): number {
    const row = state.overflow[kind]!
    if (row >= 0) return row
    const { reserve } = kinds[kind]!
    const apart = isApart(state)
    if (!apart && (reserve === 0 || !mayGrow(state) || !room.makeForOverflow(reserve))) return rowOf(self, kind)
    const info = kind === plan.indexOf.self
    // Nothing happened on it before: it may begin where the last cycle ended.
    const startMs = Math.max(clock.previousEndMs, state.sinceMs)
    const made = rows.take(kind, state, info ? none : overflowAttributes, startMs, clock.cycles)
    if (!info) clearGauges(made)
    if (reserve > 0 && state !== nobody) rows.flags[made]! |= OVERFLOW
    state.overflow[kind] = made
    if (!apart) room.count(reserve)
    return made
  }

  /** Values of several links don't make one. */
  function clearGauges(row: number): void {
    for (const { cell, rule } of kinds[rows.kind[row]!]!.emitted) {
      if (rule === CURRENT) rows.values[rows.base[row]! + cell] = ABSENT
    }
  }

  return { rowOf, isApart, mayGrow }
}
