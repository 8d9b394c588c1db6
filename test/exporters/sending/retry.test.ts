import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RetryConfig } from '../../../src/exporters/sending/config.ts'
import { createRetry, type Failed, type SendOutcome } from '../../../src/exporters/sending/retry.ts'

const config: RetryConfig = {
  enabled: true,
  initial_interval: 10,
  randomization_factor: 0,
  multiplier: 2,
  max_interval: 30,
  max_elapsed_time: 0,
}

const bytes = new Uint8Array([1])

function failed(partial: Partial<Failed> = {}): Failed {
  return { sent: false, retryable: true, code: 'UNAVAILABLE', reason: 'UNAVAILABLE: down', ...partial }
}

function createRetries(outcomes: SendOutcome[], options: Partial<RetryConfig> = {}, random = () => 0.5) {
  const waits: number[] = []
  const stopping = new AbortController()
  let attempts = 0
  const sendWithRetry = createRetry({
    config: { ...config, ...options },
    send: async () => {
      attempts++
      return outcomes.shift() ?? { sent: true }
    },
    stopping: stopping.signal,
    abandoned: new AbortController().signal,
    onRetry: (_failure, waitMs) => waits.push(waitMs),
    random,
  })
  const run = () => sendWithRetry(bytes, performance.now())
  return { run, waits, stopping, attempts: () => attempts }
}

describe('retry', () => {
  test('waits grow by the multiplier up to the longest', async () => {
    const { run, waits } = createRetries([failed(), failed(), failed(), failed()])
    assert.deepEqual(await run(), { sent: true })
    assert.deepEqual(waits, [10, 20, 30, 30])
  })

  test('waits are spread over the randomization factor, both ways', async () => {
    for (const [random, wait] of [
      [0, 5],
      [1, 15],
    ] as const) {
      const { run, waits } = createRetries([failed()], { randomization_factor: 0.5 }, () => random)
      await run()
      assert.deepEqual(waits, [wait])
    }
  })

  test('a backend that asks for more time gets it, one that asks for less does not shorten the wait', async () => {
    const { run, waits } = createRetries([
      failed({ throttleMs: 40 }),
      failed({ throttleMs: 1 }),
      failed({ throttleMs: 0 }),
    ])
    await run()
    assert.deepEqual(waits, [40, 20, 30])
  })

  test('what cannot succeed is not tried again', async () => {
    const { run, attempts } = createRetries([failed({ retryable: false, reason: 'INVALID_ARGUMENT: bad' })])
    assert.partialDeepStrictEqual(await run(), { sent: false, reason: 'not retryable error: INVALID_ARGUMENT: bad' })
    assert.equal(attempts(), 1)
  })

  test('nothing is tried again when retries are disabled', async () => {
    const { run, attempts } = createRetries([failed()], { enabled: false })
    assert.deepEqual(await run(), failed())
    assert.equal(attempts(), 1)
  })

  test('no attempt begins later than max_elapsed_time after the first', async (t) => {
    const outcomes = Array.from({ length: 50 }, () => failed())
    const { run, waits } = createRetries(outcomes, { max_elapsed_time: 75 })
    // A wait takes just so long, however busy the machine is.
    t.mock.method(performance, 'now', () => waits.reduce((sum, wait) => sum + wait, 0))
    assert.partialDeepStrictEqual(await run(), { sent: false, reason: 'no more retries left: UNAVAILABLE: down' })
    // 10 + 20 + 30 = 60; another 30 would end after 75.
    assert.deepEqual(waits, [10, 20, 30])
  })

  test('a stop ends the wait at once, allows one more attempt and no further wait', async () => {
    const { run, stopping, attempts } = createRetries([failed(), failed(), failed()], {
      initial_interval: 60_000,
      max_interval: 60_000,
    })
    const started = performance.now()
    const result = run()
    setTimeout(() => stopping.abort(), 20)
    assert.deepEqual(await result, failed())
    assert.equal(attempts(), 2)
    assert.ok(performance.now() - started < 5000)
  })
})
