import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import type { TestContext } from 'node:test'
import {
  type EchoOptions,
  type NativeProber,
  type NativeProberOptions,
  ProbeRequestLayout,
  ProbeResultLayout,
} from '../../src/receivers/netvitals/kernel/native.ts'
import { createProber } from '../../src/receivers/netvitals/kernel/prober.ts'

export const echo: EchoOptions = { payloadBytes: 32, ttl: 64, dscp: 0, timeoutMs: 500 }

export interface Result {
  readonly target: number
  readonly outcome: number
  /** NaN: none. */
  readonly rttSeconds: number
  readonly errno: number
  readonly icmpType: number
  readonly icmpCode: number
}

export interface Request {
  readonly netns: number
  readonly target: number
  readonly address: string
  readonly delayMs?: number
  readonly zone?: number
}

export function requestBytes(requests: readonly Request[]): Uint8Array {
  const at = ProbeRequestLayout
  const bytes = new Uint8Array(requests.length * at.size)
  const view = new DataView(bytes.buffer)
  for (const [index, { netns, target, address, delayMs = 0, zone = 0 }] of requests.entries()) {
    const from = index * at.size
    view.setUint32(from + at.namespace, netns, true)
    view.setUint32(from + at.target, target, true)
    view.setUint32(from + at.delayUs, delayMs * 1000, true)
    view.setUint32(from + at.zone, zone, true)
    bytes[from + at.family] = address.includes(':') ? 6 : 4
    bytes.set(addressBytes(address), from + at.address)
  }
  return bytes
}

/** `10.0.0.1`, `fd01::2`: no more of RFC 4291 than a lab's addresses have. */
export function addressBytes(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.'), Number)
  const [head = '', tail = ''] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [left, right] = [groups(head), groups(tail)]
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Uint8Array.from(all.flatMap((group) => [group >>> 8, group & 255]))
}

export function readResults(buffer: Uint8Array, length: number): Result[] {
  const at = ProbeResultLayout
  const view = new DataView(buffer.buffer, buffer.byteOffset, length)
  return Array.from({ length: length / at.size }, (_, index) => {
    const from = index * at.size
    return {
      target: view.getUint32(from + at.target, true),
      outcome: view.getUint8(from + at.outcome),
      rttSeconds: view.getFloat64(from + at.rttSeconds, true),
      errno: view.getInt32(from + at.errno, true),
      icmpType: view.getUint8(from + at.icmpType),
      icmpCode: view.getUint8(from + at.icmpCode),
    }
  })
}

/** A prober whose results are kept; closed when the test ends. */
export function probing(t: TestContext, more: Partial<NativeProberOptions> = {}) {
  const results: Result[] = []
  const batches: number[] = []
  const onResults = (buffer: Uint8Array, length: number) => {
    const batch = readResults(buffer, length)
    batches.push(batch.length)
    results.push(...batch)
  }
  const prober = createProber({ onResults, onError: (error) => assert.fail(error), ...more })
  t.after(() => prober.close())

  const send = (...requests: readonly Request[]) => prober.schedule(requestBytes(requests), requests.length)
  return {
    prober,
    results,
    batches,
    send,
    /** One probe for each request, in their order. */
    async ask(...requests: readonly Omit<Request, 'target'>[]): Promise<Result[]> {
      const from = results.length
      send(...requests.map((request, target) => ({ ...request, target })))
      await arrived(() => results.length >= from + requests.length)
      return results.slice(from).sort((a, b) => a.target - b.target)
    },
  }
}

/** Polls until it is true; fails after `seconds`. */
export async function arrived(condition: () => boolean, seconds = 10): Promise<void> {
  const deadline = performance.now() + seconds * 1000
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not within ${seconds} s`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export async function enter(prober: NativeProber, path: string, options = echo): Promise<number> {
  const fd = openSync(path, 'r')
  try {
    return await prober.open(fd, options)
  } finally {
    closeSync(fd)
  }
}
