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
})

export type DestinationsConfig = z.output<typeof destinationsConfig>
