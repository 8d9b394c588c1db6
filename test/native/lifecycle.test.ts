import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Counter } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import type { NativeTracer, NativeTracerOptions } from '../../src/receivers/netvitals/kernel/native.ts'
import { loadAddon } from '../../src/receivers/netvitals/kernel/tracer.ts'
import { descriptors, options, unavailable, watch } from './tracing.ts'
import { createEcho, eventually } from './traffic.ts'

const open = (more: Partial<NativeTracerOptions> = {}) => new (loadAddon().Tracer)(options(more))
const withCode = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error)
  assert.equal((error as NodeJS.ErrnoException).code, code)
  assert.match(error.message, message)
  return true
}

describe('options of the tracer', () => {
  const wrong: [string, unknown, string, RegExp][] = [
    ['a ring that is no power of two', { ringBytes: 100_000 }, 'ERR_RING_SIZE', /power of two.*got 100000/],
    ['a ring smaller than a page', { ringBytes: 1024 }, 'ERR_RING_SIZE', /at least a page.*got 1024/],
    ['a negative ring', { ringBytes: -4096 }, 'ERR_INVALID_OPTION', /ringBytes.*got -4096/],
    ['a ring of 4 GiB', { ringBytes: 2 ** 32 }, 'ERR_INVALID_OPTION', /ringBytes.*got 4294967296/],
    ['a ring that is no number', { ringBytes: '65536' }, 'ERR_INVALID_OPTION', /ringBytes.*got 65536/],
    ['a bound of nothing', { maxSockets: 0 }, 'ERR_INVALID_OPTION', /maxSockets.*got 0/],
    ['a bound that is no integer', { maxSockets: 1.5 }, 'ERR_INVALID_OPTION', /maxSockets.*got 1.5/],
    ['a bound of NaN', { maxSockets: Number.NaN }, 'ERR_INVALID_OPTION', /maxSockets.*got NaN/],
    ['no onRecords', { onRecords: undefined }, 'ERR_INVALID_OPTION', /onRecords: expected a function, got undefined/],
    ['no onError', { onError: 7 }, 'ERR_INVALID_OPTION', /onError: expected a function, got 7/],
  ]
  for (const [name, more, code, message] of wrong)
    it(`refuses ${name}`, () => {
      assert.throws(() => open(more as Partial<NativeTracerOptions>), withCode(code, message))
    })

  it('refuses no options at all', () => {
    const { Tracer } = loadAddon()
    const bare = Tracer as unknown as new (options?: unknown) => NativeTracer
    assert.throws(() => new bare(), withCode('ERR_INVALID_OPTION', /expected an object, got undefined/))
    assert.throws(() => new bare(null), withCode('ERR_INVALID_OPTION', /expected an object, got null/))
    assert.throws(() => (Tracer as unknown as () => void)(), TypeError)
  })

  it('leaves nothing open after it refused', { skip: unavailable }, () => {
    open().close()
    const before = descriptors()
    for (let i = 0; i < 5; i++) assert.throws(() => open({ maxSockets: 2 ** 31 }))
    assert.deepEqual(descriptors(), before)
  })
})

describe('a tracer that is closed', { skip: unavailable }, () => {
  it('may be closed again', () => {
    const tracer = open()
    tracer.close()
    assert.equal(tracer.close(), undefined)
  })

  const methods: [string, (tracer: NativeTracer) => unknown][] = [
    ['status', (tracer) => tracer.status()],
    ['sample', (tracer) => tracer.sample()],
    ['snapshot', (tracer) => tracer.snapshot(-1)],
    ['flush', (tracer) => tracer.flush()],
    ['pause', (tracer) => tracer.pause()],
    ['resume', (tracer) => tracer.resume()],
    ['counters', (tracer) => tracer.counters()],
    ['usage', (tracer) => tracer.usage()],
  ]
  for (const [name, use] of methods)
    it(`throws from ${name}()`, () => {
      const tracer = open()
      tracer.close()
      assert.throws(
        () => use(tracer),
        withCode('ERR_TRACER_CLOSED', new RegExp(`^${name}\\(\\): the tracer is closed`)),
      )
    })

  it('rejects what was asked before', async () => {
    const tracer = open()
    const fd = openSync('/proc/self/ns/net', 'r')
    tracer.pause()
    const asked = [tracer.sample(), tracer.snapshot(fd), tracer.snapshot(-1), tracer.flush()]
    closeSync(fd)
    tracer.close()
    for (const { status, reason } of (await Promise.allSettled(asked)) as PromiseRejectedResult[]) {
      assert.equal(status, 'rejected')
      assert.equal(reason.code, 'ERR_TRACER_CLOSED')
    }
  })

  it('settles every promise that was under way, however it races', async () => {
    for (let round = 0; round < 20; round++) {
      const tracer = open()
      const asked = [tracer.flush(), tracer.sample(), tracer.snapshot(-1), tracer.sample()]
      if (round % 2) await asked[0]
      if (round % 3) await new Promise(setImmediate)
      tracer.close()
      for (const result of await Promise.allSettled(asked))
        if (result.status === 'rejected') assert.equal(result.reason.code, 'ERR_TRACER_CLOSED')
    }
  })

  it('leaves no descriptor open, its queued snapshots included', () => {
    open().close()
    const before = descriptors()
    for (let round = 0; round < 5; round++) {
      const tracer = open()
      const fd = openSync('/proc/self/ns/net', 'r')
      tracer.pause()
      for (let i = 0; i < 5; i++) tracer.snapshot(fd).catch(() => {})
      closeSync(fd)
      tracer.close()
    }
    assert.deepEqual(descriptors(), before)
  })

  it('may be closed by its own callback', async (t) => {
    const echo = await createEcho(t)
    let calls = 0
    const tracer = open({
      onRecords() {
        calls++
        tracer.close()
      },
    })
    await echo.churn(50)
    assert.ok(await eventually(() => calls > 0))
    await echo.churn(50)
    assert.equal(calls, 1)
    assert.throws(() => tracer.counters(), withCode('ERR_TRACER_CLOSED', /closed/))
  })
})

describe('an open tracer', { skip: unavailable }, () => {
  it('tells of each program whether it is attached', (t) => {
    const { tracer } = watch(t)
    const status = tracer.status()
    for (const name of ['tp_btf/inet_sock_set_state', 'tp_btf/tcp_destroy_sock', 'tp_btf/tcp_retransmit_skb'])
      assert.ok(
        status.some((each) => each.name === name && each.attached),
        name,
      )
    for (const { attached, reason } of status) assert.equal(attached, reason === undefined)
  })

  it('costs less than 16 MiB of kernel memory when idle', (t) => {
    const { tracer } = watch(t, { maxSockets: 262_144 })
    const { mapBytes, sockets } = tracer.usage()
    assert.ok(mapBytes > 8 * 2 ** 20, `${mapBytes}`)
    // Kernels before 6.4 tell what a map would hold when full.
    const exact = mapBytes < 20 * 2 ** 20
    if (exact) assert.ok(mapBytes < 16 * 2 ** 20, `${mapBytes}`)
    else t.diagnostic(`this kernel tells the maps' size when full: ${mapBytes}`)
    assert.equal(sockets, 0)
  })

  it('gives one counter for each that bpf/events.h has', (t) => {
    const { tracer } = watch(t)
    const counters = tracer.counters()
    assert.ok(counters instanceof Float64Array)
    assert.equal(counters.length, Counter.counters)
  })

  it('refuses a namespace descriptor that is none', (t) => {
    const { tracer } = watch(t)
    const snapshot = (fd: unknown) => () => tracer.snapshot(fd as number)
    for (const fd of [undefined, null, '3', {}, 1.5, -2, Number.NaN, 2 ** 40])
      assert.throws(snapshot(fd), withCode('ERR_INVALID_OPTION', /expected a file descriptor, or -1, got/))
    assert.throws(snapshot(1_000_000), withCode('ERR_INVALID_OPTION', /descriptor 1000000: Bad file descriptor/))
    const closed = openSync('/proc/self/ns/net', 'r')
    closeSync(closed)
    assert.throws(snapshot(closed), withCode('ERR_INVALID_OPTION', /Bad file descriptor/))
  })

  it('rejects a descriptor of something else', async (t) => {
    const { tracer } = watch(t)
    for (const path of ['/proc/self/ns/mnt', '/dev/null']) {
      const fd = openSync(path, 'r')
      t.after(() => closeSync(fd))
      await assert.rejects(tracer.snapshot(fd), withCode('ERR_SETNS', /entering a network namespace: Invalid argument/))
    }
    assert.equal(typeof (await tracer.sample()), 'number')
  })
})
