import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Conn } from '../../../../src/receivers/netvitals/kernel/decode.ts'
import { Direction, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { createSnapshot } from '../../../../src/receivers/netvitals/kernel/snapshot.ts'
import { createTracer, loadAddon, type TracerOptions } from '../../../../src/receivers/netvitals/kernel/tracer.ts'
import { eventually } from '../../../e2e/child.ts'

const root = process.getuid?.() === 0 ? false : 'needs root (loads eBPF programs)'

function open(t: TestContext, more: Partial<TracerOptions> = {}) {
  const tracer = createTracer({ ringBytes: 1 << 20, maxSockets: 4096, onRecord() {}, onError() {}, ...more })
  t.after(() => tracer.close())
  return tracer
}

async function server(t: TestContext, keep = false): Promise<number> {
  const listening = net.createServer((socket) => {
    socket.on('error', () => {})
    if (!keep) socket.end('bye')
  })
  t.after(() => listening.close())
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  return (listening.address() as net.AddressInfo).port
}

async function connect(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1')
  socket.resume()
  await once(socket, 'connect')
  return socket
}

/** The addon is what NETVITALS_ADDON names, during the test. */
function withAddon(t: TestContext, content: string): void {
  const before = process.env.NETVITALS_ADDON
  const folder = mkdtempSync(join(tmpdir(), 'netvitals-addon-'))
  process.env.NETVITALS_ADDON = join(folder, 'addon.cjs')
  writeFileSync(process.env.NETVITALS_ADDON, content)
  t.after(() => {
    rmSync(folder, { recursive: true })
    if (before === undefined) delete process.env.NETVITALS_ADDON
    else process.env.NETVITALS_ADDON = before
  })
}

describe('the addon', () => {
  it('of another layout is refused with both sizes and the remedy', (t) => {
    withAddon(t, 'module.exports = { layout: { conn: 104, cgroup: 528, probeResult: 24 } }')
    assert.throws(() => loadAddon(), {
      code: 'NETVITALS_ADDON_LAYOUT',
      message:
        'the native addon does not fit this source: record sizes conn 112, ends 32, ended 120, conntrackRequest 52, conntrackAnswer 28, probeRequest 36 expected, conn 104, ends none, ended none, conntrackRequest none, conntrackAnswer none, probeRequest none found; run: npm run setup',
    })
  })
})

describe('the tracer', { skip: root }, () => {
  it('hands over each record in its batch, and counts them', async (t) => {
    const calls: string[] = []
    const kinds: number[] = []
    let port = 0
    const tracer = open(t, {
      onBatch: () => calls.push('batch'),
      onRecord(records, kind) {
        calls.push('record')
        if (kind < Kind.cgroupMkdir && Conn.remotePort(records) === port) kinds.push(kind)
      },
    })
    port = await server(t)
    const socket = await connect(port)
    await once(socket, 'close')
    await tracer.flush()
    assert.deepEqual(kinds.slice(0, 1), [Kind.end])
    assert.equal(calls[0], 'batch')
    const { records, batches } = tracer.reading()
    assert.equal(records, calls.filter((each) => each === 'record').length)
    assert.equal(batches, calls.filter((each) => each === 'batch').length)
  })

  it('tells the longest time of a batch since it was asked last', async (t) => {
    const tracer = open(t, {
      onBatch() {
        const end = performance.now() + 30
        while (performance.now() < end);
      },
    })
    await connect(await server(t))
    await tracer.flush()
    assert.ok(tracer.reading().longestBatchMs >= 30)
    assert.equal(tracer.reading().longestBatchMs, 0)
  })

  it('names the kinds that its counters count', (t) => {
    const { lost, ...rest } = open(t).counters()
    assert.deepEqual(
      [...lost.keys()],
      ['end', 'fail', 'retrans', 'sample', 'listen', 'synack', 'holder', 'cgroupMkdir', 'cgroupRmdir'],
    )
    for (const [name, value] of Object.entries(rest)) assert.equal(typeof value, 'number', name)
  })

  it('goes on after a record that could not be applied', async (t) => {
    const errors: Error[] = []
    let thrown = false
    const tracer = open(t, {
      onRecord() {
        if (thrown) return
        thrown = true
        throw new Error('cannot apply')
      },
      onError: (error) => errors.push(error),
    })
    const port = await server(t)
    // A batch of which one record fails is not counted: connections until there is another.
    await eventually('a record after it', async () => {
      await connect(port)
      await tracer.flush()
      return tracer.reading().records > 0 || undefined
    })
    assert.deepEqual(
      errors.map(({ message }) => message),
      ['cannot apply'],
    )
  })
})

describe('the snapshot at the start', { skip: root }, () => {
  it('shows what was there in all namespaces, and reports that it did', async (t) => {
    const port = await server(t, true)
    const socket = await connect(port)
    t.after(() => socket.destroy())
    const directions: number[] = []
    const tracer = open(t, {
      onRecord(records) {
        if (Conn.remotePort(records) === port || Conn.localPort(records) === port)
          directions.push(Conn.direction(records))
      },
    })
    const reports: string[] = []
    const snapshot = createSnapshot({ tracer, maxSockets: 4096, report: (...of) => reports.push(of.join(' ')) })
    await snapshot.take()
    assert.deepEqual(directions.sort(), [Direction.outbound, Direction.inbound, Direction.listener].sort())
    // In a container even root may not look at every process.
    assert.match(reports.join('; '), /^snapshot (ok|down [^;]*EACCES \(\d+\)[^;]*)$/)
  })

  it('is followed by a report when the bound on sockets is reached', async (t) => {
    const tracer = open(t, { maxSockets: 16 })
    const reports: string[] = []
    const snapshot = createSnapshot({ tracer, maxSockets: 16, report: (...of) => reports.push(of.join(' ')) })
    const port = await server(t, true)
    const sockets: net.Socket[] = []
    t.after(() => {
      for (const socket of sockets) socket.destroy()
    })
    for (let i = 0; i < 40; i++) sockets.push(net.connect(port, '127.0.0.1'))
    await Promise.all(sockets.map((socket) => once(socket, 'connect')))
    await tracer.sample()
    await snapshot.afterCycle()
    await tracer.sample()
    await snapshot.afterCycle()
    assert.deepEqual(
      [...new Set(reports)],
      ['sockets down the bound of 16 live sockets is reached: new ones are not tracked; raise kernel::max_sockets'],
    )
  })
})
