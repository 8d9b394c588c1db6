import type { Namespace } from '../kernel/lab.ts'

/** A share of packets, percent; with correlation the fate of one depends so much on that of the one before. */
export interface Chance {
  readonly percent: number
  readonly correlationPercent: number
}

/** What is done to packets; several of these together where netem or its stand-in does them. */
export interface Emulation {
  readonly delay?: { readonly latencyUs: number; readonly jitterUs: number; readonly correlationPercent: number }
  readonly loss?: Chance
  readonly corrupt?: Chance
  /** Token bucket: bytes a second, bytes that may wait, bytes that may pass at once. */
  readonly bandwidth?: { readonly bytesPerSecond: number; readonly limitBytes: number; readonly bufferBytes: number }
}

/** Everything is lost: what a firewall's drop does. */
export type Effect = 'partition' | Emulation

/** One end of a path. */
export interface End {
  readonly name: string
  /** Its addresses are on its eth0; in a network of one family it has none of the other. */
  readonly namespace: Pick<Namespace, 'path' | 'run' | 'ipv4'> & { readonly ipv6?: string }
  /** What else is dialled to reach it, and it alone: a Service's address, which is translated behind the sender. */
  readonly dialled?: readonly string[]
  /** The other half of its eth0: a bridge's port, or the eth0 of its only neighbour. */
  readonly farHalf: { readonly namespace: Pick<Namespace, 'run'>; readonly device: string }
}

/** Packets that one end sends to the other. */
export interface Path {
  readonly from: End
  readonly to: End
}

export interface Fault {
  /** What does it, for people: `nftables drop behind the eth0 of front-end`. */
  readonly means: readonly string[]
  /** Takes it away. Twice is fine. */
  stop(): Promise<void>
}
