import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatDuration, parseDuration } from '../../src/config/duration.ts'

describe('a duration', () => {
  // Value and canonical form as Go's time.ParseDuration and Duration.String give them.
  const cases: [text: string, ms: number, printed: string][] = [
    ['0', 0, '0s'],
    ['5s', 5000, '5s'],
    ['200ms', 200, '200ms'],
    ['1m30s', 90_000, '1m30s'],
    ['1.5h', 5_400_000, '1h30m0s'],
    ['1h2m3.5s', 3_723_500, '1h2m3.5s'],
    ['-1s', -1000, '-1s'],
    ['+5s', 5000, '5s'],
    ['100us', 0.1, '100µs'],
    ['100µs', 0.1, '100µs'],
    ['5ns', 5e-6, '5ns'],
    ['.5s', 500, '500ms'],
    ['1.s', 1000, '1s'],
    ['1s1s', 2000, '2s'],
  ]
  for (const [text, ms, printed] of cases) {
    it(`"${text}" is ${ms} ms and printed "${printed}"`, () => {
      const result = parseDuration(text)
      assert.ok('ms' in result && Math.abs(result.ms - ms) < 1e-9, JSON.stringify(result))
      assert.equal(formatDuration(result.ms), printed)
    })
  }

  const wrong: [text: string, error: string][] = [
    ['', 'time: invalid duration'],
    ['-', 'time: invalid duration'],
    ['s', 'time: invalid duration'],
    ['fast', 'time: invalid duration'],
    ['5', 'time: missing unit in duration'],
    ['1m5', 'time: missing unit in duration'],
    ['1d', 'time: unknown unit'],
    ['5 s', 'time: unknown unit'],
    ['5S', 'time: unknown unit'],
  ]
  for (const [text, error] of wrong) {
    it(`"${text}" is refused: ${error}`, () => assert.deepEqual(parseDuration(text), { error }))
  }
})
