/** Rows of numbers, one a series: 46 bytes each, where an object with the same fields would take 150. */
export interface DeltaTable {
  /** The cumulative value that the points given out so far add up to, undelivered ones included. */
  given: Float64Array
  /** What undelivered points held: it goes into the next one. */
  owed: Float64Array
  /** Start of the cumulative series: another one is another life of it. */
  startSeconds: Uint32Array
  startNanos: Uint32Array
  /** End of the last point given out: the next one starts there. */
  endSeconds: Uint32Array
  endNanos: Uint32Array
  /** How many points were given out, modulo 2^32. */
  issues: Uint32Array
  /** The resource's round in which it was last seen. */
  round: Uint32Array
  /** Points whose fate is open. A row in use is never freed. */
  underWay: Uint16Array
  add(): number
  free(row: number): void
  /** Rows in use. */
  readonly size: number
}

const INITIAL_ROWS = 256

export function createDeltaTable(): DeltaTable {
  const free: number[] = []
  let rows = 0

  function grow(capacity: number): void {
    table.given = enlarged(table.given, new Float64Array(capacity))
    table.owed = enlarged(table.owed, new Float64Array(capacity))
    table.startSeconds = enlarged(table.startSeconds, new Uint32Array(capacity))
    table.startNanos = enlarged(table.startNanos, new Uint32Array(capacity))
    table.endSeconds = enlarged(table.endSeconds, new Uint32Array(capacity))
    table.endNanos = enlarged(table.endNanos, new Uint32Array(capacity))
    table.issues = enlarged(table.issues, new Uint32Array(capacity))
    table.round = enlarged(table.round, new Uint32Array(capacity))
    table.underWay = enlarged(table.underWay, new Uint16Array(capacity))
  }

  const table: DeltaTable = {
    given: new Float64Array(0),
    owed: new Float64Array(0),
    startSeconds: new Uint32Array(0),
    startNanos: new Uint32Array(0),
    endSeconds: new Uint32Array(0),
    endNanos: new Uint32Array(0),
    issues: new Uint32Array(0),
    round: new Uint32Array(0),
    underWay: new Uint16Array(0),
    add() {
      const reused = free.pop()
      if (reused !== undefined) return reused
      if (rows === table.given.length) grow(Math.max(INITIAL_ROWS, Math.ceil(rows * 1.5)))
      return rows++
    },
    free(row) {
      table.owed[row] = 0
      free.push(row)
    },
    get size() {
      return rows - free.length
    },
  }
  return table
}

function enlarged<T extends Float64Array | Uint32Array | Uint16Array>(from: T, to: T): T {
  to.set(from)
  return to
}
