import type { Attributes } from '@opentelemetry/api'
import { formatAddress } from './address.ts'
import { type Cidr, networkOf, parseCidr } from './cidr.ts'
import type { DestinationsConfig } from './config.ts'
import { type LocalNetworks, readLocalNetworks } from './local.ts'
import { compileRanges, type Range } from './ranges.ts'
import type { Destinations, Scope } from './types.ts'

export type { Destinations, Scope } from './types.ts'

export interface DestinationsOptions {
  readonly config?: Partial<DestinationsConfig>
  /** Reads the host's interfaces, again at each refresh. */
  readonly readLocal?: () => LocalNetworks
  /** Least time between two readings, milliseconds. */
  readonly refreshIntervalMs?: number
  /** Told when the interfaces can't be read, or can again. */
  readonly report?: (status: 'ok' | 'down', detail?: string) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

/** @see RFC 1122 3.2.1.3, RFC 4291 2.5.3, 2.5.2 */
const LOOPBACK = ['127.0.0.0/8', '0.0.0.0/8', '::1', '::']
/** @see RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 2.5.6 */
const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  'fc00::/7',
  'fe80::/10',
]

/**
 * What counts when networks overlap, the strongest last; within one, the longer prefix. A configured single address
 * is as strong as the host's own, so a setting always has the last word.
 */
const RANK = { builtIn: 0, containers: 1, configured: 2, ownAddress: 3, configuredAddress: 4 } as const

/**
 * Names what containers dial and listen on. Unless a setting says otherwise, `node` is this host's addresses and
 * every loopback, `cluster` the networks of its container bridges, `private` the private ranges, `external` the rest.
 *
 * The peer is the destination, unless whoever asks knows that another answers it (translation.ts).
 *
 * @example
 * const destinations = createDestinations({ config: { cluster_cidrs: ['10.42.0.0/16'] } })
 * destinations.outbound(record, offset, 4, 443)
 */
export function createDestinations(options: DestinationsOptions = {}): Destinations {
  const {
    config = {},
    readLocal = readLocalNetworks,
    refreshIntervalMs = 2000,
    now = () => performance.now(),
  } = options
  const fixed = fixedRanges(config)
  let lookup = compileRanges<Scope>(fixed, 'external')
  let seen = ''
  let readable = true
  let nextRefreshMs = Number.NEGATIVE_INFINITY

  function refresh(): void {
    if (now() < nextRefreshMs) return
    nextRefreshMs = now() + refreshIntervalMs
    const local = tryRead()
    const signature = JSON.stringify(local)
    if (local === undefined || signature === seen) return
    seen = signature
    lookup = compileRanges<Scope>([...fixed, ...localRanges(local)], 'external')
  }

  function tryRead(): LocalNetworks | undefined {
    try {
      const local = readLocal()
      if (!readable) options.report?.('ok')
      readable = true
      return local
    } catch (error) {
      const detail = `cannot read this host's interfaces (${(error as Error).message}): its own addresses are not known as destination.scope node; name them in destinations::node_cidrs`
      if (readable) options.report?.('down', detail)
      readable = false
      return undefined
    }
  }
  refresh()

  /** destination.* and network.*: one place for both directions. */
  function describe(bytes: Uint8Array, offset: number, family: 4 | 6, port: number): Attributes {
    const address = formatAddress(bytes, offset, family)
    return {
      'destination.address': address,
      'destination.port': port,
      'network.peer.address': address,
      'network.peer.port': port,
      ...byAddress(bytes, offset, family),
    }
  }

  function byAddress(bytes: Uint8Array, offset: number, family: 4 | 6): Attributes {
    return { 'network.type': family === 4 ? 'ipv4' : 'ipv6', 'destination.scope': lookup(bytes, offset, family) }
  }

  return {
    scope: (bytes, offset, family) => lookup(bytes, offset, family),
    probed: (bytes, offset, family) =>
      Object.freeze({
        'destination.address': formatAddress(bytes, offset, family),
        ...byAddress(bytes, offset, family),
      }),
    outbound(bytes, offset, family, port, answered) {
      const attributes = describe(bytes, offset, family, port)
      if (answered !== undefined) {
        attributes['network.peer.address'] = formatAddress(answered.address, 0, family)
        attributes['network.peer.port'] = answered.port
      }
      return Object.freeze(attributes)
    },
    inbound(local, localOffset, family, port, source, client) {
      const attributes = describe(local, localOffset, family, port)
      if (source !== undefined) attributes['source.scope'] = source
      if (client !== undefined) attributes['client.address'] = client
      return Object.freeze(attributes)
    },
    refresh,
  }
}

function fixedRanges(config: Partial<DestinationsConfig>): Range<Scope>[] {
  const builtIn = (value: Scope) => (text: string) => ({ cidr: parseCidr(text), rank: RANK.builtIn, value })
  const configured =
    (value: Scope) =>
    (text: string): Range<Scope> => {
      const cidr = parseCidr(text)
      return { cidr, rank: isAddress(cidr) ? RANK.configuredAddress : RANK.configured, value }
    }
  return [
    ...PRIVATE.map(builtIn('private')),
    ...LOOPBACK.map((text) => ({ cidr: parseCidr(text), rank: RANK.ownAddress, value: 'node' as const })),
    ...(config.external_cidrs ?? []).map(configured('external')),
    ...(config.private_cidrs ?? []).map(configured('private')),
    ...(config.cluster_cidrs ?? []).map(configured('cluster')),
    ...(config.node_cidrs ?? []).map(configured('node')),
  ]
}

function localRanges({ addresses, containerNetworks }: LocalNetworks): Range<Scope>[] {
  return [
    ...containerNetworks.map((text) => ({ cidr: networkOf(text), rank: RANK.containers, value: 'cluster' as const })),
    ...addresses.map((text) => ({ cidr: parseCidr(text), rank: RANK.ownAddress, value: 'node' as const })),
  ]
}

function isAddress({ family, prefix }: Cidr): boolean {
  return prefix === (family === 4 ? 32 : 128)
}
