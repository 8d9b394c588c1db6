import type { z } from 'zod'
import { boolean, integer, invalid, list, object, string } from '../../../config/fields.ts'
import { parseCidr } from './cidr.ts'

/** A network, `10.0.0.0/8` or `fd00::/8`, or a single address. Stays text; `parseCidr` reads it. */
export function cidr() {
  return string().superRefine((value, ctx) => {
    try {
      parseCidr(value)
    } catch (error) {
      ctx.addIssue(invalid((error as Error).message))
    }
  })
}

const cidrs = (what: string) => list(cidr()).prefault([]).describe(what)

const translation = object({
  enabled: boolean()
    .prefault(true)
    .describe('Whether connection tracking is asked who answers what containers dial; takes CAP_NET_ADMIN.'),
  max_rate: integer({ min: 1, max: 10_000 })
    .prefault(2_000)
    .describe('Most lookups a second, 1 to 10000; connections beyond it count as answered by the address dialled.'),
  node_namespaces: list(string())
    .prefault(['/proc/1/ns/net'])
    .describe("Paths of the network namespaces in which nodes translate: the host's own, and those of nested nodes."),
})

export type TranslationConfig = z.output<typeof translation>

const fold = object({
  name: string().optional().describe('What the destination is called; as each network is written, when absent.'),
  cidrs: list(cidr()).describe('Networks whose addresses are one destination, or one each where no name is given.'),
}).superRefine(({ name, cidrs }, ctx) => {
  if (cidrs.length === 0)
    ctx.addIssue(invalid('no network is given', { path: ['cidrs'], remedy: 'write cidrs: [10.1.0.0/16]' }))
  if (name === '')
    ctx.addIssue(invalid('the name is empty', { path: ['name'], remedy: 'leave it out for one by its network' }))
})

export type FoldConfig = z.output<typeof fold>

const ephemeralPorts = object({
  fold: boolean()
    .prefault(true)
    .describe('Whether ephemeral ports beyond `keep` are one destination, without a port, for each address.'),
  from: integer({ min: 0, max: 65_535 })
    .prefault(0)
    .describe("First ephemeral port, up to 65535; 0 for the first of this host's net.ipv4.ip_local_port_range."),
  keep: integer({ min: 0, max: 1_000 })
    .prefault(8)
    .describe('Ephemeral ports of an address that are told by number, for each container and direction, 0 to 1000.'),
})

export type EphemeralPortsConfig = z.output<typeof ephemeralPorts>

/** `destinations:` of the receiver. Of configured networks that overlap the longer prefix counts. */
export const destinationsConfig = object({
  node_cidrs: cidrs("Addresses counted as destination.scope node, beside this host's own addresses and loopback."),
  cluster_cidrs: cidrs(
    "Networks counted as destination.scope cluster, e.g. those of pods and Services, beside this host's container bridges.",
  ),
  private_cidrs: cidrs(
    'Networks counted as destination.scope private, beside RFC 1918, 100.64.0.0/10, link-local and unique local ones.',
  ),
  translation: translation
    .prefault({})
    .describe('How it is found out who answers a Kubernetes Service, a published port, or any other DNAT.'),
  external_cidrs: cidrs('Networks counted as destination.scope external though their addresses are private.'),
  fold: list(fold)
    .prefault([])
    .describe(
      'Networks whose addresses are told as one destination. Of networks that overlap the longer prefix counts.',
    ),
  ephemeral_ports: ephemeralPorts
    .prefault({})
    .describe(
      "What becomes of ports that are given out for a transfer each: FTP's data, RPC, and whatever does alike.",
    ),
})

export type DestinationsConfig = z.output<typeof destinationsConfig>
