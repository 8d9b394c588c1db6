import type { HrTime } from '@opentelemetry/api'

/** A backward step of at most this much is waited out; after a larger one every series begins anew. */
export const TOLERATED_STEP_MS = 60_000

export interface Cycle {
  /** The one end time of all its points; later than every start time given before. */
  readonly endMs: number
  /** Set where the wall clock was put back: every series begins anew at this time once it was exported. */
  readonly restartMs: number | undefined
}

/** Milliseconds since the epoch that never go back, so that no point ends before it starts. */
export interface Clock {
  /** The time to write down for something that happens now. */
  see(nowMs: number): number
  /** A time later than every one given before, without waiting for it. */
  next(): number
  /** When a cycle that begins at `nowMs` ends. */
  endOf(nowMs: number): number
  beginCycle(nowMs: number): Cycle
  /** End of the cycle before this one; before the first, the earliest time seen. */
  readonly previousEndMs: number
  /** Latest time given out. */
  readonly lastMs: number
  /** How many cycles began. */
  readonly cycles: number
  /** After everything was exported under the old time. */
  restart(nowMs: number): void
}

export function createClock(): Clock {
  let last = Number.NEGATIVE_INFINITY
  let previousEnd = Number.NEGATIVE_INFINITY
  let end = Number.NEGATIVE_INFINITY
  let cycles = 0
  const endOf = (nowMs: number) => (nowMs > last ? nowMs : last + 1)
  return {
    see(nowMs) {
      if (nowMs > last) last = nowMs
      if (end === Number.NEGATIVE_INFINITY) end = previousEnd = last
      return last
    },
    next() {
      last++
      return last
    },
    endOf,
    beginCycle(nowMs) {
      if (end === Number.NEGATIVE_INFINITY) end = last = nowMs - 1
      previousEnd = end
      cycles++
      const restartMs = last - nowMs > TOLERATED_STEP_MS ? nowMs : undefined
      end = last = endOf(nowMs)
      return { endMs: end, restartMs }
    },
    get previousEndMs() {
      return previousEnd
    },
    get lastMs() {
      return last
    },
    get cycles() {
      return cycles
    },
    restart(nowMs) {
      end = last = previousEnd = nowMs
    },
  }
}

/** Milliseconds since the epoch as the SDK writes times: seconds and nanoseconds. */
export function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000)
  // To a microsecond: finer than a double of today's milliseconds can tell.
  const nanos = Math.round((ms - seconds * 1000) * 1000) * 1000
  return nanos < 1e9 ? [seconds, nanos] : [seconds + 1, 0]
}
