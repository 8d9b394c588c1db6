import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Counter, Direction, Flag, Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import { orderFaults, type Seen, unavailable, type Watch, watch } from './tracing.ts'
import { createEcho } from './traffic.ts'

const holdProgram = fileURLToPath(new URL('hold.ts', import.meta.url))

interface Holder {
  readonly port: number
  /** Inode and descriptor of its network namespace. */
  readonly netns: number
  readonly fd: number
  send(size: number): Promise<void>
  end(): Promise<void>
}

/** A process with `count` connections in a network namespace of its own. */
async function hold(t: TestContext, count: number): Promise<Holder> {
  const child: ChildProcess = spawn('unshare', ['--net', process.execPath, holdProgram, String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout! })
  const next = async () => ((await once(lines, 'line')) as [string])[0]
  async function end() {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  t.after(end)
  const port = Number((await next()).split(' ')[1])
  const fd = openSync(`/proc/${child.pid}/ns/net`, 'r')
  t.after(() => closeSync(fd))
  return {
    port,
    netns: statSync(`/proc/${child.pid}/ns/net`).ino,
    fd,
    async send(size) {
      child.stdin!.write(`send ${size}\n`)
      assert.equal(await next(), 'sent')
    },
    end,
  }
}

const inNamespace = ({ seen }: Watch, { netns }: Holder) => seen.filter((each) => each.netns === netns)
const byDirection = (records: readonly Seen[]) =>
  [Direction.outbound, Direction.inbound, Direction.listener].map(
    (direction) => records.filter((each) => each.direction === direction).length,
  )

/** Network namespaces of each thread of this process. */
const threadNamespaces = () =>
  new Set(readdirSync('/proc/self/task').map((tid) => readlinkSync(`/proc/self/task/${tid}/ns/net`)))

describe('a snapshot', { skip: unavailable }, () => {
  it('enters what is there in a namespace, with its direction and from zero', async (t) => {
    const held = await hold(t, 3)
    await held.send(5000)
    const watched = watch(t)
    assert.equal(await watched.tracer.snapshot(held.fd), 7)
    const entered = inNamespace(watched, held)
    assert.deepEqual(byDirection(entered), [3, 3, 1])
    for (const each of entered) {
      assert.equal(each.kind, Kind.sample)
      assert.ok(each.flags & Flag.existing)
      assert.equal(each.localPort === held.port, each.direction !== Direction.outbound)
      assert.deepEqual([each.bytesSent, each.bytesReceived, each.segmentsSent, each.retransData], [0, 0, 0, 0])
    }
    await held.send(1000)
    await watched.tracer.sample()
    const later = inNamespace(watched, held).slice(7)
    assert.deepEqual(byDirection(later), [3, 3, 1])
    for (const each of later) {
      assert.equal(each.bytesSent, each.direction === Direction.outbound ? 1000 : 0)
      assert.equal(each.bytesReceived, each.direction === Direction.inbound ? 1000 : 0)
    }
  })

  it('enters all of very many, each once', async (t) => {
    const held = await hold(t, 1000)
    const watched = watch(t)
    assert.equal(await watched.tracer.snapshot(held.fd), 2001)
    const entered = inNamespace(watched, held)
    assert.deepEqual(byDirection(entered), [1000, 1000, 1])
    assert.equal(new Set(entered.map((each) => each.id)).size, 2001)
    await watched.tracer.sample()
    assert.deepEqual(byDirection(inNamespace(watched, held).slice(2001)), [1000, 1000, 1])
    assert.equal(new Set(inNamespace(watched, held).map((each) => each.id)).size, 2001)
  })

  it('enters nothing twice, whether a snapshot or the programs entered it, and counts no bound as reached', async (t) => {
    const watched = watch(t)
    const held = await hold(t, 2)
    await watched.tracer.sample()
    const known = inNamespace(watched, held).filter(({ kind }) => kind === Kind.sample).length
    assert.equal(known, 5)
    assert.equal(await watched.tracer.snapshot(held.fd), 0)
    assert.equal(await watched.tracer.snapshot(held.fd), 0)
    assert.equal(inNamespace(watched, held).filter(({ kind }) => kind === Kind.sample).length, known)
    assert.equal(watched.tracer.counters()[Counter.socketsFull], 0)
  })

  it('shows the ends of what it entered', async (t) => {
    const held = await hold(t, 4)
    const watched = watch(t)
    await watched.tracer.snapshot(held.fd)
    await held.end()
    await watched.tracer.flush()
    const ends = inNamespace(watched, held).filter((each) => each.kind === Kind.end)
    assert.deepEqual(byDirection(ends), [4, 4, 1])
    assert.deepEqual(orderFaults(inNamespace(watched, held)), [])
  })

  it("of -1 reads the process' own namespace", async (t) => {
    const echo = await createEcho(t)
    await echo.hold()
    const watched = watch(t)
    await watched.tracer.snapshot(-1)
    assert.deepEqual(byDirection(watched.of(echo.port)), [1, 1, 1])
  })

  it('leaves each thread in its own namespace', async (t) => {
    const held = await hold(t, 1)
    const own = readlinkSync('/proc/self/ns/net')
    const { tracer } = watch(t)
    const during = new Set<string>()
    const snapshots = Array.from({ length: 20 }, () => tracer.snapshot(held.fd))
    await Promise.all(snapshots)
    for (const each of threadNamespaces()) during.add(each)
    assert.deepEqual([...during], [own])
    assert.equal(readlinkSync('/proc/self/ns/net'), own)
    const bad = openSync('/proc/self/ns/mnt', 'r')
    t.after(() => closeSync(bad))
    await assert.rejects(tracer.snapshot(bad))
    assert.deepEqual([...threadNamespaces()], [own])
  })

  it('of a namespace that is gone but for its descriptor finds nothing', async (t) => {
    const held = await hold(t, 2)
    await held.end()
    const { tracer } = watch(t)
    assert.equal(await tracer.snapshot(held.fd), 0)
  })

  it('works in namespaces that are deleted while it runs', async (t) => {
    const holders = await Promise.all(Array.from({ length: 6 }, () => hold(t, 20)))
    const { tracer } = watch(t)
    const snapshots = holders.flatMap(({ fd }) => [tracer.snapshot(fd), tracer.snapshot(fd)])
    await Promise.all(holders.map((each) => each.end()))
    for (const entered of await Promise.all(snapshots)) assert.ok(entered <= 41)
    execFileSync('true') // the process can still start others, in its own namespace
  })
})
