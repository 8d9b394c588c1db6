import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createConntrack } from '../../src/receivers/netvitals/kernel/conntrack.ts'
import {
  ConntrackAnswerLayout,
  ConntrackRequestLayout,
  type NativeConntrackOptions,
} from '../../src/receivers/netvitals/kernel/native.ts'
import { createLab, labUnavailable, type Namespace } from '../kernel/lab.ts'
import { arrived } from './probing.ts'
import { build, start } from './programs.ts'
import { descriptors } from './tracing.ts'

const { ENOENT, EOPNOTSUPP, EPERM } = constants.errno
const skip = labUnavailable() ?? false
const program = new URL('conntrack-process.ts', import.meta.url).pathname
const threads = () => readdirSync('/proc/self/task').length

const open = (options: Partial<NativeConntrackOptions> = {}) =>
  createConntrack({ onAnswers() {}, onError: (error) => assert.fail(error), ...options })

/** Questions after connections that are not there. */
function questions(handle: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * ConntrackRequestLayout.size)
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < bytes.length; at += ConntrackRequestLayout.size) {
    view.setUint32(at + ConntrackRequestLayout.first, handle, true)
    bytes[at + ConntrackRequestLayout.family] = 4
  }
  return bytes
}

describe('connection tracking that is closed', { skip, timeout: 60_000 }, () => {
  it('settles what was under way, however it races, and answers nothing more', async () => {
    for (let round = 0; round < 60; round++) {
      let closed = false
      const conntrack = open({ onAnswers: () => assert.ok(!closed) })
      const asked = [conntrack.open(-1), conntrack.open(-1)]
      if (round % 2) await asked[0]
      conntrack.lookup(questions(1, 500), 500)
      conntrack.release(1)
      conntrack.lookup(questions(2, 500), 500)
      if (round % 3) await new Promise(setImmediate)
      closed = true
      conntrack.close()
      for (const result of await Promise.allSettled(asked))
        if (result.status === 'rejected') assert.equal(result.reason.code, 'ERR_CONNTRACK_CLOSED')
    }
  })

  it('does not wait for the rest of what was asked', async () => {
    const count = 100_000
    let answers = 0
    const conntrack = open({
      onAnswers(_, length) {
        answers += length / ConntrackAnswerLayout.size
      },
    })
    const handle = await conntrack.open(-1)
    const bytes = questions(handle, count)
    const began = performance.now()
    conntrack.lookup(bytes, count)
    await arrived(() => answers === count, 60)
    const allMs = performance.now() - began
    for (let i = 0; i < 10; i++) conntrack.lookup(bytes, count)
    const closing = performance.now()
    conntrack.close()
    assert.ok(performance.now() - closing < 5 * allMs, 'ten times as much was asked')
  })

  it('leaves no descriptor and no thread, with a thousand namespaces entered and left or not', async () => {
    const use = async () => {
      const conntrack = open()
      for (let i = 0; i < 200; i++) {
        const fd = openSync('/proc/self/ns/net', 'r')
        const entering = conntrack.open(fd)
        closeSync(fd)
        if (i % 2) conntrack.release(await entering)
        else entering.catch(() => {})
      }
      conntrack.close()
    }
    await use()
    const before = { ...descriptors(), threads: threads() }
    for (let round = 0; round < 5; round++) await use()
    assert.deepEqual({ ...descriptors(), threads: threads() }, before)
  })

  it('has no thread before it is asked for something', () => {
    const before = threads()
    const conntrack = open()
    assert.equal(threads(), before)
    conntrack.close()
  })

  it('may be closed by its own callback', async () => {
    let calls = 0
    const conntrack = open({
      onAnswers() {
        calls++
        conntrack.close()
      },
    })
    const bytes = questions(await conntrack.open(-1), 10)
    for (let i = 0; i < 50; i++) conntrack.lookup(bytes, 10)
    await arrived(() => calls > 0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(calls, 1)
  })

  it('hands what its callback throws to onError, and goes on', async () => {
    const errors: string[] = []
    let answers = 0
    const conntrack = open({
      onAnswers() {
        if (errors.length === 0) throw new Error('mine')
        answers++
      },
      onError: ({ message }) => errors.push(message),
    })
    const bytes = questions(await conntrack.open(-1), 1)
    conntrack.lookup(bytes, 1)
    await arrived(() => errors.length === 1)
    conntrack.lookup(bytes, 1)
    await arrived(() => answers === 1)
    conntrack.close()
    assert.deepEqual(errors, ['mine'])
  })
})

describe('connection tracking in a worker thread', { skip, timeout: 60_000 }, () => {
  async function asking(ending: string): Promise<Worker> {
    const worker = new Worker(new URL('conntrack-worker.ts', import.meta.url), { workerData: { ending } })
    worker.on('error', () => {})
    await once(worker, 'message')
    return worker
  }

  for (const ending of ['wait', 'spin', 'exit'])
    it(`goes with a worker that ends while it is asked (${ending})`, async () => {
      const use = async () => {
        const worker = await asking(ending)
        if (ending === 'exit') await arrived(() => worker.threadId === -1)
        else await worker.terminate()
      }
      await use()
      const before = threads()
      for (let round = 0; round < 3; round++) await use()
      await arrived(() => threads() <= before)
    })

  it('ends its worker with what onError throws, as an uncaught exception', async () => {
    const worker = new Worker(new URL('conntrack-worker.ts', import.meta.url), { workerData: { ending: 'throw' } })
    const [error] = await once(worker, 'error')
    assert.equal(error.message, 'from a callback')
  })
})

describe('connection tracking that may not be asked, or is not there', { skip, timeout: 60_000 }, () => {
  function processOf(t: TestContext, under: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const helper = start(t, [...under, process.execPath, program], { ...process.env, ...env })
    return async (path: string): Promise<{ errno?: number; code?: string }> => {
      const before = helper.lines.length
      helper.say(path)
      await arrived(() => helper.lines.length > before, 30)
      return JSON.parse(helper.lines.at(-1)!)
    }
  }
  const without = (...names: string[]) => {
    const drop = names.map((name) => `-${name}`).join(',')
    return ['setpriv', `--bounding-set=${drop}`, `--inh-caps=${drop}`]
  }

  it('answers EPERM without CAP_NET_ADMIN', async (t) => {
    const lab = createLab({ namespaces: 1 })
    t.after(() => lab.close())
    const ask = processOf(t, without('net_admin'))
    assert.deepEqual(await ask('own'), { errno: EPERM })
    assert.deepEqual(await ask(lab.namespaces[0]!.path), { errno: EPERM })
  })

  it('enters no namespace but its own without CAP_SYS_ADMIN', async (t) => {
    const lab = createLab({ namespaces: 1 })
    t.after(() => lab.close())
    const ask = processOf(t, without('sys_admin'))
    const [{ path }] = lab.namespaces as [Namespace]
    assert.deepEqual(await ask(path), { code: 'ERR_SETNS_PERMISSION' })
    assert.deepEqual(await ask('own'), { errno: ENOENT })
  })

  it('answers EOPNOTSUPP on a kernel without ctnetlink, loads nothing, and asks once somebody loaded it', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'netvitals-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const loaded = join(directory, 'loaded')
    const preload = [process.env.LD_PRELOAD, build('ctnetlink', 'ctnetlink.so', ['-shared', '-fPIC'])]
    const env = { CTNETLINK_LOADED: loaded, LD_PRELOAD: preload.filter(Boolean).join(' ') }
    const ask = processOf(t, [], env)
    assert.deepEqual(await ask('own'), { errno: EOPNOTSUPP })
    writeFileSync(loaded, '')
    assert.deepEqual(await ask('own'), { errno: ENOENT })
  })
})
