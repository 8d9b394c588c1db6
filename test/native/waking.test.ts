import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Counter, Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import { unavailable, watch } from './tracing.ts'
import { createEcho, eventually, refused } from './traffic.ts'

const FAR_ASLEEP = 5

/** How often the thread that reads the ring went to sleep. */
function sleeps(): number {
  for (const task of readdirSync('/proc/self/task')) {
    const status = readFileSync(`/proc/self/task/${task}/status`, 'utf8')
    if (/^Name:\tnetvitals-read$/m.test(status)) return Number(/^voluntary_ctxt_switches:\t(\d+)$/m.exec(status)![1])
  }
  throw new Error('no thread reads a ring')
}

describe('whoever reads the ring', { skip: unavailable }, () => {
  it('sleeps while nothing happens', async (t) => {
    watch(t)
    await sleep(500)
    // The host's own traffic may keep it awake for a while.
    const perSecond: number[] = []
    while (perSecond.length < 20 && !(perSecond.at(-1)! <= 3)) {
      const before = sleeps()
      await sleep(1000)
      perSecond.push(sleeps() - before)
    }
    assert.ok(perSecond.at(-1)! <= 3, `${perSecond} times a second`)
  })

  it('is woken by the first record after that, and by any in the instant in which it goes to sleep', async (t) => {
    const arrivals: number[] = []
    const { seen } = watch(t, {}, (batch) => {
      if (batch.some((each) => each.kind === Kind.fail && each.remotePort === 1)) arrivals.push(performance.now())
    })
    const waits: number[] = []
    for (let n = 0; n < 40; n++) {
      // From far asleep to right about when it does: after the last batch it waits a tenth of a second.
      await sleep(n < FAR_ASLEEP ? 400 : 80 + n)
      const began = performance.now()
      const count = arrivals.length
      await refused('127.0.0.1', 1)
      await eventually(async () => arrivals.length > count)
      waits.push(arrivals.at(-1)! - began)
    }
    const [first, most] = [Math.min(...waits.slice(0, FAR_ASLEEP)), Math.max(...waits)]
    assert.ok(first < 300, `${first} ms at best, of ${waits.slice(0, FAR_ASLEEP)}`)
    assert.ok(most < 3000, `${most} ms at most`)
    assert.equal(seen.filter((each) => each.remotePort === 1).length, 40)
  })

  it('is woken by bursts too, however short the pause between them', async (t) => {
    // 64 KiB hold 546 records; each burst is 400, and a pause is shorter than its timer.
    const watched = watch(t, { ringBytes: 64 * 1024 })
    const echo = await createEcho(t)
    for (const pauseMs of [0, 20, 50, 90, 150, 300, 0, 20, 50, 90]) {
      await sleep(pauseMs)
      await echo.churn(200, 10, 8)
    }
    await watched.tracer.flush()
    const counters = watched.tracer.counters()
    assert.equal(counters[Counter.deferred], 0)
    assert.equal(counters[Counter.lost + Kind.end], 0)
  })
})
