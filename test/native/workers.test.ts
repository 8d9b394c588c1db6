import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import { run } from './script.ts'
import { descriptors, unavailable, watch } from './tracing.ts'
import { createEcho, type Echo, eventually } from './traffic.ts'

const workerProgram = new URL('worker.ts', import.meta.url)
const threads = () => readdirSync('/proc/self/task').length

/** A worker whose tracer is open and has delivered records. */
async function traced(echo: Echo, ending: string): Promise<Worker> {
  const worker = new Worker(workerProgram, { workerData: { ending } })
  worker.on('error', () => {})
  let records = false
  worker.on('message', (message) => {
    records ||= message === 'records'
  })
  await once(worker, 'message')
  await eventually(async () => {
    await echo.churn(5)
    return records
  })
  assert.ok(records, 'the tracer of a worker delivers')
  return worker
}

/** Asserts that `use`, done often, leaves no eBPF object, other descriptor (a tracer has no sockets) or thread behind. */
async function leavesNothing(use: () => Promise<void>, rounds: number) {
  await use() // what is kept for good: the loop's, the pool's
  const open = () => {
    const { all, bpf, sockets } = descriptors()
    return { bpf, others: all - bpf - sockets, threads: threads() }
  }
  const before = open()
  for (let round = 0; round < rounds; round++) await use()
  let after = before
  await eventually(() => {
    after = open()
    return after.bpf <= before.bpf && after.others <= before.others && after.threads <= before.threads
  })
  assert.deepEqual(
    [after.bpf <= before.bpf, after.others <= before.others, after.threads <= before.threads],
    [true, true, true],
    JSON.stringify({ before, after }),
  )
}

/** Connections all the time, until the test ends. */
async function traffic(t: TestContext): Promise<Echo> {
  let going = true
  let pump: Promise<void> | undefined
  t.after(() => {
    going = false
    return pump
  })
  const echo = await createEcho(t)
  pump = (async () => {
    while (going) await echo.churn(20, 100, 4)
  })()
  return echo
}

describe('a tracer in a worker thread', { skip: unavailable }, () => {
  for (const ending of ['wait', 'spin', 'walk'])
    it(`goes with a worker that is terminated in mid-traffic (${ending})`, async (t) => {
      const echo = await traffic(t)
      await leavesNothing(async () => {
        const worker = await traced(echo, ending)
        assert.equal(await worker.terminate(), 1)
      }, 3)
    })

  it('goes with a worker that exits without closing it', async (t) => {
    const echo = await traffic(t)
    await leavesNothing(async () => {
      const worker = await traced(echo, 'exit')
      await eventually(() => worker.threadId === -1)
    }, 3)
  })

  it('lets a worker end by itself once it is closed', async (t) => {
    const echo = await traffic(t)
    const worker = new Worker(workerProgram, { workerData: { ending: 'leave' } })
    const [code] = await once(worker, 'exit')
    assert.equal(code, 0)
    assert.ok(echo.sent > 0)
  })

  it('ends its worker with what onError throws, as an uncaught exception', async (t) => {
    await traffic(t)
    const worker = new Worker(workerProgram, { workerData: { ending: 'throw' } })
    const [error] = await once(worker, 'error')
    assert.equal(error.message, 'from a callback')
  })

  it('does not disturb the tracer of the main thread', async (t) => {
    const watched = watch(t)
    const echo = await createEcho(t)
    for (let i = 0; i < 3; i++) {
      const worker = await traced(echo, 'spin')
      await worker.terminate()
    }
    const before = watched.of(echo.port).length
    await echo.churn(10)
    await watched.tracer.flush()
    assert.ok(watched.of(echo.port).length >= before + 20)
  })

  it('is unloaded and loaded again with each worker of a process that has no other', async () => {
    const script = `
      import { Worker } from 'node:worker_threads'
      import { once } from 'node:events'
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(new URL(${JSON.stringify(workerProgram.href)}), { workerData: { ending: 'walk' }, execArgv: [] })
        await once(worker, 'message')
        await new Promise((resolve) => setTimeout(resolve, 30))
        await worker.terminate()
      }
      console.log('done')`
    assert.deepEqual(await run(script), { code: 0, signal: null, out: 'done\n' })
  })
})
