import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import {
  type EchoOptions,
  type NativeProber,
  type NativeProberOptions,
  ProbeOutcome,
} from '../../src/receivers/netvitals/kernel/native.ts'
import { createProber } from '../../src/receivers/netvitals/kernel/prober.ts'
import { loadAddon } from '../../src/receivers/netvitals/kernel/tracer.ts'
import { arrived, echo, probing, requestBytes } from './probing.ts'
import { run } from './script.ts'
import { descriptors } from './tracing.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root (raw sockets)'
const open = (more: Partial<NativeProberOptions> = {}) => createProber({ onResults() {}, onError() {}, ...more })
const withCode = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error)
  assert.equal((error as NodeJS.ErrnoException).code, code)
  assert.match(error.message, message)
  return true
}
const request = (netns: number, target = 0) => requestBytes([{ netns, target, address: '127.0.0.1' }])
const threads = () => readdirSync('/proc/self/task').length

describe('what a prober is given', { skip }, () => {
  it('is refused where it is no options', () => {
    const bare = loadAddon().Prober as unknown as new (options?: unknown) => NativeProber
    assert.throws(() => new bare(), withCode('ERR_INVALID_OPTION', /expected an object, got undefined/))
    assert.throws(() => open({ onResults: 3 as never }), withCode('ERR_INVALID_OPTION', /onResults.*got 3/))
    assert.throws(() => open({ onError: undefined as never }), withCode('ERR_INVALID_OPTION', /onError.*got undefined/))
  })

  const wrong: [Partial<Record<keyof EchoOptions, unknown>>, RegExp][] = [
    [{ payloadBytes: 23 }, /payloadBytes: expected an integer from 24 to 1400, got 23/],
    [{ payloadBytes: 1401 }, /payloadBytes.*got 1401/],
    [{ payloadBytes: '32' }, /payloadBytes.*got 32/],
    [{ ttl: 0 }, /ttl: expected an integer from 1 to 255, got 0/],
    [{ ttl: 256 }, /ttl.*got 256/],
    [{ dscp: -1 }, /dscp: expected an integer from 0 to 63, got -1/],
    [{ dscp: 64 }, /dscp.*got 64/],
    [{ timeoutMs: 0 }, /timeoutMs.*got 0/],
    [{ timeoutMs: 0.5 }, /timeoutMs.*got 0.5/],
    [{ timeoutMs: Number.NaN }, /timeoutMs.*got NaN/],
  ]
  for (const [more, message] of wrong)
    it(`is refused as ${JSON.stringify(more)}`, (t) => {
      const { prober } = probing(t)
      assert.throws(() => prober.open(-1, { ...echo, ...more } as EchoOptions), withCode('ERR_INVALID_OPTION', message))
    })

  it('is refused as a namespace where it is none', async (t) => {
    const { prober } = probing(t)
    for (const fd of [undefined, null, '3', 1.5, -2, Number.NaN])
      assert.throws(() => prober.open(fd as number, echo), withCode('ERR_INVALID_OPTION', /expected a file descriptor/))
    assert.throws(() => prober.open(1_000_000, echo), withCode('ERR_INVALID_OPTION', /Bad file descriptor/))
    const fd = openSync('/dev/null', 'r')
    t.after(() => closeSync(fd))
    await assert.rejects(prober.open(fd, echo), withCode('ERR_SETNS', /entering a network namespace: Invalid argument/))
  })

  it('is refused as requests where they are none', async (t) => {
    const { prober } = probing(t)
    const netns = await prober.open(-1, echo)
    const bytes = request(netns)
    const schedule = (requests: unknown, count: unknown) => () =>
      prober.schedule(requests as Uint8Array, count as number)
    for (const [requests, count] of [
      [bytes, 2],
      [bytes, -1],
      [bytes, 0.5],
      [bytes, Number.NaN],
      [bytes, '1'],
      [new Float64Array(36), 1],
      [undefined, 1],
    ])
      assert.throws(
        schedule(requests, count),
        withCode('ERR_INVALID_OPTION', /expected a Uint8Array of at least count/),
      )
    bytes[16] = 5
    assert.throws(schedule(bytes, 1), withCode('ERR_INVALID_OPTION', /family: expected 4 or 6, got 5/))
    assert.equal(prober.schedule(bytes, 0), undefined)
  })
})

describe('a prober that is closed', { skip }, () => {
  it('may be closed again', () => {
    const prober = open()
    prober.close()
    assert.equal(prober.close(), undefined)
  })

  const methods: [string, (prober: NativeProber) => unknown][] = [
    ['open', (prober) => prober.open(-1, echo)],
    ['release', (prober) => prober.release(1)],
    ['schedule', (prober) => prober.schedule(request(1), 1)],
    ['sent', (prober) => prober.sent(1)],
    ['counters', (prober) => prober.counters()],
  ]
  for (const [name, use] of methods)
    it(`throws from ${name}()`, () => {
      const prober = open()
      prober.close()
      assert.throws(
        () => use(prober),
        withCode('ERR_PROBER_CLOSED', new RegExp(`^${name}\\(\\): the prober is closed`)),
      )
    })

  it('rejects what was asked before, however it races', async () => {
    for (let round = 0; round < 20; round++) {
      const prober = open()
      const asked = [prober.open(-1, echo), prober.open(-1, echo)]
      if (round % 2) await asked[0]
      prober.close()
      for (const result of await Promise.allSettled(asked))
        if (result.status === 'rejected') assert.equal(result.reason.code, 'ERR_PROBER_CLOSED')
    }
  })

  it('leaves no descriptor and no thread, with probes under way or not', async () => {
    const use = async () => {
      const prober = open()
      const netns = await prober.open(-1, { ...echo, timeoutMs: 60_000 })
      prober.schedule(request(netns), 1)
      await arrived(() => prober.sent(netns) === 1)
      const fd = openSync('/proc/self/ns/net', 'r')
      prober.open(fd, echo).catch(() => {})
      closeSync(fd)
      prober.close()
    }
    await use()
    const before = { ...descriptors(), threads: threads() }
    for (let round = 0; round < 5; round++) await use()
    assert.deepEqual({ ...descriptors(), threads: threads() }, before)
  })

  it('may be closed by its own callback', async () => {
    let calls = 0
    const prober = open({
      onResults() {
        calls++
        prober.close()
      },
    })
    const netns = await prober.open(-1, echo)
    for (let i = 0; i < 50; i++) prober.schedule(request(netns), 1)
    await arrived(() => calls > 0)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(calls, 1)
  })
})

describe('the callbacks of a prober', { skip }, () => {
  it('may throw, which concerns one batch', async () => {
    const errors: string[] = []
    const outcomes: number[] = []
    const prober = open({
      onResults(buffer) {
        if (errors.length === 0) throw new Error('mine')
        outcomes.push(buffer[16]!)
      },
      onError: ({ message }) => errors.push(message),
    })
    const netns = await prober.open(-1, echo)
    prober.schedule(request(netns), 1)
    await arrived(() => errors.length === 1)
    prober.schedule(request(netns), 1)
    await arrived(() => outcomes.length === 1)
    prober.close()
    assert.deepEqual([errors, outcomes], [['mine'], [ProbeOutcome.reply]])
  })
})

describe('a prober in a worker or process that ends', { skip }, () => {
  const url = (file: string) => JSON.stringify(new URL(file, import.meta.url).href)
  const opening = `
    import { createProber } from ${url('../../src/receivers/netvitals/kernel/prober.ts')}
    import { echo, requestBytes } from ${url('probing.ts')}
    const prober = createProber({ onResults() { told() }, onError(error) { throw error } })
    const netns = await prober.open(-1, echo)
    const pump = setInterval(() => prober.schedule(requestBytes([{ netns, target: 1, address: '127.0.0.1' }]), 1), 2)
  `

  for (const [how, told, code] of [
    ['by process.exit()', 'process.exit(3)', 3],
    ['by itself, the prober closed', 'clearInterval(pump); prober.close()', 0],
    ['by what onError throws', "throw new Error('told')", 1],
  ] as const)
    it(`lets the process end ${how}`, async () => {
      const result = await run(
        `process.on('uncaughtException', () => process.exit(1));${opening};function told() { ${told} }`,
      )
      assert.deepEqual(result, { code, signal: null, out: '' })
    })

  it('goes with workers that are terminated, and the rest goes on', async (t) => {
    const { prober, ask } = probing(t)
    const netns = await prober.open(-1, echo)
    const script = `import { parentPort } from 'node:worker_threads';${opening};function told() { parentPort.postMessage(1) }`
    const source = new URL(`data:text/javascript,${encodeURIComponent(script)}`)
    const use = async () => {
      const worker = new Worker(source)
      await once(worker, 'message')
      await worker.terminate()
    }
    await use()
    const before = threads()
    for (let round = 0; round < 5; round++) await use()
    await arrived(() => threads() <= before)
    assert.equal((await ask({ netns, address: '127.0.0.1' }))[0]!.outcome, ProbeOutcome.reply)
    assert.deepEqual(prober.counters(), { late: 0, duplicate: 0, foreign: 0, clockSteps: 0 })
  })
})
