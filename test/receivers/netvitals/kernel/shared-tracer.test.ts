import assert from 'node:assert/strict'
import { mkdirSync, rmdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Conn } from '../../../../src/receivers/netvitals/kernel/decode.ts'
import { Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { createSharedTracer, type TracerUser } from '../../../../src/receivers/netvitals/kernel/shared-tracer.ts'
import { eventually } from '../../../e2e/child.ts'
import { cgroup2Mount } from '../../../kernel/lab.ts'

const SETTINGS = { ringBytes: 1 << 20, maxSockets: 4096 }
const mount = cgroup2Mount()
const skip = process.getuid?.() !== 0 ? 'needs root (loads eBPF programs)' : mount === undefined && 'needs cgroup v2'

/** Ends of connections to one port, and records of cgroups. */
function createUser(port: number) {
  const ends: number[] = []
  let cgroups = 0
  const onCgroup = () => void cgroups++
  const user: TracerUser = {
    onBatch() {},
    onRecord(records, kind) {
      if (kind >= Kind.cgroupMkdir) onCgroup()
      else if (kind === Kind.end && Conn.remotePort(records) === port) ends.push(Conn.id(records))
    },
    onError: assert.fail,
  }
  return { user, ends, onCgroup, cgroups: () => cgroups }
}

describe('a tracer that passes from one user to the next', { skip }, () => {
  it('gives every record to one of them, in order, and to no other', async () => {
    const server = createServer((socket) => socket.end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const users = [createUser(port), createUser(port), createUser(port)]
    const tracer = createSharedTracer(SETTINGS, users[0]!.user)
    const all = () => users.flatMap(({ ends }) => ends)
    try {
      let made = 0
      const make = () =>
        new Promise<void>((resolve) => {
          made++
          connect(port, '127.0.0.1').resume().on('close', resolve)
        })
      for (const { user } of users) {
        tracer.pass(user)
        await Promise.all(Array.from({ length: 30 }, make))
        await tracer.flush()
        // These may still be in the ring when it passes.
        await Promise.all(Array.from({ length: 30 }, make))
      }
      await eventually('all ends', async () => {
        await tracer.flush()
        return all().length >= made || undefined
      })
      assert.equal(new Set(all()).size, made)
      assert.equal(all().length, made)
      assert.ok(users.every(({ ends }) => ends.length > 0))
    } finally {
      tracer.close()
      server.close()
    }
  })

  it('lets another hear of cgroups beside its user, until it passes or that one stops', async () => {
    const [user, other] = [createUser(0), createUser(0)]
    const tracer = createSharedTracer(SETTINGS, user.user)
    const directory = join(mount!, `netvitals-test-${process.pid}`)
    const touch = async () => {
      mkdirSync(directory)
      rmdirSync(directory)
      await tracer.flush()
    }
    try {
      const stop = tracer.listen(other.onCgroup)
      await touch()
      await eventually('both hear of it', () => (user.cgroups() > 0 && other.cgroups() > 0) || undefined)
      stop()
      const heard = other.cgroups()
      const before = user.cgroups()
      await touch()
      await eventually('the user hears of it', () => user.cgroups() > before || undefined)
      assert.equal(other.cgroups(), heard)
    } finally {
      tracer.close()
    }
  })

  it('fits a user with the same settings alone', () => {
    const tracer = createSharedTracer(SETTINGS, createUser(0).user)
    try {
      assert.ok(tracer.fits({ ...SETTINGS }))
      assert.ok(!tracer.fits({ ...SETTINGS, ringBytes: 1 << 21 }))
      assert.ok(!tracer.fits({ ...SETTINGS, maxSockets: 4097 }))
    } finally {
      tracer.close()
    }
  })
})
