/**
 * What the addon (native/) gives. Only kernel/ imports the addon itself; probes/ and destinations/ get their
 * handles from here. The addon is a pipe: it knows no metric, no configuration and no policy.
 */
export interface NativeTracerOptions {
  /** Bytes, a power of two, a multiple of the page size. */
  readonly ringBytes: number
  /** Most live sockets tracked. */
  readonly maxSockets: number
  /**
   * Records copied from the ring or from a walk, whole, back to back; the buffer is only valid during the call
   * (it is reused). What it throws is reported to `onError` and the tracer goes on.
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
  readonly programs: readonly ProgramStatus[]
  /**
   * Walks the hash of live sockets; its records arrive through onRecords, in order with the ring's. Resolves with
   * their number after the last was delivered.
   */
  sample(): Promise<number>
  /** Enters the connections that are there in the namespace that this descriptor refers to (-1: the process' own). Number of sockets seen. */
  snapshot(netnsFd: number): Promise<number>
  /** Takes what is in the ring now; resolves when it was delivered. */
  flush(): Promise<void>
  /** Stops and resumes the reading of the ring (for tests of loss). */
  pause(): void
  resume(): void
  /** Kernel-side counters (enum nv_counter), summed over CPUs since the load. */
  counters(): Float64Array
  /** Live entries and bytes of kernel memory of all maps. */
  usage(): { sockets: number; mapBytes: number }
  /** Twice is fine; after it everything else throws a coded error. */
  close(): void
}

export interface NativeAddon {
  /** sizeof of each record and its fields' offsets as the addon was compiled: compared with layout.gen.ts at load. */
  readonly layout: { readonly conn: number; readonly cgroup: number }
  createTracer(options: NativeTracerOptions): NativeTracer
}
