import type { Answer } from '../destinations/translation.ts'

/** What is known of entries that are answered by whom they dial. An answer stands for its time, then it is renewed. */
export interface Untranslated {
  /** Nothing is known of it. */
  enter(entry: number): void
  /** Whether a connection to it asks. `count`: that many at once, of which each would. */
  mustAsk(entry: number, nowMs: number, count: number): boolean
  learn(entry: number, answer: Answer, nowMs: number): void
}

/** How long an answer stands: that it is the one dialled, and that nobody knew the connection. */
const SAME_MS = 60_000
const UNTRACKED_MS = 5_000
/**
 * After that one connection asks again, and those that come meanwhile count as before: so long for one that gets no
 * answer, and so long in all.
 */
const RENEWAL_MS = 1_000
const RENEWALS_MS = 10_000

export function createUntranslated(): Untranslated {
  let untilMs = new Float64Array(1024)
  let renewsUntilMs = new Float64Array(1024)

  function longer(old: Float64Array): Float64Array<ArrayBuffer> {
    const array = new Float64Array(2 * old.length)
    array.set(old)
    return array
  }

  return {
    enter(entry) {
      while (entry >= untilMs.length) {
        untilMs = longer(untilMs)
        renewsUntilMs = longer(renewsUntilMs)
      }
      untilMs[entry] = 0
    },
    mustAsk(entry, nowMs, count) {
      const until = untilMs[entry]!
      if (until > nowMs) return false
      const isRenewal = until + RENEWAL_MS > nowMs && renewsUntilMs[entry]! > nowMs
      if (isRenewal && count === 1) untilMs[entry] = nowMs + RENEWAL_MS
      return true
    },
    learn(entry, answer, nowMs) {
      if (typeof answer === 'object') untilMs[entry] = 0
      if (answer !== 'same' && answer !== 'untracked') return
      untilMs[entry] = nowMs + (answer === 'same' ? SAME_MS : UNTRACKED_MS)
      renewsUntilMs[entry] = untilMs[entry]! + RENEWALS_MS
    },
  }
}
