import type { Attributes } from '@opentelemetry/api'
import type { Batch } from '../../src/component/types.ts'
import type { Container } from './lab.ts'
import { pointsOf } from './points.ts'
import { addKinds, type Tally } from './tally.ts'

/** What happened between one container and one destination: as the programs saw it, or as the receiver told it. */
export interface LinkTotals {
  opened: number
  active: number
  failed: Record<string, number>
  broken: Record<string, number>
  sent: number
  received: number
  retransmits: { data: number; handshake: number }
}

/** By `<container id> <direction> <address> <port>`; links on which nothing happened are left out. */
export type Links = ReadonlyMap<string, LinkTotals>

const none = (): LinkTotals => ({
  opened: 0,
  active: 0,
  failed: {},
  broken: {},
  sent: 0,
  received: 0,
  retransmits: { data: 0, handshake: 0 },
})

export function seenLinks(report: ReadonlyMap<Container, readonly Tally[]>): Links {
  const links = new Map<string, LinkTotals>()
  for (const [container, tallies] of report)
    for (const tally of tallies) {
      const link = at(links, `${container.id} ${tally.direction} ${tally.address} ${tally.port}`)
      link.opened += tally.opened
      link.active += tally.open
      addKinds(link.failed, tally.failed)
      addKinds(link.broken, tally.broken)
      link.sent += tally.sent
      link.received += tally.received
      link.retransmits.data += tally.retransData
      link.retransmits.handshake += tally.retransHandshake
    }
  return links
}

/** Of these containers; a resource without one of their ids is another's. */
export function toldLinks(batch: Batch, containers: readonly Container[]): Links {
  const ids = new Set(containers.map((container) => container.id))
  const links = new Map<string, LinkTotals>()
  const link = (id: string, a: Attributes) =>
    at(links, `${id} ${a.direction ?? 'outbound'} ${a['destination.address']} ${a['destination.port']}`)
  const each = function* (metric: string): Generator<[LinkTotals, number, Attributes]> {
    for (const { resource, attributes, value } of pointsOf(batch, { metric: `container.net.tcp.${metric}` })) {
      const id = String(resource['container.id'])
      if (ids.has(id)) yield [link(id, attributes), value, attributes]
    }
  }
  for (const [of, value] of each('successful_connects')) of.opened += value
  for (const [of, value] of each('active_connections')) of.active += value
  for (const [of, value] of each('bytes_sent')) of.sent += value
  for (const [of, value] of each('bytes_received')) of.received += value
  for (const [of, value, a] of each('failed_connects')) addKinds(of.failed, { [String(a['error.type'])]: value })
  for (const [of, value, a] of each('broken_connections')) addKinds(of.broken, { [String(a['error.type'])]: value })
  for (const [of, value, a] of each('retransmits'))
    addKinds(of.retransmits, { [String(a['network.tcp.retransmit.type'])]: value })
  return links
}

/** What happened from one to the other; active is a state, and is the later one. */
export function linksBetween(before: Links, after: Links): Links {
  const delta = new Map<string, LinkTotals>()
  for (const [key, late] of after) {
    const early = before.get(key) ?? none()
    const link: LinkTotals = {
      opened: late.opened - early.opened,
      active: late.active,
      failed: kindsBetween(early.failed, late.failed),
      broken: kindsBetween(early.broken, late.broken),
      sent: late.sent - early.sent,
      received: late.received - early.received,
      retransmits: {
        data: late.retransmits.data - early.retransmits.data,
        handshake: late.retransmits.handshake - early.retransmits.handshake,
      },
    }
    if (JSON.stringify(link) !== JSON.stringify(none())) delta.set(key, link)
  }
  return delta
}

function kindsBetween(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>) {
  const delta: Record<string, number> = {}
  for (const [kind, n] of Object.entries(after)) if (n !== (before[kind] ?? 0)) delta[kind] = n - (before[kind] ?? 0)
  return delta
}

function at(links: Map<string, LinkTotals>, key: string): LinkTotals {
  let link = links.get(key)
  if (!link) {
    link = none()
    links.set(key, link)
  }
  return link
}

/** Plain objects in one order, for assertions that print what differs. Retransmits apart: programs know some only. */
export function comparable(links: Links, { retransmits = false } = {}): Record<string, unknown> {
  const plain: [string, unknown][] = []
  for (const [key, { retransmits: segments, failed, broken, ...link }] of links) {
    const row = {
      ...link,
      failed: sorted(failed),
      broken: sorted(broken),
      ...(retransmits && { retransmits: segments }),
    }
    const empty = { ...none(), ...(retransmits ? {} : { retransmits: undefined }) }
    if (JSON.stringify(sorted(row)) !== JSON.stringify(sorted(empty))) plain.push([key, row])
  }
  return Object.fromEntries(plain.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function sorted(of: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)))
}
