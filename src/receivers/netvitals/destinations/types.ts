import type { Attributes } from '@opentelemetry/api'
import type { Answered } from './translation.ts'

export type Scope = 'node' | 'cluster' | 'private' | 'external'

/** Addresses are 16 bytes at `offset` as the record has them: network byte order, IPv4 in the first 4 (family says which). */
export interface Destinations {
  /** Scope by configured and local ranges; tens of ns, no allocation. */
  scope(bytes: Uint8Array, offset: number, family: 4 | 6): Scope
  /**
   * destination.address, .port, network.peer.address, .port, network.type, destination.scope: of what a container
   * dialled, and of who answers it where that is another.
   */
  outbound(bytes: Uint8Array, offset: number, family: 4 | 6, port: number, answered?: Answered): Attributes
  /** The same of the container's own listening address, and source.scope (and client.address where enabled) of who called: nobody, for a listening address. */
  inbound(
    local: Uint8Array,
    localOffset: number,
    family: 4 | 6,
    port: number,
    source: Scope | undefined,
    client?: string,
  ): Attributes
  /** destination.address, network.type, destination.scope: of an address that is pinged. */
  probed(bytes: Uint8Array, offset: number, family: 4 | 6): Attributes
  /** Local interfaces change: read again, at most every few seconds. */
  refresh(): void
}
