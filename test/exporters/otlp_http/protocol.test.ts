import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type HttpAnswer, outcomeOf } from '../../../src/exporters/otlp_http/outcome.ts'
import { parseRetryAfterMs } from '../../../src/exporters/otlp_http/retry-after.ts'
import { parseTarget } from '../../../src/exporters/otlp_http/target.ts'
import { protocolRules } from '../protocol-rules.ts'

const { rules, skip } = protocolRules()
const NOW = Date.parse('2026-03-01T12:00:00Z')

function answer(status: number, more: Partial<HttpAnswer> = {}): HttpAnswer {
  return { status, contentType: '', retryAfter: undefined, location: undefined, body: new Uint8Array(), ...more }
}

function failureOf(status: number, retryAfter?: string) {
  const outcome = outcomeOf(answer(status, { retryAfter }), 'http://x', NOW)
  assert.ok(!outcome.sent)
  return outcome
}

describe('as the Collector’s exporter', { skip }, () => {
  for (const [status, retryable] of Object.entries(rules?.http_retryable ?? {})) {
    test(`${status} is ${retryable ? '' : 'not '}retried`, () => {
      assert.equal(failureOf(Number(status)).retryable, retryable)
    })
  }

  for (const { endpoint = '', metrics_endpoint = '', metrics } of rules?.url_join ?? []) {
    test(`metrics go to ${metrics} with ${endpoint || metrics_endpoint}`, () => {
      const { url } = parseTarget({ endpoint, metrics_endpoint })
      assert.equal(url.href, metrics)
    })
  }
})

describe('Retry-After', () => {
  test('counts on 429 and 503 alone', () => {
    for (const status of [429, 503]) assert.equal(failureOf(status, '7').throttleMs, 7000)
    for (const status of [400, 500, 502, 504]) assert.equal(failureOf(status, '7').throttleMs, undefined)
    assert.equal(failureOf(429).throttleMs, undefined)
  })

  test('is a number of seconds or a date, and nothing else', () => {
    for (const [value, expected] of [
      ['0', 0],
      [' 120 ', 120_000],
      ['-5', 0],
      ['Sun, 01 Mar 2026 12:01:30 GMT', 90_000],
      ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
      ['Sunday, 01-Mar-26 12:00:10 GMT', 10_000],
      ['1.5', undefined],
      ['soon', undefined],
      ['', undefined],
      ['2026', 2_026_000],
      ['2026-03-01T12:01:00Z', undefined],
    ] as const) {
      assert.equal(parseRetryAfterMs(value, NOW), expected, value)
    }
  })
})

test('1xx, 3xx and statuses that nobody knows are given up', () => {
  for (const status of [0, 101, 304, 308, 418, 451, 505, 599]) assert.equal(failureOf(status).retryable, false)
})
