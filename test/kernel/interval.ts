import assert from 'node:assert/strict'
import type { Agent } from './agent.ts'
import type { Container, Namespace } from './lab.ts'
import { comparable, type Links, linksBetween, seenLinks, toldLinks } from './links.ts'
import { between, type Counters, readCounters, waitQuiet } from './oracle.ts'
import { seen, sumKinds, type Tally } from './tally.ts'
import type { World } from './world.ts'

/** One quiet moment, as the kernel, the programs and the receiver have it. */
export interface Moment {
  readonly kernel: ReadonlyMap<Namespace, Counters>
  readonly programs: ReadonlyMap<Container, Tally[]>
  readonly seen: Links
  readonly told: Links
  readonly halfOpenResets: ReadonlyMap<Namespace, number>
}

export async function moment(world: World, agent?: Agent): Promise<Moment> {
  await waitQuiet(world.lab.namespaces)
  const programs = await world.report()
  const kernel = new Map(world.lab.namespaces.map((namespace) => [namespace, readCounters(namespace)]))
  const told = agent ? toldLinks(await agent.collect(), [...programs.keys()]) : new Map()
  return { kernel, programs, seen: seenLinks(programs), told, halfOpenResets: new Map(world.halfOpenResets) }
}

/**
 * `twins`: an interval in which data may overtake the last ACK of a handshake on another CPU. Then the server's kernel
 * clones the listener for both, counts both in PassiveOpens, and destroys one before it is established
 * (inet_ehash_nolisten()): so PassiveOpens may be higher than the connections.
 */
export interface Tolerance {
  readonly twins?: boolean
}

/** The programs' view and the kernel's counters agree: else the lab is wrong, whatever the receiver tells. */
export function programsEqualKernel(world: World, before: Moment, after: Moment, tolerance: Tolerance = {}): void {
  for (const namespace of world.lab.namespaces) {
    const kernel = between(before.kernel.get(namespace)!, after.kernel.get(namespace)!)
    const early = seen(talliesOf(world, before, namespace))
    const late = seen(talliesOf(world, after, namespace))
    const halfOpen = after.halfOpenResets.get(namespace)! - before.halfOpenResets.get(namespace)!
    assert.deepEqual(
      {
        ActiveOpens: late.outbound - early.outbound + late.failedWithSyn - early.failedWithSyn,
        PassiveOpens: atMost(late.inbound - early.inbound, kernel.PassiveOpens!, tolerance.twins),
        AttemptFails: late.failedByNetwork - early.failedByNetwork + halfOpen,
        EstabResets: late.broken - early.broken,
        CurrEstab: late.open,
      },
      pick(kernel, ['ActiveOpens', 'PassiveOpens', 'AttemptFails', 'EstabResets', 'CurrEstab']),
      `programs and kernel, ${namespace.name}`,
    )
  }
}

/** What the receiver tells of a namespace's containers adds up to the namespace's counters. */
export function receiverEqualsKernel(world: World, before: Moment, after: Moment, tolerance: Tolerance = {}): void {
  const told = linksBetween(before.told, after.told)
  for (const namespace of world.lab.namespaces) {
    const kernel = between(before.kernel.get(namespace)!, after.kernel.get(namespace)!)
    const sums = sumsOf(world, told, namespace)
    const halfOpen = after.halfOpenResets.get(namespace)! - before.halfOpenResets.get(namespace)!
    const noSyn = apart(world, before, after, namespace, 'noSyn')
    const soft = apart(world, before, after, namespace, 'soft')
    assert.deepEqual(
      {
        ActiveOpens: sums.outbound + sums.failed - noSyn,
        PassiveOpens: atMost(sums.inbound, kernel.PassiveOpens!, tolerance.twins),
        AttemptFails: sums.failedByNetwork - soft + halfOpen,
        EstabResets: sums.broken,
        CurrEstab: sums.active,
        RetransSegs: sums.retransData + sums.retransHandshake,
        TCPSynRetrans: sums.retransHandshake,
      },
      pick(kernel, [
        'ActiveOpens',
        'PassiveOpens',
        'AttemptFails',
        'EstabResets',
        'CurrEstab',
        'RetransSegs',
        'TCPSynRetrans',
      ]),
      `receiver and kernel, ${namespace.name}`,
    )
  }
}

/** Successes, failures by kind, ends by kind, bytes and what is open: link by link. */
export function receiverEqualsPrograms(before: Moment, after: Moment, options: { retransmits?: boolean } = {}): void {
  assert.deepEqual(
    comparable(linksBetween(before.told, after.told), options),
    comparable(linksBetween(before.seen, after.seen), options),
    'receiver and programs',
  )
}

/** A FIN that is sent again once its program has closed the socket is seen by the kernel alone. */
export function programsSawAllRetransmits(world: World, before: Moment, after: Moment): boolean {
  const links = linksBetween(before.seen, after.seen)
  return world.lab.namespaces.every((namespace) => {
    const { retransData, retransHandshake } = sumsOf(world, links, namespace)
    const { RetransSegs } = between(before.kernel.get(namespace)!, after.kernel.get(namespace)!)
    return retransData + retransHandshake === RetransSegs
  })
}

/** What is compared with the bound: the bound itself where less is tolerated. */
function atMost(value: number, bound: number, tolerated = false): number {
  return tolerated && value < bound ? bound : value
}

function talliesOf(world: World, of: Moment, namespace: Namespace): Tally[] {
  return [...of.programs].filter(([container]) => world.namespaceOf(container) === namespace).flatMap(([, t]) => t)
}

/** What the programs know and no metric tells apart. */
function apart(world: World, before: Moment, after: Moment, namespace: Namespace, name: 'noSyn' | 'soft'): number {
  const sum = (of: Moment) => talliesOf(world, of, namespace).reduce((total, tally) => total + tally[name], 0)
  return sum(after) - sum(before)
}

function sumsOf(world: World, links: Links, namespace: Namespace) {
  const ids = new Set(
    Object.values(world.containers)
      .filter((container) => world.namespaceOf(container) === namespace)
      .map((c) => c.id),
  )
  const sums = {
    outbound: 0,
    inbound: 0,
    failed: 0,
    failedByNetwork: 0,
    broken: 0,
    active: 0,
    retransData: 0,
    retransHandshake: 0,
  }
  for (const [key, link] of links) {
    const [id, direction] = key.split(' ')
    if (!ids.has(id!)) continue
    sums[direction as 'outbound' | 'inbound'] += link.opened
    sums.failed += sumKinds(link.failed)
    sums.failedByNetwork += sumKinds(link.failed, ['aborted', 'address_not_available'])
    sums.broken += sumKinds(link.broken)
    sums.active += link.active
    sums.retransData += link.retransmits.data
    sums.retransHandshake += link.retransmits.handshake
  }
  return sums
}

function pick(counters: Counters, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, counters[name] ?? 0]))
}
