import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createSchedule } from '../../../../src/receivers/netvitals/probes/schedule.ts'

const TICK_MS = 250
const AHEAD_MS = 1_000

/** Runs the clock from `fromMs` to `toMs`, tick by tick; every probe with its time. */
function run(schedule: ReturnType<typeof createSchedule>, fromMs: number, toMs: number) {
  const sent: { target: number; atMs: number }[] = []
  for (let now = fromMs; now < toMs; now += TICK_MS)
    schedule.due(now, now + AHEAD_MS, (target, atMs) => {
      assert.ok(atMs >= now, 'not in the past')
      sent.push({ target, atMs })
      return true
    })
  return sent
}

function timesOf(sent: readonly { target: number; atMs: number }[]) {
  const times = new Map<number, number[]>()
  for (const { target, atMs } of sent) times.set(target, [...(times.get(target) ?? []), atMs])
  return times
}

const gaps = (times: readonly number[]) => times.slice(1).map((time, i) => time - times[i]!)

function mostIn(times: readonly number[], windowMs: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  let most = 0
  for (let from = 0, to = 0; to < sorted.length; to++) {
    while (sorted[to]! - sorted[from]! >= windowMs) from++
    most = Math.max(most, to - from + 1)
  }
  return most
}

describe('the schedule', () => {
  it('probes every target once in every interval, at a constant period, evenly spread', () => {
    for (const count of [1, 2, 10, 100, 1_000, 7_000]) {
      const schedule = createSchedule({ intervalMs: 15_000, maxRate: 500 })
      for (let target = 0; target < count; target++) schedule.add(target, 1_000_000)
      const sent = run(schedule, 1_000_000, 1_060_000 - AHEAD_MS + 1)
      const times = timesOf(sent)
      assert.equal(times.size, count)
      for (const each of times.values()) {
        assert.ok(each[0]! < 1_015_100, 'the first within one interval')
        assert.equal(each.length, 4)
        for (const gap of gaps(each)) assert.ok(Math.abs(gap - 15_000) < 60, `${gap} ms at ${count} targets`)
      }
      const fair = Math.ceil(count / 15)
      const most = mostIn(
        sent.map(({ atMs }) => atMs),
        1_000,
      )
      assert.ok(most <= fair + 3, `${most} in a second, ${fair} is even, at ${count} targets`)
    }
  })

  it('stays even when targets come and go, and none that stays is moved', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(199), fc.integer({ min: 0, max: 4_000 })), { maxLength: 150 }), (events) => {
        const schedule = createSchedule({ intervalMs: 15_000, maxRate: 500 })
        for (let target = 0; target < 100; target++) schedule.add(target, 0)
        const there = new Set(Array.from({ length: 100 }, (_, target) => target))
        const moved = new Set<number>()
        const sent = [...run(schedule, 0, 20_000)]
        let now = 20_000
        for (const [target, ms] of events) {
          moved.add(target)
          if (there.delete(target)) schedule.remove(target)
          else {
            there.add(target)
            schedule.add(target, now)
          }
          const until = now + Math.ceil(ms / TICK_MS) * TICK_MS
          sent.push(...run(schedule, now, until))
          now = until
        }
        sent.push(...run(schedule, now, now + 30_000))
        assert.equal(schedule.size, there.size)
        const times = timesOf(sent)
        for (const target of there) {
          const mine = times.get(target)!
          assert.ok(mine.at(-1)! >= now + 14_000, 'probed in the last interval')
          if (!moved.has(target)) for (const gap of gaps(mine)) assert.ok(Math.abs(gap - 15_000) < 60, `${gap}`)
        }
        for (let at = 0; at < sent.length; at++)
          if (at > 0) assert.ok(sent[at]!.atMs - sent[at - 1]!.atMs > 1.999, 'never two closer than the rate allows')
      }),
      { numRuns: 40 },
    )
  })

  it('lets targets take turns beyond the rate, and tells the effective interval', () => {
    const schedule = createSchedule({ intervalMs: 1_000, maxRate: 10 })
    for (let target = 0; target < 25; target++) schedule.add(target, 0)
    assert.equal(schedule.periodMs, 3_000)
    const sent = run(schedule, 0, 60_000)
    const times = timesOf(sent)
    assert.equal(times.size, 25)
    for (const each of times.values()) for (const gap of gaps(each)) assert.ok(Math.abs(gap - 3_000) < 400, `${gap}`)
    assert.ok(
      mostIn(
        sent.map(({ atMs }) => atMs),
        1_000,
      ) <= 10,
    )
    for (let target = 10; target < 25; target++) schedule.remove(target)
    run(schedule, 60_000, 60_001)
    assert.equal(schedule.periodMs, 2_000, 'ten would just do, which is not enough room')
    schedule.remove(9)
    run(schedule, 60_250, 60_251)
    assert.equal(schedule.periodMs, 1_000)
  })

  it('sends what it could not send in time, no faster than the rate allows', () => {
    const schedule = createSchedule({ intervalMs: 15_000, maxRate: 500 })
    for (let target = 0; target < 1_000; target++) schedule.add(target, 0)
    run(schedule, 0, 15_000)
    // A process that was stopped for 5 s.
    const sent = run(schedule, 20_000, 35_000)
    assert.ok(
      mostIn(
        sent.map(({ atMs }) => atMs),
        1_000,
      ) <= 500,
    )
    assert.equal(timesOf(sent).size, 1_000)
  })

  it('passes over an occurrence that it missed by more than half a period', () => {
    const schedule = createSchedule({ intervalMs: 15_000, maxRate: 500 })
    schedule.add(1, 0)
    const [first] = run(schedule, 0, 15_000)
    const later = run(schedule, 40_000, 60_000)
    assert.ok(later.length <= 2 && later.length >= 1)
    for (const { atMs } of later) assert.ok((atMs - first!.atMs) % 15_000 < 60 || atMs === 40_000)
  })

  it('asks again for what was not taken, and forgets what was removed while asking', () => {
    const schedule = createSchedule({ intervalMs: 1_000, maxRate: 500 })
    for (const target of [1, 2]) schedule.add(target, 0)
    const asked: number[] = []
    schedule.due(0, 1_001, (target) => {
      asked.push(target)
      schedule.remove(2)
      return false
    })
    assert.deepEqual(
      run(schedule, 250, 251).map(({ target }) => target),
      [1],
    )
    assert.ok(asked.includes(1))
    assert.equal(schedule.size, 1)
  })
})
