import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { codedError } from '../../../errors.ts'
import { lackingForTracing } from './capabilities.ts'
import { createRecords, eachRecord, type Records } from './decode.ts'
import { CgroupLayout, ConnLayout, Counter, EndedLayout, EndsLayout, Kind } from './layout.gen.ts'
import {
  ConntrackAnswerLayout,
  ConntrackRequestLayout,
  type NativeAddon,
  type NativeTracer,
  ProbeRequestLayout,
  ProbeResultLayout,
  type ProgramStatus,
} from './native.ts'

export interface TracerOptions {
  /** Bytes of the ring buffer between kernel and program: a power of two, at least a page. */
  readonly ringBytes: number
  /** Most sockets tracked at once. */
  readonly maxSockets: number
  /**
   * Whether ends of which nothing was told before come joined where they have a link in common, as Kind.ends: `eachEnd`
   * gives them one by one. Not when absent.
   */
  readonly joinEnds?: boolean
  /** Called before the records of each batch. */
  readonly onBatch?: () => void
  /**
   * Called for each record, in the kernel's order (joined ends come with the first of them); `records` is only valid
   * during the call.
   */
  readonly onRecord: (records: Records, kind: number) => void
  readonly onError: (error: Error) => void
}

export interface KernelCounters {
  /** Records that found the ring full, by kind. Ends among them arrive with the next walk. */
  readonly lost: ReadonlyMap<string, number>
  readonly deferred: number
  /** Ends that are lost for good: connections come right by reconciliation, their last totals don't. */
  readonly endsLost: number
  readonly socketsFull: number
  readonly synacksFull: number
  readonly untrackedRetransmits: number
}

export interface Tracer
  extends Pick<NativeTracer, 'sample' | 'snapshot' | 'holders' | 'flush' | 'pause' | 'resume' | 'usage' | 'close'> {
  readonly programs: readonly ProgramStatus[]
  counters(): KernelCounters
  /** Records read and batches delivered since the start, and the longest time one batch took (ms) since the last call. */
  reading(): { records: number; batches: number; longestBatchMs: number }
}

const addonFile = () => {
  const candidates = ['../../../../build/netvitals.node', '../../../../../build/netvitals.node']
  const override = process.env.NETVITALS_ADDON
  if (override !== undefined && override !== '') return override
  return candidates.map((path) => fileURLToPath(new URL(path, import.meta.url))).find(existsSync)
}

const sizes = {
  conn: ConnLayout.size,
  cgroup: CgroupLayout.size,
  ends: EndsLayout.size,
  ended: EndedLayout.size,
  conntrackRequest: ConntrackRequestLayout.size,
  conntrackAnswer: ConntrackAnswerLayout.size,
  probeRequest: ProbeRequestLayout.size,
  probeResult: ProbeResultLayout.size,
} as const

/** @throws {CodedError} NETVITALS_ADDON_MISSING, NETVITALS_ADDON_LAYOUT */
export function loadAddon(): NativeAddon {
  const file = addonFile()
  if (file === undefined) throw codedError('NETVITALS_ADDON_MISSING', {})
  const addon: NativeAddon = createRequire(import.meta.url)(file)
  const names = Object.keys(sizes) as (keyof typeof sizes)[]
  const wrong = names.filter((name) => addon.layout[name] !== sizes[name])
  if (wrong.length === 0) return addon
  const list = (of: Partial<typeof sizes>) => wrong.map((name) => `${name} ${of[name] ?? 'none'}`).join(', ')
  throw codedError('NETVITALS_ADDON_LAYOUT', { expected: list(sizes), found: list(addon.layout as typeof sizes) })
}

/**
 * Loads and attaches the eBPF programs and begins to read.
 * @throws {CodedError} when there is nothing to run: no BTF, no permission, refused by the kernel.
 */
export function createTracer({ onBatch, onRecord, onError, ...kernel }: TracerOptions): Tracer {
  const { Tracer } = loadAddon()
  const views = new WeakMap<ArrayBufferLike, Records>()
  let recordCount = 0
  let batchCount = 0
  let longestBatchMs = 0

  function onRecords(buffer: Uint8Array, length: number) {
    const began = performance.now()
    onBatch?.()
    let records = views.get(buffer.buffer)
    if (!records) {
      records = createRecords(buffer)
      views.set(buffer.buffer, records)
    }
    recordCount += eachRecord(records, length, onRecord)
    batchCount++
    longestBatchMs = Math.max(longestBatchMs, performance.now() - began)
  }

  const native = open()

  function open(): NativeTracer {
    try {
      return new Tracer({ ...kernel, onRecords, onError })
    } catch (error) {
      const { code, message } = error as Error & { code?: string }
      const missing = code?.startsWith('ERR_BPF_') ? lackingForTracing() : []
      if (missing.length > 0) {
        const reason = `this process lacks ${missing.join(' and ')}, and the kernel refused its eBPF programs`
        throw codedError('NETVITALS_BPF_PERMISSION', { reason }, error)
      }
      if (code === 'ERR_BPF_PERMISSION') throw codedError('NETVITALS_BPF_PERMISSION', { reason: message })
      if (code === 'ERR_NO_BTF') throw codedError('NETVITALS_NO_BTF', { reason: message })
      if (code === 'ERR_BPF_LOAD' || code === 'ERR_BPF_ATTACH' || code === 'ERR_RING')
        throw codedError('NETVITALS_BPF_LOAD', { reason: message })
      throw error
    }
  }

  function counters(): KernelCounters {
    const values = native.counters()
    const at = (index: number) => values[index] ?? 0
    const lost = new Map<string, number>()
    // Ends are joined after the ring.
    for (const [name, kind] of Object.entries(Kind))
      if (kind !== Kind.none && kind !== Kind.ends && kind !== Kind.kinds) lost.set(name, at(Counter.lost + kind))
    return {
      lost,
      deferred: at(Counter.deferred),
      endsLost: at(Counter.deferredFull),
      socketsFull: at(Counter.socketsFull),
      synacksFull: at(Counter.synacksFull),
      untrackedRetransmits: at(Counter.untrackedRetrans),
    }
  }

  return {
    programs: native.status(),
    sample: () => native.sample(),
    snapshot: (fd) => native.snapshot(fd),
    holders: (ids) => native.holders(ids),
    flush: () => native.flush(),
    pause: () => native.pause(),
    resume: () => native.resume(),
    usage: () => native.usage(),
    close: () => native.close(),
    counters,
    reading() {
      const result = { records: recordCount, batches: batchCount, longestBatchMs }
      longestBatchMs = 0
      return result
    },
  }
}
