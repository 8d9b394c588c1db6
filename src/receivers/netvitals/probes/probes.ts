import type { Links } from '../connections/links.ts'
import { isLinkLocal } from '../destinations/address.ts'
import type { Destinations } from '../destinations/types.ts'
import type { NamespaceFinder } from '../kernel/namespace-finder.ts'
import type { NativeProber, NativeProberOptions } from '../kernel/native.ts'
import type { Store } from '../metrics/types.ts'
import { createCandidates } from './candidates.ts'
import type { LatencyConfig, ProbesConfig } from './config.ts'
import { createProbedNamespaces } from './namespaces.ts'
import { createRequests } from './requests.ts'
import { applyResults } from './results.ts'
import { createSchedule } from './schedule.ts'
import { createTargets, isService } from './targets.ts'
import { createWanted } from './wanted.ts'

export interface Probes {
  stats(): ProbesStats
  /** Of the prober: see NativeProber. */
  unexpected(): { late: number; duplicate: number; foreign: number; clockSteps: number }
  /** Echo requests sent since the start by inode of the network namespace; see ProbedNamespaces. */
  sent(): Iterable<[inode: number | undefined, count: number]>
  close(): void
}

export interface ProbesStats {
  /** Addresses pinged, counted in each network namespace. */
  readonly targets: number
  /** Addresses that containers talk to beyond what is pinged for one container. */
  readonly skipped: number
  /** Time between two probes of one address, milliseconds. */
  readonly periodMs: number
}

export interface ProbesOptions {
  readonly config: ProbesConfig
  readonly latency: LatencyConfig
  readonly links: Pick<Links, 'observe' | 'isLive' | 'usage' | 'ageUses' | 'retell'>
  readonly destinations: Pick<Destinations, 'probed' | 'foldOf' | 'hasNames' | 'onChange'>
  readonly store: Pick<Store, 'link' | 'release' | 'add' | 'set' | 'unset'>
  readonly finder: NamespaceFinder
  readonly createProber: (options: NativeProberOptions) => NativeProber
  readonly report: (status: 'ok' | 'down', detail?: string) => void
  readonly onError: (error: Error) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

const TICK_MS = 250
/** The prober is told so long before: a tick may be late by what is more than TICK_MS. */
const AHEAD_MS = 1_000
const AHEAD_MIN_MS = 2 * TICK_MS

/**
 * Pings what containers talk to. connections/ tells which destinations are alive or are tried; the prober is told
 * what to send when, a second ahead; what comes back is written to the store's probe links.
 */
export function createProbes(options: ProbesOptions): Probes {
  const { config, latency, links, destinations, store, finder, report, now = () => performance.now() } = options
  const { interval, timeout, linger } = config
  // What became of a target's last probe is known when its next one is decided, where the timeout allows.
  const aheadMs = Math.min(AHEAD_MS, Math.max(AHEAD_MIN_MS, interval - timeout))

  const wanted = createWanted(config)
  const schedule = createSchedule({ intervalMs: interval, maxRate: config.max_rate })
  let timer: NodeJS.Timeout | undefined
  let round = Math.floor(now() / interval)
  let skipped = 0
  let closed = false
  let containerEnds = false

  const prober = options.createProber({ onResults, onError: options.onError })
  const requests = createRequests(prober)
  const namespaces = createProbedNamespaces({
    prober,
    finder,
    report,
    now,
    echo: { payloadBytes: config.payload_size, ttl: config.ttl, dscp: config.dscp, timeoutMs: config.timeout },
    onReady: (namespace) => targets.admitIn(namespace),
  })
  const targets = createTargets({
    reportUnanswered: config.report_unanswered,
    destinations,
    store,
    schedule,
    namespaces,
    reject: (candidate) => candidates.reject(candidate),
    now,
  })
  const candidates = createCandidates({
    links,
    maxPerContainer: config.max_targets_per_container,
    foldOf: destinations.foldOf,
    onChosen: targets.join,
    onDropped: (candidate) => targets.part(candidate, containerEnds),
  })

  links.observe({
    entered(dialled) {
      const { address, family, local } = dialled
      // A connection to one of the namespace's own addresses comes from that address.
      if (!wanted(address, 0, family) || (local && equal(address, local))) return
      if (destinations.hasNames() && isService(destinations.probed(address, 0, family))) return
      candidates.enter(dialled)
      timer ??= setTimeout(tick, TICK_MS)
    },
    forgotten: candidates.forget,
    containerEnded(container) {
      containerEnds = true
      candidates.dropContainer(container)
      containerEnds = false
    },
  })

  function tick(): void {
    timer = undefined
    const nowMs = now()
    const sinceMs = Date.now() - linger
    const current = Math.floor(nowMs / interval)
    if (current !== round) {
      round = current
      skipped = candidates.choose(sinceMs)
      links.ageUses()
      namespaces.refresh()
    }
    schedule.due(nowMs, nowMs + aheadMs, (token, atMs) => {
      const target = targets.byToken(token)!
      for (const { candidate } of [...target.members]) if (candidate >= 0) candidates.check(candidate, sinceMs)
      const { namespace, family, address, local } = target
      if (namespace.handle < 0 || !target.members.some(({ candidate }) => candidate >= 0)) return false
      target.outstanding++
      const zone = family === 6 && isLinkLocal(address, 0) ? namespace.own.zoneOf(local) : 0
      requests.push(namespace.handle, token, (atMs - nowMs) * 1000, zone, family, address)
      return true
    })
    requests.flush()
    if (!closed && candidates.size > 0) timer = setTimeout(tick, TICK_MS)
  }

  function onResults(buffer: Uint8Array, length: number): void {
    applyResults(buffer, length, {
      store,
      onLoss: latency.on_loss,
      targetOf: targets.byToken,
      onDone: targets.done,
    })
  }

  destinations.onChange((changed) => {
    if (changed) targets.rename(changed)
  })

  return {
    stats: () => ({ targets: targets.count(), skipped, periodMs: schedule.periodMs }),
    unexpected: () => prober.counters(),
    sent: () => namespaces.sent(),
    close() {
      closed = true
      clearTimeout(timer)
      timer = undefined
      namespaces.close()
      prober.close()
    },
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 16; i++) if (a[i] !== b[i]) return false
  return true
}
