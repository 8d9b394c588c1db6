import type { LinkSample, LinkStatus, ProbeSample, Thresholds } from './types.ts'

/** What one round alone says of a link; `idle` when it says nothing. Statuses that last are made of several: hysteresis.ts. */
export interface Verdict {
  readonly status: LinkStatus
  /** Empty unless the status is a bad one. */
  readonly reason: string
  /** Nothing passed but probes: ends a bad status, and is no traffic. */
  readonly quiet?: true
}

/** A reason when it applies. */
type Rule = (sample: LinkSample, thresholds: Thresholds) => string | undefined

/**
 * The only place where numbers become a status. The first rule that gives a reason decides, so their order is that
 * of LINK_STATUSES. What TCP tells of failure comes first: it is about the traffic that matters.
 */
const RULES: readonly (readonly [LinkStatus, Rule])[] = [
  ['failed', attemptsUnanswered],
  ['failed', handshakesUnanswered],
  ['failed', dataUnanswered],
  ['failed', probesUnanswered],
  ['refused', attemptsRefused],
  ['lossy', segmentsLost],
  ['lossy', probesLost],
  ['slow', roundTripLong],
  ['slow', latencyLong],
  ['filtered', probesFiltered],
]

export function judge(sample: LinkSample, thresholds: Thresholds): Verdict {
  for (const [status, rule] of RULES) {
    const reason = rule(sample, thresholds)
    if (reason !== undefined) return { status, reason }
  }
  if (sample.connects > 0 || hasTraffic(sample)) return { status: 'ok', reason: '' }
  return sample.probes !== undefined && sample.probes.replies > 0
    ? { status: 'ok', reason: '', quiet: true }
    : { status: 'idle', reason: '' }
}

function attemptsUnanswered(sample: LinkSample, { failedRatio }: Thresholds): string | undefined {
  const attempts = countAttempts(sample)
  let unanswered = 0
  let commonest = ''
  for (const [kind, count] of Object.entries(sample.failures)) {
    if (kind === 'refused' || (kind === 'aborted' && !abortMeansSilence(sample))) continue
    unanswered += count
    if (count > (sample.failures[commonest] ?? 0)) commonest = kind
  }
  if (unanswered === 0 || unanswered < failedRatio * attempts) return undefined
  return `${unanswered}/${attempts} connects ${commonest}`
}

/**
 * An application gives up on a SYN for good reasons too (Happy Eyeballs drops the slower address family):
 * only when no connect succeeded, or a SYN had gone unanswered for a second, does it mean that nobody answered.
 */
function abortMeansSilence(sample: LinkSample): boolean {
  return sample.connects === 0 || sample.handshakeRetransmits > 0
}

/** Handshakes still being tried: with the kernel's defaults an attempt times out after two minutes only. */
function handshakesUnanswered(sample: LinkSample): string | undefined {
  const answered = sample.connects + (sample.failures.refused ?? 0)
  if (answered > 0 || handshakeRetransmits(sample) === 0) return undefined
  const what = sample.direction === 'inbound' ? 'SYN-ACK' : 'SYN'
  return `no answer to ${what}, ${resent(sample.handshakeRetransmits)}`
}

/**
 * SYN-ACKs to the outside that nobody acknowledges come from scanners and floods with forged sources: they say
 * nothing about a link.
 */
function handshakeRetransmits(sample: LinkSample): number {
  return sample.direction === 'inbound' && sample.scope === 'external' ? 0 : sample.handshakeRetransmits
}

/** Established connections that only repeat themselves, or died of it: a partition that no connect has met. */
function dataUnanswered(sample: LinkSample): string | undefined {
  if (sample.bytesSent > 0 || sample.bytesReceived > 0 || sample.connects > 0) return undefined
  const timedOut = sample.broken.timed_out ?? 0
  if (sample.dataRetransmits === 0 && timedOut === 0) return undefined
  if (timedOut > 0) return `${timedOut} ${timedOut === 1 ? 'connection' : 'connections'} timed out`
  return `no ACK, ${resent(sample.dataRetransmits)}`
}

/**
 * No address answers, and nothing that TCP did in the round contradicts. By itself it is one lost probe: what is shown
 * takes two such rounds (hysteresis.ts).
 */
function probesUnanswered(sample: LinkSample): string | undefined {
  const { probes } = sample
  if (probes === undefined || countUnanswered(probes) === 0 || probes.answering > 0) return undefined
  if (probes.passes || areHushed(sample)) return undefined
  return `no answer to ${countUnanswered(probes) === 1 ? 'a probe' : `${countUnanswered(probes)} probes`}`
}

function attemptsRefused(sample: LinkSample, { refusedRatio }: Thresholds): string | undefined {
  const attempts = countAttempts(sample)
  const refused = sample.failures.refused ?? 0
  if (refused === 0 || refused < refusedRatio * attempts) return undefined
  return `${refused}/${attempts} connects refused`
}

/**
 * Data and handshakes each for themselves, so that a listener's full queue, which drops SYNs, is not hidden by much
 * data; then together, so that a link of many short connections has its say.
 */
function segmentsLost(sample: LinkSample, thresholds: Thresholds): string | undefined {
  const handshakes = handshakeRetransmits(sample)
  const counts = [
    [sample.dataRetransmits, sample.segmentsSent],
    [handshakes, countAttempts(sample) + handshakes],
    [sample.dataRetransmits + handshakes, sample.segmentsSent + countAttempts(sample) + handshakes],
  ] as const
  for (const [again, sent] of counts) {
    if (sent < thresholds.lossyMinSegments || again < thresholds.lossyMinRetransmits) continue
    if (again >= thresholds.lossyRatio * sent) return `${again}/${sent} segments resent`
  }
  return undefined
}

/**
 * Outside, where hosts and routers limit how much ICMP they answer, TCP's own word counts for more: it has enough
 * segments to tell, and they passed.
 */
function probesLost(sample: LinkSample, thresholds: Thresholds): string | undefined {
  const { probes } = sample
  if (probes === undefined || countOutcomes(probes) === 0 || areHushed(sample)) return undefined
  if (!isInside(sample) && sample.segmentsSent >= thresholds.lossyMinSegments) return undefined
  const lost = probes.recent - probes.recentReplies
  if (probes.recentReplies === 0 || lost < thresholds.lossyMinProbes) return undefined
  return lost >= thresholds.lossyRatio * probes.recent ? `${lost}/${probes.recent} probes unanswered` : undefined
}

/** The kernel's estimate changes with traffic alone: of a quiet connection it is an old one. */
function roundTripLong(sample: LinkSample, { slowMs }: Thresholds): string | undefined {
  if (sample.rttSeconds === undefined || sample.scope === undefined || !hasTraffic(sample)) return undefined
  const limitMs = slowMs[sample.scope]
  if (sample.rttSeconds * 1000 <= limitMs) return undefined
  return `round trip above ${limitMs} ms`
}

function latencyLong({ probes, latencySeconds = 0, scope }: LinkSample, { slowMs }: Thresholds): string | undefined {
  if (probes === undefined || probes.replies === 0 || scope === undefined) return undefined
  return latencySeconds * 1000 > slowMs[scope] ? `latency above ${slowMs[scope]} ms` : undefined
}

/** Known from one probe to the next, so it holds in rounds without one too, as long as something passes. */
function probesFiltered(sample: LinkSample): string | undefined {
  const { probes } = sample
  if (probes === undefined || !areHushed(sample)) return undefined
  if (countOutcomes(probes) === 0 && sample.connects === 0 && !hasTraffic(sample)) return undefined
  return 'no answer to probes'
}

/**
 * Silence that is no failure: TCP got through meanwhile, or it is out of this network, where many never answer
 * (managed databases, load balancers), and did not before.
 */
function areHushed(sample: LinkSample): boolean {
  const { probes } = sample
  if (probes === undefined || probes.answering > 0) return false
  return probes.filtered || (!isInside(sample) && probes.neverAnswered && probes.recent > 0)
}

const isInside = ({ scope }: LinkSample) => scope !== undefined && scope !== 'external'

const countUnanswered = ({ timeouts, unreachable, errors }: ProbeSample) => timeouts + unreachable + errors

const countOutcomes = (probes: ProbeSample) => probes.replies + countUnanswered(probes)

function hasTraffic(sample: LinkSample): boolean {
  return sample.segmentsSent > 0 || sample.bytesSent > 0 || sample.bytesReceived > 0
}

/** Attempts that ended in this round. */
function countAttempts(sample: LinkSample): number {
  let attempts = sample.connects
  for (const count of Object.values(sample.failures)) attempts += count
  return attempts
}

const resent = (count: number) => `${count} resent`
