import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmdirSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Conn, createRecords, eachRecord } from '../../src/receivers/netvitals/kernel/decode.ts'
import { Direction, Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import { loadAddon } from '../../src/receivers/netvitals/kernel/tracer.ts'
import { cgroup2Mount } from '../kernel/lab.ts'
import { descriptors, options, unavailable } from './tracing.ts'

const mount = cgroup2Mount()
const ASKED_MAX = 4096

interface Held {
  readonly id: number
  readonly cgroup: bigint
  readonly port: number
}

/** A tracer, and listeners of this process: who holds which. */
async function make(t: TestContext, count = 1) {
  const { Tracer } = loadAddon()
  const ids = new Map<number, number>()
  const held: Held[] = []
  const onRecords = (bytes: Uint8Array, length: number) =>
    void eachRecord(createRecords(bytes), length, (r, kind) => {
      if (kind === Kind.listen && Conn.direction(r) === Direction.listener) ids.set(Conn.localPort(r), Conn.id(r))
      if (kind === Kind.holder) held.push({ id: Conn.id(r), cgroup: Conn.cgroupId(r), port: Conn.localPort(r) })
    })
  const tracer = new Tracer(options({ onRecords }))
  t.after(() => tracer.close())
  const listeners: { server: Server; id: number; port: number }[] = []
  for (let i = 0; i < count; i++) {
    const server = createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await once(server, 'listening')
    await tracer.flush()
    const { port } = server.address() as { port: number }
    listeners.push({ server, port, id: ids.get(port)! })
  }
  return {
    tracer,
    listeners,
    async ask(...asked: number[]) {
      held.length = 0
      assert.equal(await tracer.holders(Float64Array.from(asked)), held.length)
      return [...held]
    },
  }
}

/** A process of a cgroup of its own that inherits the listener and does nothing with it; the cgroup's id. */
async function holdElsewhere(t: TestContext, { server }: { server: Server }): Promise<bigint> {
  const cgroup = join(mount!, `nv-holders-${process.pid}`)
  mkdirSync(cgroup)
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  const script = 'echo $$ > "$0/cgroup.procs" && echo ready && exec sleep 60'
  const child = spawn('sh', ['-c', script, cgroup], { stdio: ['ignore', 'pipe', 'inherit', fd] })
  const ended = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
    rmdirSync(cgroup)
  })
  await once(child.stdout!, 'data')
  return statSync(cgroup, { bigint: true }).ino
}

describe('holders of sockets', { skip: unavailable || (mount === undefined && 'needs cgroup v2') }, () => {
  it('are all processes that have a descriptor of them, whatever cgroup made them', async (t) => {
    const { listeners, ask } = await make(t)
    const [listener] = listeners
    const before = await ask(listener!.id)
    assert.deepEqual(
      before.map(({ id, port }) => ({ id, port })),
      [{ id: listener!.id, port: listener!.port }],
    )
    const id = await holdElsewhere(t, listener!)
    const both = await ask(listener!.id)
    assert.deepEqual(new Set(both.map(({ cgroup }) => cgroup)), new Set([before[0]!.cgroup, id]))
  })

  it('are told of the sockets that are asked for, and of no others', async (t) => {
    const { listeners, ask } = await make(t, 3)
    const [first, second] = listeners
    const held = await ask(first!.id, second!.id, 1)
    assert.deepEqual(held.map(({ port }) => port).sort(), [first!.port, second!.port].sort())
    assert.deepEqual(await ask(), [])
    assert.equal((await ask(first!.id)).length, 1)
  })

  it('are none of a socket that is gone', async (t) => {
    const { listeners, ask } = await make(t)
    const { server, id } = listeners[0]!
    server.close()
    await once(server, 'close')
    assert.deepEqual(await ask(id), [])
  })

  it('are found as often as they are asked for, and nothing stays open', async (t) => {
    const { listeners, ask } = await make(t)
    await ask(listeners[0]!.id)
    const before = descriptors()
    for (let i = 0; i < 20; i++) assert.equal((await ask(listeners[0]!.id)).length, 1)
    assert.deepEqual(descriptors(), before)
  })

  it('can be asked for of so many at once, and of no more', async (t) => {
    const { tracer, listeners, ask } = await make(t)
    const many = Array.from({ length: ASKED_MAX - 1 }, (_, i) => i + 1)
    assert.equal((await ask(...many, listeners[0]!.id)).length, 1)
    const wanted = `expected a Float64Array of at most ${ASKED_MAX} ids of sockets`
    for (const [ids, got] of [
      [new Float64Array(ASKED_MAX + 1), String(ASKED_MAX + 1)],
      [[1, 2], '1,2'],
      [undefined, 'undefined'],
      [new Float32Array(1), '0'],
    ] as const)
      assert.throws(() => tracer.holders(ids as never), {
        ...{ code: 'ERR_INVALID_OPTION', message: `holders(): ${wanted}, got ${got}` },
      })
    assert.equal((await ask(listeners[0]!.id)).length, 1)
  })

  it('can not be asked for once the tracer is closed', async (t) => {
    const { tracer } = await make(t)
    const asked = tracer.holders(Float64Array.of(1))
    tracer.close()
    await assert.rejects(asked, { code: 'ERR_TRACER_CLOSED' })
    assert.throws(() => tracer.holders(Float64Array.of(1)), { code: 'ERR_TRACER_CLOSED' })
  })
})
