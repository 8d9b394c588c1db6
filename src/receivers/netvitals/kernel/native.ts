/**
 * What the addon (native/) gives. Only kernel/ imports the addon itself; probes/ and destinations/ get their
 * handles from here. The addon is a pipe: it knows no metric, no configuration and no policy.
 * Its errors carry a code: ERR_INVALID_OPTION, ERR_RING_SIZE, ERR_BPF_PERMISSION, ERR_NO_BTF, ERR_BPF_LOAD,
 * ERR_BPF_ATTACH, ERR_RING, ERR_NO_ITERATOR, ERR_SAMPLE, ERR_SNAPSHOT, ERR_SETNS, ERR_SETNS_PERMISSION,
 * ERR_TRACER_CLOSED.
 */
export interface NativeTracerOptions {
  /** Bytes, a power of two, at least a page. */
  readonly ringBytes: number
  /** Most live sockets tracked. */
  readonly maxSockets: number
  /**
   * Records copied from the ring or from a walk, whole, back to back, in the first `length` bytes; the buffer is only
   * valid during the call (it is reused). What it throws goes to `onError` and the tracer goes on.
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

export interface NativeAddon {
  /** sizeof of each record as the addon was compiled: compared with layout.gen.ts at load. */
  readonly layout: { readonly conn: number; readonly cgroup: number }
  readonly Tracer: new (options: NativeTracerOptions) => NativeTracer
}
