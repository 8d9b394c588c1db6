import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { type Clock, type Cycle, toHrTime } from './clock.ts'
import type { ContainerState, ContainerTable } from './container-table.ts'
import type { LinkTable } from './link-table.ts'
import type { Placement } from './placement.ts'
import { CURRENT, MEAN, type Plan } from './plan.ts'
import type { Recency } from './recency.ts'
import { LEAVING, type Rows, WRITTEN } from './rows.ts'
import type { Snapshot } from './snapshot.ts'

/** Rows between two looks at the time. */
const ROWS_PER_LOOK = 16

interface CycleParts {
  readonly cycle: Cycle
  readonly plan: Plan
  readonly rows: Rows
  readonly links: LinkTable
  readonly clock: Clock
  readonly containers: ContainerTable
  readonly recency: Recency
  readonly placement: Placement
  readonly snapshot: Snapshot
  readonly self: ContainerState
  /** Never exported. */
  readonly nobody: ContainerState
  /** Nothing is held back: there is no next one. */
  readonly last: boolean
  readonly rttRound: number
  readonly seriesTtlMs: number
  /** Work between two yields to the event loop; 0: a yield after every row. */
  readonly sliceMs: number
  /** Ends a container whose last values were told. */
  readonly drop: (state: ContainerState) => void
}

/**
 * One cycle. Between its slices anything may happen to the store: a row that went is passed over, one that came
 * waits for the next cycle, and what is added to a row after its turn is in the next cycle too.
 */
export async function collectCycle(parts: CycleParts): Promise<ResourceMetrics[]> {
  const {
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
    seriesTtlMs,
    sliceMs,
    drop,
  } = parts
  const { endMs, restartMs } = cycle
  const batch: ResourceMetrics[] = []
  let sliceStart = performance.now()
  snapshot.begin(Object.freeze(toHrTime(endMs)) as ReturnType<typeof toHrTime>, parts.rttRound)

  // Decided beforehand: a successor whose predecessor leaves in this cycle has the next one.
  const due = [...containers.all()].filter((state) => state !== self && state !== nobody && !state.predecessor)
  for (const state of due) if (!state.gone && !isHeld(state) && state.renamed !== clock.cycles) await container(state)
  overflowOf(self)
  push(self)
  if (restartMs !== undefined) restart(restartMs)
  placement.settle(containers.all())
  return batch

  function isHeld(state: ContainerState): boolean {
    return !state.exported && state.heldUntilMs > endMs && !parts.last
  }

  async function container(state: ContainerState): Promise<void> {
    // From here on: what it is called meanwhile is not what these points say.
    state.exported = true
    const ended = state.ended
    const over = ended && (state.successor !== undefined || endMs >= state.lingerUntilMs)
    const last = over && recency.rowsOf(state).every((row) => rows.born[row] !== clock.cycles)
    if (last) placement.detach(state, self)
    for (const row of [...state.leaving]) leave(row)
    let looked = 0
    for (const row of recency.rowsOf(state)) {
      if (++looked % ROWS_PER_LOOK === 0 || sliceMs === 0) await breathe()
      if (rows.container[row] !== state || rows.born[row] === clock.cycles) continue
      if (rows.flags[row]! & LEAVING) {
        leave(row)
        continue
      }
      const link = rows.link[row]!
      const written = (rows.flags[row]! & WRITTEN) !== 0
      if (!written && link >= 0 && links.retained[link] === 0 && endMs - rows.activeMs[row]! > seriesTtlMs) {
        placement.expire(row)
        continue
      }
      if (written) rows.activeMs[row] = endMs
      placement.counted(row, snapshot.row(row))
      if (written && link >= 0) recency.exported(row)
      told(row)
    }
    if (!state.gone) overflowOf(state)
    push(state)
    if (state.gone) return
    if (ended) state.exportedSinceEnd = true
    if (last) drop(state)
    await breathe()
  }

  function leave(row: number): void {
    snapshot.leavingRow(row)
    placement.left(row)
  }

  function overflowOf(state: ContainerState): void {
    for (const row of state.overflow) {
      if (row < 0) continue
      placement.counted(row, snapshot.row(row))
      told(row)
    }
  }

  function told(row: number): void {
    rows.flags[row]! &= ~WRITTEN
    if (restartMs !== undefined) beginAnew(row)
  }

  function push(state: ContainerState): void {
    const metrics = snapshot.take(state)
    if (metrics) batch.push(metrics)
  }

  async function breathe(): Promise<void> {
    // A clock that was put back is dealt with in one go: no row may begin between the old time and the new.
    if (restartMs !== undefined || performance.now() - sliceStart < sliceMs) return
    await nextTurn()
    sliceStart = performance.now()
  }

  /** Sums begin at 0 again, except for what is there now. */
  function beginAnew(row: number): void {
    const { initial, emitted, active } = plan.kinds[rows.kind[row]!]!
    const base = rows.base[row]!
    for (const { cell, rule } of emitted) {
      if (cell !== active && rule !== CURRENT && rule !== MEAN) rows.values[base + cell] = initial[cell]!
    }
  }

  function restart(nowMs: number): void {
    const shiftMs = nowMs - endMs
    clock.restart(nowMs)
    for (const state of containers.all()) {
      state.lingerUntilMs += shiftMs
      state.heldUntilMs += shiftMs
      state.sinceMs = state.predecessor ? clock.next() : nowMs
      for (const row of [...recency.rowsOf(state), ...state.overflow, ...state.leaving]) {
        if (row < 0) continue
        rows.setStart(row, state.sinceMs)
        rows.activeMs[row]! += shiftMs
      }
    }
  }
}
