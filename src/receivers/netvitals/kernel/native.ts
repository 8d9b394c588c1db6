/**
 * What the addon (native/) gives. Only kernel/ imports the addon itself; probes/ and destinations/ get their
 * handles from here. The addon is a pipe: it knows no metric, no configuration and no policy.
 * Its errors carry a code: ERR_INVALID_OPTION, ERR_RING_SIZE, ERR_BPF_PERMISSION, ERR_NO_BTF, ERR_BPF_LOAD,
 * ERR_BPF_ATTACH, ERR_RING, ERR_NO_ITERATOR, ERR_SAMPLE, ERR_SNAPSHOT, ERR_HOLDERS, ERR_SETNS, ERR_SETNS_PERMISSION,
 * ERR_TRACER_CLOSED, ERR_PAGES.
 */
export interface NativeTracerOptions {
  /** Bytes, a power of two, at least a page. */
  readonly ringBytes: number
  /** Most live sockets tracked. */
  readonly maxSockets: number
  /** Whether ends are joined (Kind.ends) where they may be: see native/README.md. Not when absent. */
  readonly joinEnds?: boolean
  /**
   * Records copied from the ring or from a walk, whole, back to back, in the first `length` bytes, and behind these what
   * belongs to joined ones; the buffer is only valid during the call (it is reused). What it throws goes to `onError` and
   * the tracer goes on.
   */
  readonly onRecords: (buffer: Uint8Array, length: number) => void
  readonly onError: (error: Error) => void
}

export interface ProgramStatus {
  /** e.g. `tp_btf/tcp_retransmit_skb`. */
  readonly name: string
  readonly attached: boolean
  /** Why not: what the kernel lacks and the version that has it. */
  readonly reason?: string
}

export interface NativeTracer {
  status(): ProgramStatus[]
  /**
   * Walks the hash of live sockets; its records arrive through onRecords, in order with the ring's. Resolves with
   * their number after the last was delivered.
   */
  sample(): Promise<number>
  /** Enters the connections that are there in the namespace that this descriptor refers to (-1: the process' own). Resolves with the number entered. */
  snapshot(netnsFd: number): Promise<number>
  /**
   * Looks through the descriptors of all processes but init for the sockets with these ids (`Conn.id`), 4096 at most:
   * a record `Kind.holder` for each that refers to one. Resolves with their number after the last was delivered.
   */
  holders(ids: Float64Array): Promise<number>
  /** Takes what is in the ring now; resolves when it was delivered. */
  flush(): Promise<void>
  /** Stops and resumes the reading of the ring (for tests of loss). */
  pause(): void
  resume(): void
  /** Kernel-side counters (enum nv_counter), summed over CPUs since the load. */
  counters(): Float64Array
  /** Sockets that the last walk showed, and bytes of kernel memory of all maps (before kernel 6.4: when they are full). */
  usage(): { sockets: number; mapBytes: number }
  /** Twice is fine; after it everything else throws. */
  close(): void
}

export interface NativeProberOptions {
  /**
   * Results, whole records of ProbeResultLayout.size bytes, back to back, in the first `length` bytes; the buffer is
   * only valid during the call (it is reused). What it throws goes to `onError` and the prober goes on.
   */
  readonly onResults: (buffer: Uint8Array, length: number) => void
  readonly onError: (error: Error) => void
}

/** How the echo requests of a namespace look. */
export interface EchoOptions {
  /** Bytes after the ICMP header, 24 (those of the prober's own, see native/README.md) to 1400. */
  readonly payloadBytes: number
  /** IPv4 time to live and IPv6 hop limit, 1 to 255. */
  readonly ttl: number
  /** Differentiated services code point, 0 to 63. */
  readonly dscp: number
  /** Milliseconds until a probe counts as not answered, 1 to 3,600,000. */
  readonly timeoutMs: number
}

/** What became of a probe. Each that was scheduled gets exactly one. */
export const ProbeOutcome = {
  reply: 1,
  timeout: 2,
  /** An ICMP error of a router or of the destination answered it: icmpType and icmpCode. */
  unreachable: 3,
  /** It was not sent: errno. */
  error: 4,
  /** Its namespace was released first. */
  cancelled: 5,
} as const

/** One ICMP thread and its sockets. Errors carry ERR_PROBER, ERR_PROBER_CLOSED, ERR_INVALID_OPTION, ERR_SETNS, ERR_SETNS_PERMISSION. */
export interface NativeProber {
  /**
   * Enters the namespace that this descriptor refers to (it is duplicated; -1: the process' own) and resolves with a
   * handle of it. Its sockets, one per family, are opened with the first probe that needs them and kept; one that
   * cannot be opened is the outcome `error` of each probe that needed it.
   */
  open(netnsFd: number, options: EchoOptions): Promise<number>
  /** Closes its sockets; probes that are scheduled or in flight end as `cancelled`. Unknown handles are ignored. */
  release(namespace: number): void
  /**
   * Takes `count` records of ProbeRequestLayout.size bytes: what to send, and in how many microseconds (up to 10 ms
   * earlier, with others). A result comes up to 100 ms after it is known.
   */
  schedule(requests: Uint8Array, count: number): void
  /**
   * Echo requests of the namespace since it was opened, as the kernel counts them (IcmpOutEchos, Icmp6OutEchos): with
   * those that a firewall then refused (EPERM), without those that found no route. 0 when unknown.
   */
  sent(namespace: number): number
  /** Since the start: replies that came after their timeout, twice, or were not ours; samples discarded for a step of the realtime clock. */
  counters(): { late: number; duplicate: number; foreign: number; clockSteps: number }
  /** Twice is fine; after it everything else throws. */
  close(): void
}

/**
 * A request: what to ping, and when.
 * u32 namespace, u32 target (the caller's token), u32 delayUs (from now), u32 zone (interface index of an IPv6
 * link-local address, else 0), u8 family (4 or 6), 3 bytes 0, address (network byte order; IPv4 in the first 4).
 */
export const ProbeRequestLayout = {
  size: 36,
  namespace: 0,
  target: 4,
  delayUs: 8,
  zone: 12,
  family: 16,
  address: 20,
} as const

/** f64 rttSeconds (NaN: a reply whose sample was discarded, or no reply), u32 target, i32 errno, u8 outcome, u8 icmpType, u8 icmpCode, 5 bytes 0. */
export const ProbeResultLayout = {
  size: 24,
  rttSeconds: 0,
  target: 8,
  errno: 12,
  outcome: 16,
  icmpType: 17,
  icmpCode: 18,
} as const

export interface NativeConntrackOptions {
  /** Answers, whole records of ConntrackAnswerLayout.size bytes, back to back; one for each request, in their order. */
  readonly onAnswers: (buffer: Uint8Array, length: number) => void
  readonly onError: (error: Error) => void
}

/**
 * The kernel's connection tracking of TCP, asked on a thread of its own. Asking needs CAP_NET_ADMIN, loads no module
 * and turns nothing on. Errors carry ERR_CONNTRACK (no descriptor or thread left for it), ERR_CONNTRACK_CLOSED,
 * ERR_INVALID_OPTION, ERR_SETNS, ERR_SETNS_PERMISSION.
 */
export interface NativeConntrack {
  /** Enters the namespace that this descriptor refers to (-1: the process' own) and resolves with a handle of it, above 0. */
  open(netnsFd: number): Promise<number>
  /** Closes its socket: what is asked of it from then on is not found. Unknown handles are ignored. */
  release(namespace: number): void
  /** Takes `count` records of ConntrackRequestLayout.size bytes; they are copied. */
  lookup(requests: Uint8Array, count: number): void
  /** Twice is fine; after it everything else throws. */
  close(): void
}

/**
 * A question: u32 token (the caller's), u32 first namespace to ask, u32 second (0: none), u16 sourcePort,
 * u16 destinationPort (host byte order), u8 family (4 or 6), 3 bytes 0, source and destination as the client's
 * socket has them (network byte order; IPv4 in the first 4 bytes).
 */
export const ConntrackRequestLayout = {
  size: 52,
  token: 0,
  first: 4,
  second: 8,
  sourcePort: 12,
  destinationPort: 14,
  family: 16,
  source: 20,
  destination: 36,
} as const

/**
 * u32 token, i32 errno (0: who answers is known; ENOENT: nobody tracks this connection; EOPNOTSUPP: this kernel has
 * no ctnetlink loaded), u16 port, 2 bytes 0, address of who answers.
 */
export const ConntrackAnswerLayout = { size: 28, token: 0, errno: 4, port: 8, address: 12 } as const

export interface NativeAddon {
  /** sizeof of each record as the addon was compiled: compared with layout.gen.ts at load. */
  readonly layout: {
    readonly conn: number
    readonly cgroup: number
    readonly ends: number
    readonly ended: number
    readonly conntrackRequest: number
    readonly conntrackAnswer: number
    readonly probeRequest: number
    readonly probeResult: number
  }
  readonly Tracer: new (options: NativeTracerOptions) => NativeTracer
  readonly Conntrack: new (options: NativeConntrackOptions) => NativeConntrack
  readonly Prober: new (options: NativeProberOptions) => NativeProber
  /**
   * Unmaps what the process has resident of the code and constants of its executable and shared libraries, each page
   * that is still as the file has it; what is used again comes back from the page cache. On a thread of libuv's pool.
   * Resolves with the bytes that went; rejects with ERR_PAGES, whatever went until then.
   */
  releasePages(): Promise<number>
}
