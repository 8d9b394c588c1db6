import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSampler } from '../../../src/exporters/debug/sampler.ts'

function passed(options: { initial: number; thereafter: number }, times: number, message = 'Metrics'): number[] {
  const sampler = createSampler({ ...options, now: () => 0 })
  return Array.from({ length: times }, (_, at) => at + 1).filter(() => sampler(message))
}

test('after the first ones every nth of a text passes', () => {
  assert.deepEqual(passed({ initial: 2, thereafter: 3 }, 11), [1, 2, 5, 8, 11])
})

test('with 1 all pass, with 0 none after the first ones', () => {
  assert.equal(passed({ initial: 2, thereafter: 1 }, 100).length, 100)
  assert.deepEqual(passed({ initial: 2, thereafter: 0 }, 100), [1, 2])
  assert.deepEqual(passed({ initial: 0, thereafter: 0 }, 100), [])
})

test('numbers below 0 are as huge as to zap, which has no sign', () => {
  assert.equal(passed({ initial: -1, thereafter: 100 }, 100).length, 100)
  assert.deepEqual(passed({ initial: 1, thereafter: -1 }, 100), [1])
})

test('each text has its own count, each second begins again', () => {
  let nowMs = 5000
  const sampler = createSampler({ initial: 1, thereafter: 0, now: () => nowMs })
  assert.equal(sampler('Metrics'), true)
  assert.equal(sampler('Metrics'), false)
  assert.equal(sampler('another'), true)
  nowMs += 999
  assert.equal(sampler('Metrics'), false)
  nowMs += 1
  assert.equal(sampler('Metrics'), true)
})
