/**
 * A virtual processor is often one of two threads of a core. What another machine does on the other thread takes up to
 * half of the speed of code that keeps a core busy, by the second, and nothing here tells of it but that speed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type BenchRow, information, median } from './row.ts'

/** A round has the core to itself while a loop before and after it takes at most so much of its least time. */
const WHOLE = 1.1
const MOST_ROUNDS = 80
const STEPS = 4_000_000
/** So long a look at first: others come and go by the second. */
const LOOK_MS = 3_000
/** And so long a wait after a round that was disturbed. */
const PAUSE_MS = 500
const WARM_UP_ROUNDS = 3
const ENOUGH = 7
const AT_LEAST = 3

export interface Rounds<T> {
  /** Those that count: during which the core was not shared, or all, where these were too few. */
  readonly counted: readonly T[]
  /** Every one after the warm-up. */
  readonly all: readonly T[]
  /** How many had the core to themselves. */
  readonly whole: number
}

/**
 * Rounds until seven had the core of this thread to themselves, or eighty were run; three to warm up. Where fewer than
 * three had, all count.
 */
export async function roundsOnWholeCore<T>(run: () => T | Promise<T>): Promise<Rounds<T>> {
  for (let round = 0; round < WARM_UP_ROUNDS; round++) await run()
  const until = performance.now() + (leastMs === Number.POSITIVE_INFINITY ? LOOK_MS : 0)
  while (performance.now() < until) leastMs = Math.min(leastMs, loopMs())
  const rounds: { result: T; ms: number }[] = []
  const undisturbed = () => rounds.filter(({ ms }) => ms <= leastMs * WHOLE)
  while (undisturbed().length < ENOUGH && rounds.length < MOST_ROUNDS) {
    const before = loopMs()
    const result = await run()
    const after = loopMs()
    leastMs = Math.min(leastMs, before, after)
    const ms = Math.max(before, after)
    rounds.push({ result, ms })
    if (ms > leastMs * WHOLE) await sleep(PAUSE_MS)
  }
  const whole = undisturbed()
  return {
    counted: (whole.length < AT_LEAST ? rounds : whole).map(({ result }) => result),
    all: rounds.map(({ result }) => result),
    whole: whole.length,
  }
}

/** The median of all rounds, the shared core's too. */
export function ofAllRounds(name: string, { all, whole }: Omit<Rounds<number>, 'counted'>, unit: string): BenchRow {
  return information(`${name}: all ${all.length} rounds, ${whole} of them on a whole core`, median(all), unit)
}

/** Of six sums that do not wait for each other. */
function loopMs(): number {
  const began = performance.now()
  sum = (sum + addUp(STEPS)) | 0
  return performance.now() - began
}

let leastMs = Number.POSITIVE_INFINITY

/** Is written so that no compiler leaves the loop out. */
let sum = 0

function addUp(steps: number): number {
  let [a, b, c, d, e, f] = [1, 2, 3, 4, 5, 6]
  for (let i = 0; i < steps; i++) {
    a = (a + 3) | 0
    b ^= i
    c = (c + 7) | 0
    d ^= i
    e = (e + 11) | 0
    f ^= i
  }
  return (a + b + c + d + e + f) | 0
}
