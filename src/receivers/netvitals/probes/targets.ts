import type { Attributes } from '@opentelemetry/api'
import type { Dialled } from '../connections/links.ts'
import type { ChangedAddresses, Destinations } from '../destinations/types.ts'
import { Probe } from '../metrics/metrics.gen.ts'
import type { ContainerRef, LinkRef, Store } from '../metrics/types.ts'
import type { ProbesConfig } from './config.ts'
import type { ProbedNamespace, ProbedNamespaces } from './namespaces.ts'
import type { Probed } from './results.ts'
import type { Schedule } from './schedule.ts'

/** An address pinged from a network namespace, for every container there that talks to it. */
export interface Target extends Probed {
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

/** What is pinged: one target for all containers of a namespace that talk to an address, each with a link of its own. */
export interface Targets {
  /** The container of that candidate has a share in the target from here on. */
  join(candidate: number, dialled: Omit<Dialled, 'entry'>): void
  /** It has none any more. `atOnce`: there is nobody any more to count for what is under way. */
  part(candidate: number, atOnce: boolean): void
  /** That namespace is open: what its own addresses are is known. */
  admitIn(namespace: ProbedNamespace): void
  /** Others may be at these addresses now. */
  rename(changed: ChangedAddresses): void
  byToken(token: number): Target | undefined
  /** A probe of it came back. */
  done(target: Target): void
  count(): number
}

export interface TargetsOptions {
  readonly reportUnanswered: ProbesConfig['report_unanswered']
  readonly destinations: Pick<Destinations, 'probed' | 'foldOf'>
  readonly store: Pick<Store, 'link' | 'release' | 'unset'>
  readonly schedule: Pick<Schedule, 'add' | 'remove'>
  readonly namespaces: Pick<ProbedNamespaces, 'retain' | 'release'>
  /** That candidate is not to be pinged: the address is the namespace's own, or a Service's. */
  readonly reject: (candidate: number) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now: () => number
}

export function createTargets(options: TargetsOptions): Targets {
  const { reportUnanswered, destinations, store, schedule, namespaces, reject, now } = options
  const targets = new Map<string, Target>()
  const byToken: (Target | undefined)[] = []
  const freeTokens: number[] = []
  /** By candidate. */
  const members: (Member | undefined)[] = []
  const inNamespace = new Map<number, Set<Target>>()

  const reports = (attributes: Attributes) =>
    reportUnanswered === 'auto' ? attributes['destination.scope'] !== 'external' : reportUnanswered === 'true'

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
    if (member.candidate >= 0 && namespace.own.has(address, family)) reject(member.candidate)
    else if (member.link < 0) member.link = openLink(member)
  }

  /** Another may be at the address now: what its probes tell is told of that one. */
  function rename(target: Target): void {
    const attributes = destinations.probed(target.address, 0, target.family)
    if (linkName(attributes) === linkName(target.attributes)) return
    if (isService(attributes)) {
      for (const { candidate } of [...target.members]) if (candidate >= 0) reject(candidate)
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

  function part(candidate: number, atOnce: boolean): void {
    const member = members[candidate]!
    members[candidate] = undefined
    member.candidate = -1
    // Whatever was sent for it is counted for it.
    if (member.target.outstanding === 0 || atOnce) leave(member)
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

  return {
    join,
    part,
    admitIn({ inode }) {
      for (const target of [...(inNamespace.get(inode) ?? [])]) for (const member of [...target.members]) admit(member)
    },
    rename(changed) {
      for (const target of targets.values()) if (changed.has(target.address, 0, target.family)) rename(target)
    },
    byToken: (token) => byToken[token],
    done(target) {
      if (target.outstanding > 0) return
      for (const member of [...target.members]) if (member.candidate < 0) leave(member)
      settle(target)
    },
    count: () => targets.size,
  }
}

/** Nobody has that address: who answers for it is pinged, once that is known, and many a proxy answers no echo. */
export function isService(attributes: Attributes): boolean {
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
