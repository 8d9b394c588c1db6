import type { HrTime } from '@opentelemetry/api'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { createAttributesIdentity } from './series-identity.ts'
import type { DeltaTable } from './table.ts'

type Resource = ResourceMetrics['resource']

/** A living series is in every cycle of its resource: one that missed so many is gone. */
const MISSED_ROUNDS = 3
/** Rounds of a resource between two looks for what is gone. */
const ROUNDS_PER_SWEEP = 8
/** A resource is gone after so long without a point, and after `GAPS` times its own interval. */
const RESOURCE_TTL_S = 15 * 60
const GAPS = 4
/** Of a resource that was seen once: its interval is not known. */
const FIRST_GAP_S = RESOURCE_TTL_S

/** Everything that is kept for one resource. */
export interface ResourceState {
  /** By metric, by identity of the attributes: the row. */
  readonly metrics: Map<string, Map<string, number>>
  /** Distinct times of its points so far. */
  round: number
  seconds: number
  nanos: number
  gapSeconds: number
  /** Round of all resources together. */
  seenIn: number
  forgotten: boolean
}

/**
 * Finds what is kept for a resource, and lets go of what no longer comes: after `maxStalenessS` without a point, where
 * that is given. Time is that of the points alone.
 */
export function createResourceSeries(
  table: DeltaTable,
  identityOf: ReturnType<typeof createAttributesIdentity>,
  maxStalenessS?: number,
) {
  const byIdentity = new Map<string, ResourceState>()
  const byObject = new WeakMap<Resource, ResourceState>()
  let rounds = 0
  let seconds = 0
  let nanos = 0
  let sweptIn = 0

  function find(resource: Resource): ResourceState {
    const known = byObject.get(resource)
    if (known !== undefined && !known.forgotten) return known
    const identity = identityOf(resource.attributes)
    let state = byIdentity.get(identity)
    if (state === undefined) {
      state = {
        metrics: new Map(),
        round: 0,
        seconds: 0,
        nanos: 0,
        gapSeconds: FIRST_GAP_S,
        seenIn: rounds,
        forgotten: false,
      }
      byIdentity.set(identity, state)
    }
    byObject.set(resource, state)
    return state
  }

  /** The resource has points of this time. */
  function see(state: ResourceState, time: HrTime): void {
    if (time[0] !== seconds || time[1] !== nanos) {
      seconds = time[0]
      nanos = time[1]
      rounds++
    }
    state.seenIn = rounds
    if (time[0] === state.seconds && time[1] === state.nanos) return
    if (state.round > 0) state.gapSeconds = Math.max(0, time[0] - state.seconds)
    state.seconds = time[0]
    state.nanos = time[1]
    state.round++
    if (state.round % ROUNDS_PER_SWEEP === 0) sweepSeries(state)
  }

  function sweepSeries(state: ResourceState): void {
    for (const series of state.metrics.values()) {
      for (const [identity, row] of series) {
        if (state.round - table.round[row]! < MISSED_ROUNDS || table.underWay[row]! > 0) continue
        if (maxStalenessS !== undefined && state.seconds - table.endSeconds[row]! < maxStalenessS) continue
        series.delete(identity)
        table.free(row)
      }
    }
  }

  /** To be called between batches. */
  function sweep(): void {
    if (rounds - sweptIn < ROUNDS_PER_SWEEP) return
    sweptIn = rounds
    for (const [identity, state] of byIdentity) {
      if (rounds - state.seenIn < MISSED_ROUNDS) continue
      if (seconds - state.seconds < (maxStalenessS ?? Math.max(RESOURCE_TTL_S, GAPS * state.gapSeconds))) continue
      const rows = [...state.metrics.values()].flatMap((series) => [...series.values()])
      if (rows.some((row) => table.underWay[row]! > 0)) continue
      for (const row of rows) table.free(row)
      state.forgotten = true
      byIdentity.delete(identity)
    }
  }

  return { find, see, sweep }
}
