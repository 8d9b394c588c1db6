import type { Attributes, HrTime } from '@opentelemetry/api'
import { toHrTime } from './clock.ts'
import type { ContainerState } from './container-table.ts'
import type { KindPlan } from './plan.ts'

/** Written to since it was last exported: the only rows whose loss would lose a count. */
export const WRITTEN = 1
/** Shared by links without a row of their own. */
export const OVERFLOW = 2
/** The link had a connection. */
export const CONNECTED = 4
/** Evicted while in use: exported once more, with no active connection. */
export const LEAVING = 8
/** The numbers. Cell c of row r is values[base[r] + c]; a freed row's cells go to the next row of its kind. */
export interface Rows {
  values: Float64Array
  base: Uint32Array
  kind: Uint8Array
  flags: Uint8Array
  /** The link that owns the row; -1: none. */
  link: Int32Array
  /** Series that it counts as. */
  series: Uint8Array
  /** Start time of its series. */
  readonly start: HrTime[]
  /** End of the cycle that last found it written to. */
  activeMs: Float64Array
  /** Cycles before it was made: one that is made during a cycle isn't part of it. */
  born: Uint32Array
  readonly container: (ContainerState | undefined)[]
  /** Of the link; the points' are made from them, one object for each variant. */
  readonly attributes: (Attributes | undefined)[]
  readonly variants: ((Attributes | undefined)[] | undefined)[]
  take(kind: number, container: ContainerState, attributes: Attributes, startMs: number, cycle: number): number
  free(row: number): void
  setStart(row: number, startMs: number): void
}

export function createRows(kinds: readonly KindPlan[]): Rows {
  const free: number[][] = kinds.map(() => [])
  let count = 0
  let cells = 0
  let latestMs = Number.NaN
  let latest: HrTime = [0, 0]

  const rows: Rows = {
    values: new Float64Array(256),
    base: new Uint32Array(16),
    kind: new Uint8Array(16),
    flags: new Uint8Array(16),
    link: new Int32Array(16),
    series: new Uint8Array(16),
    start: [],
    activeMs: new Float64Array(16),
    born: new Uint32Array(16),
    container: [],
    attributes: [],
    variants: [],
    take(kind, container, attributes, startMs, cycle) {
      const row = free[kind]!.pop() ?? extend(kind)
      rows.values.set(kinds[kind]!.initial, rows.base[row])
      rows.flags[row] = WRITTEN
      rows.link[row] = -1
      rows.series[row] = kinds[kind]!.reserve
      rows.activeMs[row] = startMs
      rows.born[row] = cycle
      rows.container[row] = container
      rows.attributes[row] = attributes
      rows.setStart(row, startMs)
      return row
    },
    free(row) {
      rows.flags[row] = 0
      rows.link[row] = -1
      rows.container[row] = undefined
      rows.attributes[row] = undefined
      rows.variants[row] = undefined
      free[rows.kind[row]!]!.push(row)
    },
    setStart(row, startMs) {
      // Rows that begin together share the object.
      if (startMs !== latestMs) {
        latest = Object.freeze(toHrTime(startMs)) as HrTime
        latestMs = startMs
      }
      rows.start[row] = latest
    },
  }

  function extend(kind: number): number {
    const size = kinds[kind]!.initial.length
    if (cells + size > rows.values.length) rows.values = doubled(rows.values)
    if (count === rows.base.length) {
      rows.base = doubled(rows.base)
      rows.kind = doubled(rows.kind)
      rows.flags = doubled(rows.flags)
      rows.link = doubled(rows.link)
      rows.series = doubled(rows.series)
      rows.activeMs = doubled(rows.activeMs)
      rows.born = doubled(rows.born)
    }
    rows.base[count] = cells
    rows.kind[count] = kind
    cells += size
    return count++
  }

  return rows
}

/** The same numbers in an array twice as long. */
export function doubled<T extends Float64Array | Uint32Array | Int32Array | Uint8Array>(old: T): T {
  const array = new (old.constructor as new (length: number) => T)(old.length * 2)
  array.set(old)
  return array
}
