import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock, TOLERATED_STEP_MS, toHrTime } from '../../../../src/receivers/netvitals/metrics/clock.ts'

test('a cycle ends later than everything that was seen, though the same millisecond', () => {
  const clock = createClock()
  const start = clock.see(1_000)
  assert.ok(clock.beginCycle(1_000).endMs > start)
})

test('a clock that is put back a little stands still until it has caught up', () => {
  const clock = createClock()
  clock.see(100_000)
  const first = clock.beginCycle(110_000)
  assert.equal(clock.see(109_000), 110_000)
  const second = clock.beginCycle(110_000 - TOLERATED_STEP_MS)
  assert.equal(second.endMs, first.endMs + 1)
  assert.equal(second.restartMs, undefined)
  assert.equal(clock.beginCycle(120_000).endMs, 120_000)
})

test('a clock that is put back a lot ends one more cycle under the old time and begins anew', () => {
  const clock = createClock()
  clock.see(100_000_000)
  const cycle = clock.beginCycle(90_000_000)
  assert.ok(cycle.endMs > 100_000_000)
  assert.equal(cycle.restartMs, 90_000_000)
  clock.restart(90_000_000)
  assert.equal(clock.see(90_000_001), 90_000_001)
})

test('the first cycle has a time before it, though nothing was seen', () => {
  const clock = createClock()
  const { endMs } = clock.beginCycle(5_000)
  assert.ok(clock.previousEndMs < endMs)
})

test('times are seconds and nanoseconds, and a fraction never makes a second too many nanoseconds', () => {
  assert.deepEqual(toHrTime(1_700_000_000_123), [1_700_000_000, 123_000_000])
  assert.deepEqual(toHrTime(1_999.9999999), [2, 0])
  assert.deepEqual(toHrTime(0.5), [0, 500_000])
})
