import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ConnLayout, Counter, Direction, Flag, Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import { MiB, orderFaults, type Seen, summary, unavailable, type Watch, watch } from './tracing.ts'
import { createEcho, eventually, refused } from './traffic.ts'

const churnProgram = fileURLToPath(new URL('churn.ts', import.meta.url))

const bytesOf = (records: readonly Seen[], kind: number, direction: number) =>
  records
    .filter((each) => each.kind === kind && each.direction === direction)
    .reduce((sum, each) => ({ sent: sum.sent + each.bytesSent, received: sum.received + each.bytesReceived }), {
      sent: 0,
      received: 0,
    })

async function settled({ tracer, of }: Watch, port: number, count: number): Promise<Seen[]> {
  await eventually(async () => {
    await tracer.flush()
    const { ended, acceptedEnded } = summary(of(port))
    return ended >= count && acceptedEnded >= count
  })
  return of(port)
}

describe('records of connections', { skip: unavailable }, () => {
  for (const [host, family] of [
    ['127.0.0.1', 4],
    ['::1', 6],
  ] as const)
    it(`count each connection and its bytes once at both ends, IPv${family}`, async (t) => {
      const watched = watch(t)
      const echo = await createEcho(t, host)
      await echo.churn(300, 20_000)
      const records = await settled(watched, echo.port, 300)
      assert.deepEqual(summary(records), { failed: 0, ended: 300, acceptedEnded: 300 })
      assert.ok(records.every((each) => each.family === family))
      const bytes = { sent: echo.sent, received: echo.received }
      assert.equal(bytes.sent, 300 * 20_000)
      assert.deepEqual(bytesOf(records, Kind.end, Direction.outbound), bytes)
      assert.deepEqual(bytesOf(records, Kind.end, Direction.inbound), bytes)
      assert.equal(new Set(records.map((each) => each.id)).size, 601, '300 at each end and the listener')
    })

  it('show IPv4 through an IPv6 socket as IPv4', async (t) => {
    const watched = watch(t)
    const echo = await createEcho(t, '::ffff:127.0.0.1')
    await echo.churn(5)
    const records = (await settled(watched, echo.port, 5)).filter((each) => each.direction !== Direction.listener)
    assert.equal(records.length, 10)
    assert.ok(records.every((each) => each.family === 4))
  })

  it('tell of refused attempts with their error', async (t) => {
    const { tracer, seen } = watch(t)
    for (const host of ['127.0.0.1', '::1']) for (let i = 0; i < 5; i++) await refused(host, 1)
    await tracer.flush()
    const failed = seen.filter((each) => each.kind === Kind.fail && each.remotePort === 1)
    assert.deepEqual(
      [4, 6].map((family) => failed.filter((each) => each.family === family).length),
      [5, 5],
    )
    assert.ok(failed.every((each) => each.error === 111 && !(each.flags & Flag.noSyn)))
  })

  it('come in order while the walk runs all the time, and lose nothing', async (t) => {
    const watched = watch(t)
    const { tracer, of } = watched
    const echo = await createEcho(t)
    let walking = true
    let walks = 0
    const walker = (async () => {
      while (walking) {
        await tracer.sample()
        walks++
      }
    })()
    await echo.churn(6000, 500, 32)
    walking = false
    await walker
    const records = await settled(watched, echo.port, 6000)
    assert.deepEqual(summary(records), { failed: 0, ended: 6000, acceptedEnded: 6000 })
    assert.deepEqual(orderFaults(records), [])
    assert.ok(walks > 50, `${walks} walks`)
    const sampled = of(echo.port).filter((each) => each.kind === Kind.sample && each.direction !== Direction.listener)
    assert.ok(sampled.length > 100, `the walks met ${sampled.length} live connections`)
    const bytes = { sent: echo.sent, received: echo.received }
    assert.deepEqual(bytesOf(records, Kind.end, Direction.outbound), bytes)
  })

  it('come in batches, and still do when the reader was woken before its time', async (t) => {
    const ringBytes = MiB / 4
    let small = 0
    const watched = watch(t, { ringBytes }, (batch) => {
      if (batch.length < 10) small++
    })
    const began = performance.now()
    const churn = () => once(spawn(process.execPath, [churnProgram, '10000', '16'], { stdio: 'inherit' }), 'exit')
    await Promise.all([churn(), churn()])
    const tenths = (performance.now() - began) / 100
    const wakeups = (watched.seen.length * ConnLayout.size) / (ringBytes / 8)
    assert.ok(wakeups > 20, `${watched.seen.length} records`)
    assert.ok(small < tenths + 15, `${small} batches of a few records, in ${tenths} tenths of a second`)
  })

  it('lose nothing to a slow callback', async (t) => {
    let blocks = 0
    const watched = watch(t, {}, (batch) => {
      if (batch.length === 0 || blocks >= 2) return
      blocks++
      const end = performance.now() + 500
      while (performance.now() < end);
    })
    const echo = await createEcho(t)
    await echo.churn(2000)
    const records = await settled(watched, echo.port, 2000)
    assert.equal(blocks, 2)
    const foreign = watched.seen.length - records.length
    if (foreign > 50_000) return t.skip(`the host is busy with connections of others: ${foreign} records`)
    const lost = watched.tracer.counters().subarray(0, Kind.kinds)
    assert.ok(
      lost.every((count) => count === 0),
      lost.join(' '),
    )
    assert.deepEqual(summary(records), { failed: 0, ended: 2000, acceptedEnded: 2000 })
  })

  it('are seen by each of two tracers', async (t) => {
    const [one, two] = [watch(t), watch(t)]
    const echo = await createEcho(t)
    await echo.churn(100)
    for (const watched of [one, two]) {
      const records = await settled(watched, echo.port, 100)
      assert.deepEqual(summary(records), { failed: 0, ended: 100, acceptedEnded: 100 })
    }
    one.tracer.close()
    await echo.churn(10)
    assert.equal(summary(await settled(two, echo.port, 110)).ended, 110)
  })
})

describe('a callback that throws', { skip: unavailable }, () => {
  it('goes to onError, and the tracer goes on', async (t) => {
    let thrown = 0
    const watched = watch(t, {}, () => {
      if (thrown++ === 0) throw new RangeError('first batch')
    })
    const echo = await createEcho(t)
    await echo.churn(20)
    await settled(watched, echo.port, 20)
    assert.equal(watched.errors.length, 1)
    assert.ok(watched.errors[0] instanceof RangeError)
    assert.equal(watched.errors[0].message, 'first batch')
    await echo.churn(20)
    assert.equal(summary(await settled(watched, echo.port, 40)).ended, 40)
  })

  it('goes to onError as it is, an Error or not', async (t) => {
    const thrown: unknown[] = []
    let next: unknown[] = [undefined, null, 5, 'text']
    const { tracer } = watch(
      t,
      {
        onError: (error) => thrown.push(error),
      },
      () => {
        if (next.length > 0) throw next.shift()
      },
    )
    const echo = await createEcho(t)
    assert.ok(
      await eventually(async () => {
        await echo.churn(1)
        await tracer.flush()
        return thrown.length === 4
      }),
    )
    assert.deepEqual(thrown, [undefined, null, 5, 'text'])
    next = []
  })
})

describe('a ring that is too small', { skip: unavailable }, () => {
  it('loses records by kind, and no end, no byte', async (t) => {
    const watched = watch(t, { ringBytes: 65_536 })
    const { tracer } = watched
    const echo = await createEcho(t)
    await echo.churn(10)
    await settled(watched, echo.port, 10)
    tracer.pause()
    await echo.churn(1500, 3000)
    await sleep(100)
    const counters = tracer.counters()
    const lost = (kind: number) => counters[Counter.lost + kind] as number
    assert.ok(lost(Kind.end) > 500, `${lost(Kind.end)} ends lost`)
    assert.equal(counters[Counter.deferred], lost(Kind.end) + lost(Kind.fail))
    assert.equal(counters[Counter.deferredFull], 0)
    assert.equal(counters[Counter.socketsFull], 0)
    tracer.resume()
    await tracer.sample()
    const records = await settled(watched, echo.port, 1510)
    assert.equal(summary(records).ended, 1510)
    assert.equal(summary(records).acceptedEnded, 1510)
    assert.deepEqual(orderFaults(records), [])
    const bytes = { sent: echo.sent, received: echo.received }
    assert.deepEqual(bytesOf(records, Kind.end, Direction.outbound), bytes)
    assert.deepEqual(bytesOf(records, Kind.end, Direction.inbound), bytes)
    const established = records.filter(({ kind, flags }) => kind === Kind.end && flags & Flag.established)
    assert.equal(established.length, 2 * 1510, 'an end says that there was a connection')
  })

  it('keeps order when ends overflow while walks and a slow reader are at work', async (t) => {
    const watched = watch(t, { ringBytes: 65_536 }, () => {
      const end = performance.now() + 3
      while (performance.now() < end);
    })
    const { tracer } = watched
    const echo = await createEcho(t)
    let walking = true
    const walker = (async () => {
      while (walking) await tracer.sample()
    })()
    await echo.churn(4000, 200, 64)
    walking = false
    await walker
    await tracer.sample()
    const records = await settled(watched, echo.port, 4000)
    assert.equal(summary(records).ended, 4000)
    assert.equal(summary(records).acceptedEnded, 4000)
    assert.deepEqual(orderFaults(records), [])
  })

  it('takes commands while records pour in', async (t) => {
    const watched = watch(t, { ringBytes: 65_536 })
    const echo = await createEcho(t)
    const churn = echo.churn(3000, 10, 64)
    let samples = 0
    for (let i = 0; i < 20; i++) {
      await watched.tracer.sample()
      samples++
    }
    await churn
    assert.equal(samples, 20)
  })
})

describe('the bound on sockets', { skip: unavailable }, () => {
  it('is counted, and disturbs neither those tracked nor the count of those beyond it', async (t) => {
    const watched = watch(t, { maxSockets: 64 })
    const { tracer, of } = watched
    const echo = await createEcho(t)
    const first = await echo.hold()
    for (let i = 0; i < 100; i++) await echo.hold()
    await tracer.flush()
    assert.ok((tracer.counters()[Counter.socketsFull] as number) > 100)
    await tracer.sample()
    assert.ok(tracer.usage().sockets <= 64)

    first.write('x'.repeat(1234))
    await eventually(() => first.bytesRead === 1234)
    await tracer.sample()
    const of1 = of(echo.port).filter((each) => each.kind === Kind.sample && each.localPort === first.localPort)
    assert.equal(of1.at(-1)?.bytesSent, 1234)
    assert.equal(of1.at(-1)?.bytesReceived, 1234)

    await echo.close()
    await eventually(async () => {
      await tracer.flush()
      return summary(of(echo.port)).acceptedEnded >= 101
    })
    const { ended, acceptedEnded } = summary(of(echo.port))
    assert.equal(acceptedEnded, 101, 'accepted ones are counted beyond the bound')
    assert.equal(ended, 101, 'and dialled ones')
    assert.deepEqual(orderFaults(of(echo.port)), [])

    await echo.close()
    const again = await createEcho(t)
    await again.churn(10)
    assert.equal(summary(await settled(watched, again.port, 10)).ended, 10, 'there is room again')
  })
})
