import { createLinks } from '../../src/links/index.ts'
import { container, linkPoints, outbound, probePoints, resourceMetrics } from './batches.ts'

const T0 = 1_700_000_000_000
const ADDRESS = '10.42.2.243'
const ROUND_MS = 5_000
/** Of probes every 15 s. */
const ROUNDS_A_PROBE = 3

export interface Chances {
  /** Share of probes whose latency is NaN. */
  readonly nan: number
  /** Share of probes that were not answered, nor was the one before. */
  readonly twice: number
  /** Share of the time in which the link is shown as failed. */
  readonly failed: number
  /** Share of the time in which it is shown as lossy. */
  readonly lossy: number
}

export interface Simulation {
  /** Chance of a probe to be lost, its reply included, 0 to 1. */
  readonly loss: number
  readonly probes: number
  /** A connection that idles, or data that is acknowledged in every round. */
  readonly traffic: 'idle' | 'busy'
  /** 0 to 1. */
  readonly random: () => number
}

/** What links and their judge make of random loss, with the default intervals. */
export function simulate({ loss, probes, traffic, random }: Simulation): Chances {
  const links = createLinks()
  const attributes = outbound(ADDRESS, 8080, 'cluster')
  const sums = { reply: 0, timeout: 0, sent: 0, segments: 0, retransmits: 0 }
  const counts = { twice: 0, failed: 0, lossy: 0 }
  let latency = 0
  let lostBefore = false
  for (let round = 0; round < probes * ROUNDS_A_PROBE; round++) {
    if (round % ROUNDS_A_PROBE === 0) {
      const lost = random() < loss
      sums[lost ? 'timeout' : 'reply']++
      if (lost && lostBefore) counts.twice++
      lostBefore = lost
      latency = lost ? Number.NaN : 0.0002
    }
    if (traffic === 'busy') {
      for (let segment = 0; segment < 100; segment++) if (random() < loss) sums.retransmits++
      sums.segments += 100
      sums.sent += 50_000
    }
    const { reply, timeout, ...tcp } = sums
    const points = [
      ...linkPoints(attributes, { active: 1, ...tcp }, T0),
      ...probePoints(ADDRESS, 'cluster', { reply, timeout, latency }, T0),
    ]
    links.add([resourceMetrics(container('front-end'), points, T0 + (round + 1) * ROUND_MS)])
    const { status } = links.current().links[0]!
    if (status === 'failed' || status === 'lossy') counts[status]++
  }
  const rounds = probes * ROUNDS_A_PROBE
  return {
    nan: sums.timeout / probes,
    twice: counts.twice / probes,
    failed: counts.failed / rounds,
    lossy: counts.lossy / rounds,
  }
}

/**
 * The same computed, for a connection that idles. Failed begins with two losses in a row and ends with three answers
 * in a row: mean times until these are (1 + p) / p² and (1 - q³) / (q³ p) probes, with q = 1 - p.
 */
export function compute(loss: number): Pick<Chances, 'nan' | 'twice' | 'failed'> {
  const answered = 1 - loss
  const untilFailed = (1 + loss) / loss ** 2
  const untilCleared = (1 - answered ** 3) / (answered ** 3 * loss)
  return { nan: loss, twice: loss ** 2, failed: untilCleared / (untilFailed + untilCleared) }
}

/** Numbers that are the same in every run (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
