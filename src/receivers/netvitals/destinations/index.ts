import type { Attributes } from '@opentelemetry/api'
import { formatAddress } from './address.ts'
import { createChanges } from './changes.ts'
import { type Cidr, networkOf, parseCidr } from './cidr.ts'
import type { DestinationsConfig } from './config.ts'
import { createFolds } from './folds.ts'
import { type LocalNetworks, readLocalNetworks } from './local.ts'
import { type ClusterNames, callerName, destinationName, unnamed } from './names.ts'
import { compileRanges, type Range } from './ranges.ts'
import type { Answered } from './translation.ts'
import type { ChangedAddresses, Destinations, Name, Scope } from './types.ts'

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

/** A scope, and whether it stands against a cluster that says that the address is its own. */
interface Verdict {
  readonly scope: Scope
  readonly isFinal: boolean
}

/**
 * Names what containers dial and listen on. Unless a setting says otherwise, `node` is this host's addresses and
 * every loopback, `cluster` the networks of its container bridges and what a cluster says is its own, `private` the
 * private ranges, `external` the rest.
 *
 * The peer is the destination, unless whoever asks knows that another answers it (translation.ts).
 *
 * @example
 * const destinations = createDestinations({ config: { cluster_cidrs: ['10.42.0.0/16'] } })
 * const name = destinations.name(record, offset, 4, 443, undefined, Date.now())
 * destinations.outbound(record, offset, 4, 443, undefined, name)
 */
export function createDestinations(options: DestinationsOptions = {}): Destinations {
  const {
    config = {},
    readLocal = readLocalNetworks,
    refreshIntervalMs = 2000,
    now = () => performance.now(),
  } = options
  const fixed = fixedRanges(config)
  const foldOf = createFolds(config.fold ?? [])
  const otherwise: Verdict = { scope: 'external', isFinal: false }
  let lookup = compileRanges(fixed.map(judge), otherwise)
  const listeners: ((changed: ChangedAddresses | undefined) => void)[] = []
  const changes = createChanges(tell)
  let cluster: ClusterNames | undefined
  let unsubscribe: (() => void) | undefined
  let seen = ''
  let readable = true
  let nextRefreshMs = Number.NEGATIVE_INFINITY

  function refresh(): void {
    if (now() < nextRefreshMs) return
    nextRefreshMs = now() + refreshIntervalMs
    const local = tryRead()
    const podCidrs = cluster?.podCidrs() ?? []
    const signature = JSON.stringify([local, podCidrs])
    if (local === undefined || signature === seen) return
    seen = signature
    lookup = compileRanges([...fixed, ...localRanges(local), ...podRanges(podCidrs)].map(judge), otherwise)
    if (cluster) tell(undefined)
  }

  function tell(changed: ChangedAddresses | undefined): void {
    for (const listener of listeners) listener(changed)
  }

  function scope(bytes: Uint8Array, offset: number, family: 4 | 6): Scope {
    const verdict = lookup(bytes, offset, family)
    if (cluster === undefined || verdict.isFinal || verdict.scope === 'cluster') return verdict.scope
    return cluster.isClusterAddress(formatAddress(bytes, offset, family)) ? 'cluster' : verdict.scope
  }

  function name(
    bytes: Uint8Array,
    offset: number,
    family: 4 | 6,
    port: number | undefined,
    answered: Answered | undefined,
    atMs: number,
  ): Name {
    const of = scope(bytes, offset, family)
    // What is folded is nobody in particular.
    if (cluster === undefined || foldOf(bytes, offset, family) !== undefined) return unnamed[of]
    const answer =
      answered && foldOf(answered.address, 0, family) === undefined
        ? { address: formatAddress(answered.address, 0, family), port: answered.port }
        : undefined
    return destinationName(cluster, of, { address: formatAddress(bytes, offset, family), port }, answer, atMs)
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

  /** Of what it is folded into, where it is. */
  function addressOf(bytes: Uint8Array, offset: number, family: 4 | 6): string {
    return foldOf(bytes, offset, family) ?? formatAddress(bytes, offset, family)
  }

  /** destination.* and network.*: one place for both directions. */
  function describe(bytes: Uint8Array, offset: number, family: 4 | 6, port: number | undefined, of: Scope): Attributes {
    const address = addressOf(bytes, offset, family)
    return {
      'destination.address': address,
      ...(port !== undefined && { 'destination.port': port }),
      'network.peer.address': address,
      ...(port !== undefined && { 'network.peer.port': port }),
      'network.type': networkType(family),
      'destination.scope': of,
    }
  }

  return {
    scope,
    hasNames: () => cluster !== undefined,
    name,
    foldOf,
    addressOf,
    caller(bytes, offset, family) {
      const of = scope(bytes, offset, family)
      return cluster ? callerName(cluster, of, formatAddress(bytes, offset, family)) : unnamed[of]
    },
    probed(bytes, offset, family) {
      const { scope: of, attributes } = name(bytes, offset, family, undefined, undefined, Date.now())
      return Object.freeze({
        'destination.address': addressOf(bytes, offset, family),
        'network.type': networkType(family),
        'destination.scope': of,
        ...attributes,
      })
    },
    outbound(bytes, offset, family, port, answered, { scope: of, attributes: names }) {
      const attributes = describe(bytes, offset, family, port, of)
      if (answered !== undefined) {
        attributes['network.peer.address'] = addressOf(answered.address, 0, family)
        if (port !== undefined) attributes['network.peer.port'] = answered.port
      }
      return Object.freeze({ ...attributes, ...names })
    },
    inbound(local, localOffset, family, port, caller, client) {
      const attributes = describe(local, localOffset, family, port, scope(local, localOffset, family))
      if (caller !== undefined) attributes['source.scope'] = caller.scope
      if (client !== undefined) attributes['client.address'] = client
      return Object.freeze({ ...attributes, ...caller?.attributes })
    },
    refresh,
    use(of) {
      if (of === cluster) return
      unsubscribe?.()
      changes.close()
      cluster = of
      unsubscribe = of?.onChange(({ addresses }) => changes.add(addresses))
      nextRefreshMs = Number.NEGATIVE_INFINITY
      refresh()
    },
    onChange: (listener) => void listeners.push(listener),
  }
}

const networkType = (family: 4 | 6) => (family === 4 ? 'ipv4' : 'ipv6')

/** One object for each verdict: ranges that mean the same are one. */
const verdicts = new Map<string, Verdict>()

function judge({ cidr, rank, value: scope }: Range<Scope>): Range<Verdict> {
  const isFinal = rank >= RANK.configured
  const key = `${scope} ${isFinal}`
  const value = verdicts.get(key) ?? { scope, isFinal }
  verdicts.set(key, value)
  return { cidr, rank, value }
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

/** What is no network is left out: the API server may say anything. */
function podRanges(cidrs: readonly string[]): Range<Scope>[] {
  return cidrs.flatMap((text) => {
    try {
      return [{ cidr: parseCidr(text), rank: RANK.containers, value: 'cluster' as const }]
    } catch {
      return []
    }
  })
}

function isAddress({ family, prefix }: Cidr): boolean {
  return prefix === (family === 4 ? 32 : 128)
}
