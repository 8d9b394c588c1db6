import { readdirSync, readlinkSync, statSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Conn, createRecords, eachEnd, eachRecord, type Records } from '../../src/receivers/netvitals/kernel/decode.ts'
import { Direction, Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import type { NativeTracer, NativeTracerOptions } from '../../src/receivers/netvitals/kernel/native.ts'
import { loadAddon } from '../../src/receivers/netvitals/kernel/tracer.ts'

export const repository = fileURLToPath(new URL('../..', import.meta.url))

/** Why no tracer can be opened here; false when one can. */
export const unavailable: string | false = process.getuid?.() !== 0 ? 'needs root (loads eBPF programs)' : false

/** One struct nv_conn, copied out. */
export interface Seen {
  readonly kind: number
  readonly netns: number
  readonly id: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly segmentsSent: number
  readonly retransData: number
  readonly connectNs: number
  readonly error: number
  readonly state: number
  readonly direction: number
  readonly family: number
  readonly flags: number
  readonly localPort: number
  readonly remotePort: number
  /** It came with others as Kind.ends. */
  readonly joined: boolean
}

export interface Watch {
  readonly tracer: NativeTracer
  /** Records of connections and listeners, in the order that they came. */
  readonly seen: Seen[]
  readonly errors: Error[]
  batches: number
  /** Those whose port on the server's side is this one; a listener's local port. */
  of(port: number): Seen[]
}

export const MiB = 1 << 20

export function options(more: Partial<NativeTracerOptions> = {}): NativeTracerOptions {
  return { ringBytes: 8 * MiB, maxSockets: 65_536, onRecords() {}, onError() {}, ...more }
}

/** A tracer that is closed after the test, and what it showed. */
export function watch(
  t: TestContext,
  more: Partial<NativeTracerOptions> = {},
  hook: (batch: readonly Seen[]) => void = () => {},
): Watch {
  const { Tracer } = loadAddon()
  const seen: Seen[] = []
  const errors: Error[] = []
  const watched = { batches: 0 }
  const onRecords = (bytes: Uint8Array, length: number) => {
    watched.batches++
    const before = seen.length
    const see = (r: Records, kind: number, joined: boolean) => {
      if (kind >= Kind.cgroupMkdir) return
      if (kind === Kind.ends) return eachEnd(r, (each, of) => see(each, of, true))
      seen.push({
        kind,
        joined,
        netns: Conn.netns(r),
        id: Conn.id(r),
        bytesSent: Conn.bytesSent(r),
        bytesReceived: Conn.bytesReceived(r),
        segmentsSent: Conn.segmentsSent(r),
        retransData: Conn.retransData(r),
        connectNs: Conn.connectNs(r),
        error: Conn.error(r),
        state: Conn.state(r),
        direction: Conn.direction(r),
        family: Conn.family(r),
        flags: Conn.flags(r),
        localPort: Conn.localPort(r),
        remotePort: Conn.remotePort(r),
      })
    }
    eachRecord(createRecords(bytes), length, (r, kind) => see(r, kind, false))
    hook(seen.slice(before))
  }
  const tracer = new Tracer(options({ onRecords, onError: (error) => errors.push(error), ...more }))
  t.after(() => tracer.close())
  const serverPort = (each: Seen) => (each.direction === Direction.outbound ? each.remotePort : each.localPort)
  return Object.assign(watched, {
    tracer,
    seen,
    errors,
    of: (port: number) => seen.filter((each) => each.netns === ownNamespace() && serverPort(each) === port),
  })
}

/** Connections by what happened to them. */
export function summary(records: readonly Seen[]) {
  const count = (kind: number, direction: number) =>
    records.filter((each) => each.kind === kind && each.direction === direction).length
  return {
    failed: count(Kind.fail, Direction.outbound),
    ended: count(Kind.end, Direction.outbound),
    acceptedEnded: count(Kind.end, Direction.inbound),
  }
}

/** What is wrong with the order of each connection's records: nothing, if all is well. */
export function orderFaults(records: readonly Seen[]): string[] {
  const faults: string[] = []
  const ended = new Set<number>()
  const totals = new Map<number, { sent: number; received: number }>()
  for (const each of records) {
    const { id, kind } = each
    const ends = kind === Kind.end || kind === Kind.fail
    if (ended.has(id)) faults.push(`${nameOf(kind)} of ${id} after its end`)
    const most = totals.get(id) ?? { sent: 0, received: 0 }
    // A walk may hold a byte back, and be read before older records that are still in the ring: the end tells all.
    const slack = ends ? 0 : 1
    if (kind !== Kind.retrans && (each.bytesSent + slack < most.sent || each.bytesReceived + slack < most.received))
      faults.push(`bytes of ${id} fell with ${nameOf(kind)}`)
    if (ends) ended.add(id)
    totals.set(id, {
      sent: Math.max(most.sent, each.bytesSent),
      received: Math.max(most.received, each.bytesReceived),
    })
  }
  return faults
}

export const nameOf = (kind: number) => Object.entries(Kind).find(([, value]) => value === kind)?.[0] ?? String(kind)

let own: number | undefined
/** Inode of the network namespace that this process is in. */
export function ownNamespace(): number {
  own ??= statSync('/proc/self/ns/net').ino
  return own
}

/**
 * Open descriptors of this process, how many of them are eBPF programs, maps, links and walks, and how many sockets: of
 * these a test's own traffic opens some at any time.
 */
export function descriptors(): { all: number; bpf: number; sockets: number } {
  let all = 0
  let bpf = 0
  let sockets = 0
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      all++
      if (/bpf/.test(target)) bpf++
      if (/^socket:/.test(target)) sockets++
    } catch {} // the descriptor of this very listing
  }
  return { all, bpf, sockets }
}
