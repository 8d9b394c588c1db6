import { readlink } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { config } from '../../../../src/receivers/netvitals/config.ts'
import { Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import type { NamespaceFinder } from '../../../../src/receivers/netvitals/kernel/namespace-finder.ts'
import {
  type EchoOptions,
  type NativeProber,
  ProbeOutcome,
  ProbeRequestLayout,
  ProbeResultLayout,
} from '../../../../src/receivers/netvitals/kernel/native.ts'
import { createProbes } from '../../../../src/receivers/netvitals/probes/probes.ts'
import { type Conn, createRig } from '../connections/rig.ts'
import { bytesOf } from './addresses.ts'

export interface Request {
  readonly namespace: number
  readonly token: number
  /** By the test's clock, milliseconds. */
  readonly atMs: number
  readonly zone: number
  readonly family: number
  /** The 16 bytes in hex. */
  readonly address: string
}

interface Answer {
  readonly outcome: number
  readonly rtt?: number
  readonly errno?: number
  readonly type?: number
  readonly code?: number
}

/** What becomes of a request; undefined: nothing yet. */
export type Network = (request: Request) => Answer | undefined

export const reply: Answer = { outcome: ProbeOutcome.reply, rtt: 0.001 }
export const timeout: Answer = { outcome: ProbeOutcome.timeout, rtt: Number.NaN }

/**
 * Records in, points out, with everything that decides between them, a clock that the test moves and a network that
 * it makes up. What sends and receives in earnest is tested with namespaces of its own (test/kernel/probes.test.ts).
 */
export function createProbeRig(
  t: TestContext,
  {
    probes: settings = {},
    latency = {},
    fold = [],
    network: first = () => reply,
  }: {
    probes?: object
    latency?: object
    fold?: readonly object[]
    network?: Network
  } = {},
) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_800_000_000_000 })
  let network = first
  const clock = { nowMs: 1_000_000 }
  const parsed = config.parse({ probes: settings, latency, destinations: { fold } })
  const rig = createRig({ idleMs: parsed.probes.linger, ofDestinations: parsed.destinations })
  const requests: Request[] = []
  const opened = new Map<number, { fd: number; echo: EchoOptions }>()
  const released: number[] = []
  const reports: string[] = []
  const missing = new Set<number>()
  let onResults: ((buffer: Uint8Array, length: number) => void) | undefined
  let waiting: Request[] = []
  let handles = 0

  const prober: NativeProber = {
    open: async (fd, echo) => {
      opened.set(handles, { fd, echo })
      return handles++
    },
    release(namespace) {
      opened.delete(namespace)
      released.push(namespace)
      const gone = waiting.filter((request) => request.namespace === namespace)
      waiting = waiting.filter((request) => request.namespace !== namespace)
      for (const request of gone) deliver(request, { outcome: ProbeOutcome.cancelled })
    },
    schedule(bytes, count) {
      const At = ProbeRequestLayout
      for (let i = 0; i < count; i++) {
        const view = new DataView(bytes.buffer, bytes.byteOffset + i * At.size, At.size)
        const request: Request = {
          namespace: view.getUint32(At.namespace, true),
          token: view.getUint32(At.target, true),
          atMs: clock.nowMs + view.getUint32(At.delayUs, true) / 1000,
          zone: view.getUint32(At.zone, true),
          family: view.getUint8(At.family),
          address: Buffer.from(bytes.subarray(i * At.size + At.address, (i + 1) * At.size)).toString('hex'),
        }
        requests.push(request)
        waiting.push(request)
      }
    },
    sent: (namespace) => requests.filter((request) => request.namespace === namespace).length,
    counters: () => ({ late: 1, duplicate: 2, foreign: 3, clockSteps: 4 }),
    close() {},
  }

  const finder: NamespaceFinder = {
    open: async (inode) => (missing.has(inode) ? undefined : { handle: { fd: inode, close: async () => {} } as never }),
    denied: [],
  }

  const probes = createProbes({
    config: parsed.probes,
    latency: parsed.latency,
    links: rig.links,
    destinations: rig.destinations,
    store: rig.store,
    finder,
    createProber(options) {
      onResults = options.onResults
      return prober
    },
    report: (status, detail) => reports.push(detail ? `${status}: ${detail}` : status),
    onError: (error) => {
      throw error
    },
    now: () => clock.nowMs,
  })
  t.after(() => probes.close())

  function deliver({ token }: Request, { outcome, rtt = Number.NaN, errno = 0, type = 0, code = 0 }: Answer) {
    const At = ProbeResultLayout
    const bytes = new Uint8Array(At.size)
    const view = new DataView(bytes.buffer)
    view.setFloat64(At.rttSeconds, rtt, true)
    view.setUint32(At.target, token, true)
    view.setInt32(At.errno, errno, true)
    view.setUint8(At.outcome, outcome)
    view.setUint8(At.icmpType, type)
    view.setUint8(At.icmpCode, code)
    onResults!(bytes, At.size)
  }

  /** Lets time pass; answers come when they are due, a timeout's late by what it takes. */
  async function pass(ms: number) {
    const until = clock.nowMs + ms
    await settle()
    while (clock.nowMs < until) {
      if (Math.floor(clock.nowMs / 50) % 20 === 0) await settle()
      const step = Math.min(50, until - clock.nowMs)
      clock.nowMs += step
      t.mock.timers.tick(step)
      const due = waiting.filter(({ atMs }) => atMs <= clock.nowMs)
      for (const request of due) {
        const answer = network(request)
        if (!answer) continue
        waiting.splice(waiting.indexOf(request), 1)
        deliver(request, answer)
      }
    }
    await settle()
  }

  let ids = 0
  /** A connection to an address: from a container (its cgroup's number), in a namespace. Ended with what it returns. */
  function connect(cgroup: number, to: string, more: Partial<Conn> = {}): () => void {
    const family = to.includes(':') ? 6 : 4
    const local = [...bytesOf(family === 4 ? '10.0.0.1' : 'fd00::1')]
    const conn = { id: ++ids, cgroup: BigInt(cgroup), family, local, remote: [...bytesOf(to)], ...more } as const
    rig.apply({ kind: Kind.sample, flags: Flag.established, ...conn })
    return () => rig.apply({ kind: Kind.end, ...conn })
  }

  /** What leaves: `<container> <latency|probes> <address> <result> <error.type>` -> value. */
  async function told(): Promise<Record<string, number>> {
    const batch = await rig.store.collect(Date.now() + 1)
    rig.connections.endCycle()
    const values: Record<string, number> = {}
    for (const { resource, scopeMetrics } of batch)
      for (const { descriptor, dataPoints } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
        if (!/^container\.net\.(latency|probes)$/.test(descriptor.name)) continue
        for (const { attributes: a, value } of dataPoints) {
          const container = String(resource.attributes['container.id'] ?? 'host').replace(/^0+/, '')
          const parts = [container, descriptor.name.slice(14), a['destination.address'], a.result, a['error.type']]
          values[parts.filter((part) => part !== undefined).join(' ')] = value as number
        }
      }
    return values
  }

  return {
    ...rig,
    probes,
    requests,
    opened,
    released,
    reports,
    missing,
    connect,
    pass,
    told,
    deliver,
    answer(next: Network) {
      network = next
    },
    get waiting() {
      return waiting
    },
    get nowMs() {
      return clock.nowMs
    },
  }
}

/** Entering a namespace reads /proc: real files, which no mocked timer moves. */
async function settle() {
  for (let rounds = 0; rounds < 3; rounds++) {
    await readlink('/proc/self/ns/net')
    await nextTurn()
  }
}

export const hexOf = (address: string) => Buffer.from(bytesOf(address)).toString('hex')
