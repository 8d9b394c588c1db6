import type { Verdict } from './judge.ts'
import { compareStatus, isBad, type LinkStatus } from './types.ts'

/** How many rounds it takes. */
export interface HysteresisRules {
  /** Rounds in a row that are worse, until a worse status is shown. */
  readonly enterRounds: number
  /** Rounds in a row that are better, until a bad status is left. */
  readonly leaveRounds: number
  /** Rounds in a row that say nothing, until a bad status is taken for history and the link for idle. */
  readonly silentRounds: number
}

/**
 * Twelve silent rounds are a minute in the built-in configuration: longer than the pause between the sixth and the
 * seventh retransmission of a SYN or of a segment (32 s and 26 s), which is when a cut link looks quiet.
 */
export const DEFAULT_HYSTERESIS: HysteresisRules = { enterRounds: 2, leaveRounds: 3, silentRounds: 12 }

/** What is shown of a link, and what it takes to know when to change it. Immutable. */
export interface Standing {
  readonly status: LinkStatus
  readonly reason: string
  /** The newest verdicts that said something, newest last. */
  readonly recent: readonly Verdict[]
  /** Rounds that said nothing since then. */
  readonly silent: number
}

export const UNKNOWN: Standing = { status: 'idle', reason: '', recent: [], silent: 0 }

/**
 * The standing after one more round.
 *
 * A worse status is shown once `enterRounds` rounds in a row were all worse than the shown one (the mildest of them is
 * shown: each of them was at least that bad); a bad status is left once `leaveRounds` in a row were all better (to the
 * worst of them). A round without traffic says nothing: it neither confirms nor clears. A link's first bad round is
 * no exception: until the second it is ok if data passed, else idle, with its numbers in plain view. A round in which
 * probes alone passed counts against a bad status, and makes no idle link ok.
 * From idle to ok takes one round, back `leaveRounds` silent ones.
 */
export function advance(before: Standing, verdict: Verdict, rules: HysteresisRules = DEFAULT_HYSTERESIS): Standing {
  if (verdict.status === 'idle') return fallSilent(before, rules)
  const recent = [...before.recent, verdict].slice(-Math.max(rules.enterRounds, rules.leaveRounds))
  if (verdict.quiet === true && !isBad(before.status)) return { ...fallSilent(before, rules), recent }
  const shown = before.status === 'idle' ? 'ok' : before.status

  const worse = latest(recent, rules.enterRounds, (status) => compareStatus(status, shown) < 0)
  const better = latest(recent, rules.leaveRounds, (status) => compareStatus(status, shown) > 0)
  let status = before.status
  if (worse !== undefined) status = worse.reduce((a, b) => (compareStatus(a, b) < 0 ? b : a))
  else if (better !== undefined) status = better.reduce((a, b) => (compareStatus(a, b) < 0 ? a : b))
  else if (status === 'idle' && passesData(verdict.status)) status = 'ok'
  return { status, reason: reasonFor(status, recent, before), recent, silent: 0 }
}

function fallSilent(before: Standing, rules: HysteresisRules): Standing {
  const silent = before.silent + 1
  if (silent >= rules.silentRounds) return UNKNOWN
  if (!isBad(before.status) && silent >= rules.leaveRounds) return { ...before, status: 'idle', silent }
  return { ...before, silent }
}

/** The statuses of the newest `count` verdicts if there are as many and all are so. */
function latest(recent: readonly Verdict[], count: number, test: (status: LinkStatus) => boolean) {
  const last = recent.slice(-count).map((verdict) => verdict.status)
  return last.length === count && last.every(test) ? last : undefined
}

const passesData = (status: LinkStatus) => status !== 'failed' && status !== 'refused'

/** The newest round that was at least as bad as what is shown explains it. */
function reasonFor(status: LinkStatus, recent: readonly Verdict[], before: Standing): string {
  if (!isBad(status)) return ''
  return recent.findLast((verdict) => compareStatus(verdict.status, status) <= 0)?.reason ?? before.reason
}
