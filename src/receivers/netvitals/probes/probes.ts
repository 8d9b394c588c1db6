import type { Attributes } from '@opentelemetry/api'
import type { Dialled, Links } from '../connections/links.ts'
import { isLinkLocal } from '../destinations/address.ts'
import type { Destinations } from '../destinations/types.ts'
import type { NamespaceFinder } from '../kernel/namespace-finder.ts'
import type { NativeProber, NativeProberOptions } from '../kernel/native.ts'
import { Probe } from '../metrics/metrics.gen.ts'
import type { ContainerRef, LinkRef, Store } from '../metrics/types.ts'
import { createCandidates } from './candidates.ts'
import type { LatencyConfig, ProbesConfig } from './config.ts'
import { createProbedNamespaces, type ProbedNamespace } from './namespaces.ts'
import { createRequests } from './requests.ts'
import { applyResults, type Probed } from './results.ts'
import { createSchedule } from './schedule.ts'
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

/** An address pinged from a network namespace, for every container there that talks to it. */
interface Target extends Probed {
  readonly key: string
  /** Its number with the prober. */
  readonly token: number
  readonly namespace: ProbedNamespace
  readonly address: Uint8Array
  readonly local: Uint8Array | undefined
  attributes: Attributes
  readonly members: Member[]
  /** It has no member any more. */
  gone: boolean
}

/** One container's share in a target. */
interface Member {
  /** -1: it is leaving, once the probes that are out have come back. */
  candidate: number
  readonly container: ContainerRef
  readonly target: Target
  /** -1 until it is known that the address is not the namespace's own. */
  link: LinkRef
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
  const reports = (attributes: Attributes) =>
    config.report_unanswered === 'auto'
      ? attributes['destination.scope'] !== 'external'
      : config.report_unanswered === 'true'

  const wanted = createWanted(config)
  const schedule = createSchedule({ intervalMs: interval, maxRate: config.max_rate })
  const targets = new Map<string, Target>()
  const byToken: (Target | undefined)[] = []
  const freeTokens: number[] = []
  const members: (Member | undefined)[] = []
  const inNamespace = new Map<number, Set<Target>>()
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
    onReady(namespace) {
      for (const target of [...(inNamespace.get(namespace.inode) ?? [])])
        for (const member of [...target.members]) admit(member)
    },
  })
  const candidates = createCandidates({
    links,
    maxPerContainer: config.max_targets_per_container,
    foldOf: destinations.foldOf,
    onChosen: (candidate, dialled) => join(candidate, dialled),
    onDropped: (candidate) => part(candidate),
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

  function join(candidate: number, dialled: Omit<Dialled, 'entry'>): void {
    const key = `${dialled.netns} ${nameOf(dialled.address, dialled.family)}`
    const target = targets.get(key) ?? begin(key, dialled)
    const { container } = dialled
    const leaving = target.members.find((each) => each.candidate < 0 && each.container === container)
    const member = leaving ?? { candidate, container, target, link: -1 }
    member.candidate = candidate
    if (!leaving) target.members.push(member)
    members[candidate] = member
    if (target.namespace.handle >= 0) admit(member)
  }

  function begin(key: string, { netns, family, address, local, containerKey }: Omit<Dialled, 'entry'>): Target {
    const token = freeTokens.pop() ?? byToken.length
    const attributes = destinations.probed(address, 0, family)
    const target: Target = {
      key,
      token,
      namespace: namespaces.retain(netns, containerKey),
      family,
      address,
      local,
      attributes,
      members: [],
      answered: false,
      nanUnanswered: reports(attributes),
      outstanding: 0,
      gone: false,
    }
    targets.set(key, target)
    byToken[token] = target
    const siblings = inNamespace.get(netns) ?? new Set()
    inNamespace.set(netns, siblings.add(target))
    schedule.add(token, now())
    return target
  }

  function admit(member: Member): void {
    const { namespace, address, family } = member.target
    if (member.candidate >= 0 && namespace.own.has(address, family)) candidates.reject(member.candidate)
    else if (member.link < 0) member.link = openLink(member)
  }

  /** Another may be at the address now: what its probes tell is told of that one. */
  function rename(target: Target): void {
    const attributes = destinations.probed(target.address, 0, target.family)
    if (linkName(attributes) === linkName(target.attributes)) return
    if (isService(attributes)) {
      for (const { candidate } of [...target.members]) if (candidate >= 0) candidates.reject(candidate)
      return
    }
    target.attributes = attributes
    target.answered = false
    target.nanUnanswered = reports(attributes)
    for (const member of target.members) {
      if (member.link < 0) continue
      store.unset(member.link, Probe.latency)
      store.release(member.link)
      member.link = openLink(member)
    }
  }

  function openLink({ container, target }: Member): LinkRef {
    return store.link(container, 'probe', linkName(target.attributes), () => target.attributes, Date.now())
  }

  function part(candidate: number): void {
    const member = members[candidate]!
    members[candidate] = undefined
    member.candidate = -1
    // Whatever was sent for it is counted for it, unless there is nobody any more to count it for.
    if (member.target.outstanding === 0 || containerEnds) leave(member)
  }

  function leave(member: Member): void {
    const { link, target } = member
    if (link >= 0) {
      if (!isTakenOver(member)) store.unset(link, Probe.latency)
      store.release(link)
    }
    target.members.splice(target.members.indexOf(member), 1)
    if (target.members.length === 0) end(target)
  }

  /** Another address of what its own is folded into has taken its place, under the same link. */
  function isTakenOver({ link, target: { address, family } }: Member): boolean {
    return destinations.foldOf(address, 0, family) !== undefined && members.some((other) => other?.link === link)
  }

  function end(target: Target): void {
    const { key, token, namespace } = target
    target.gone = true
    targets.delete(key)
    schedule.remove(token)
    const siblings = inNamespace.get(namespace.inode)!
    siblings.delete(target)
    if (siblings.size === 0) inNamespace.delete(namespace.inode)
    namespaces.release(namespace)
    settle(target)
  }

  /** Its number is free once nothing of it can come back under it. */
  function settle(target: Target): void {
    if (!target.gone || target.outstanding > 0 || byToken[target.token] !== target) return
    byToken[target.token] = undefined
    freeTokens.push(target.token)
  }

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
      const target = byToken[token]!
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
      targetOf: (token) => byToken[token],
      onDone(probed) {
        const target = probed as Target
        if (target.outstanding > 0) return
        for (const member of [...target.members]) if (member.candidate < 0) leave(member)
        settle(target)
      },
    })
  }

  destinations.onChange((changed) => {
    for (const target of targets.values()) if (changed?.has(target.address, 0, target.family)) rename(target)
  })

  return {
    stats: () => ({ targets: targets.size, skipped, periodMs: schedule.periodMs }),
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

/** Nobody has that address: who answers for it is pinged, once that is known, and many a proxy answers no echo. */
function isService(attributes: Attributes): boolean {
  return attributes['k8s.dst.type'] === 'Service'
}

/** Of a target's links: an address that another has now is another link, and addresses that are folded are one. */
function linkName(attributes: Attributes): string {
  return JSON.stringify(attributes)
}

/** Of a target, after the namespace. */
function nameOf(address: Uint8Array, family: 4 | 6): string {
  return String.fromCharCode(family, ...new Uint16Array(address.buffer, address.byteOffset, 8))
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 16; i++) if (a[i] !== b[i]) return false
  return true
}
