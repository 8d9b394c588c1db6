import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createBackoff } from '../../src/kubernetes/backoff.ts'

const waits = (random: number, times: number) => {
  const backoff = createBackoff({ initialMs: 800, maxMs: 30_000, random: () => random })
  return Array.from({ length: times }, () => backoff.next())
}

describe('the back-off', () => {
  it('doubles up to its most', () => {
    assert.deepEqual(waits(0, 8), [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000])
  })

  it('is up to twice as long by chance', () => {
    assert.deepEqual(waits(0.5, 2), [1_200, 2_400])
  })

  it('stays at its most for ever', () => {
    assert.equal(waits(0, 5_000).at(-1), 30_000)
  })

  it('is at least what the server asks for', () => {
    const backoff = createBackoff({ initialMs: 800, maxMs: 30_000, random: () => 0 })
    assert.equal(backoff.next(60_000), 60_000)
    assert.equal(backoff.next(1), 1_600)
  })

  it('begins anew after a success', () => {
    const backoff = createBackoff({ initialMs: 800, maxMs: 30_000, random: () => 0 })
    backoff.next()
    backoff.next()
    assert.ok(backoff.failing())
    backoff.reset()
    assert.ok(!backoff.failing())
    assert.equal(backoff.next(), 800)
  })
})
