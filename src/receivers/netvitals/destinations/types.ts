import type { Attributes } from '@opentelemetry/api'
import type { ClusterNames } from './names.ts'
import type { Answered } from './translation.ts'

export type Scope = 'node' | 'cluster' | 'private' | 'external'

/** Who is at the other end, as far as is known. */
export interface Name {
  /** Two with the same attributes and scope have the same. */
  readonly key: string
  readonly scope: Scope
  /** k8s.dst.* or k8s.src.*, frozen; empty where nothing is known. */
  readonly attributes: Attributes
}

/** Of these something else may be told from now on. */
export interface ChangedAddresses {
  /** Tens of ns where it is not one of them. */
  has(bytes: Uint8Array, offset: number, family: 4 | 6): boolean
}

/** Addresses are 16 bytes at `offset` as the record has them: network byte order, IPv4 in the first 4 (family says which). */
export interface Destinations {
  /** Scope by configured and local ranges, and by what a cluster tells where one is used; tens of ns without. */
  scope(bytes: Uint8Array, offset: number, family: 4 | 6): Scope
  /** What the address is folded into, by the settings: it is told by that name. Undefined: it is told as it is. */
  foldOf(bytes: Uint8Array, offset: number, family: 4 | 6): string | undefined
  /** What the address is told as. */
  addressOf(bytes: Uint8Array, offset: number, family: 4 | 6): string
  /** Whether a cluster is used: callers may then have names. */
  hasNames(): boolean
  /** Who was at what a container dialled, and who answered it, at that moment (ms since the epoch): k8s.dst.*. */
  name(
    bytes: Uint8Array,
    offset: number,
    family: 4 | 6,
    port: number,
    answered: Answered | undefined,
    atMs: number,
  ): Name
  /** Who calls from this address now: k8s.src.*. */
  caller(bytes: Uint8Array, offset: number, family: 4 | 6): Name
  /**
   * destination.address, .port, network.peer.address, .port, network.type, destination.scope: of what a container
   * dialled, and of who answers it where that is another; and its name. Without ports where those are folded.
   */
  outbound(
    bytes: Uint8Array,
    offset: number,
    family: 4 | 6,
    port: number | undefined,
    answered: Answered | undefined,
    name: Name,
  ): Attributes
  /** The same of the container's own listening address, and source.scope and name (and client.address where enabled) of who called: nobody, for a listening address. */
  inbound(
    local: Uint8Array,
    localOffset: number,
    family: 4 | 6,
    port: number | undefined,
    caller: Name | undefined,
    client?: string,
  ): Attributes
  /** destination.address, network.type, destination.scope, k8s.dst.*: of an address that is pinged. */
  probed(bytes: Uint8Array, offset: number, family: 4 | 6): Attributes
  /** Local interfaces change: read again, at most every few seconds. */
  refresh(): void
  /** From here on names come from this cluster; undefined: from nowhere, as at first. */
  use(cluster: ClusterNames | undefined): void
  /** Told of addresses whose names or scopes may be others, soon after; undefined: callers of any address. */
  onChange(listener: (changed: ChangedAddresses | undefined) => void): void
}
