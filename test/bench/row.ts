/** One line of the bench's table. */
export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What it may be at most; at least, where `more` is set. Undefined: for information. */
  readonly target?: number | undefined
  /** More is better. */
  readonly more?: boolean
  readonly ok: boolean
}

export function information(name: string, value: number, unit: string): BenchRow {
  return { name, value, unit, ok: true }
}

export function atMost(name: string, value: number, unit: string, target: number): BenchRow {
  return { name, value, unit, target, ok: value <= target }
}

export function atLeast(name: string, value: number, unit: string, target: number): BenchRow {
  return { name, value, unit, target, more: true, ok: value >= target }
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('the median of nothing')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
