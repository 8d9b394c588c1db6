import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  formatBytesPerSecond,
  formatCount,
  formatRatio,
  formatSeconds,
} from '../../../src/exporters/console/numbers.ts'

const CASES: [format: (value: number) => string, value: number, text: string][] = [
  [formatCount, 0, '0'],
  [formatCount, 0.01, '<0.1'],
  [formatCount, 0.2, '0.2'],
  [formatCount, 1, '1'],
  [formatCount, 9.94, '9.9'],
  [formatCount, 9.96, '10'],
  [formatCount, 999.4, '999'],
  [formatCount, 999.6, '1k'],
  [formatCount, 1234, '1.2k'],
  [formatCount, 12_345, '12k'],
  [formatCount, 3_400_000, '3.4M'],
  [formatBytesPerSecond, 0, '0 B/s'],
  [formatBytesPerSecond, 0.4, '0 B/s'],
  [formatBytesPerSecond, 812.4, '812 B/s'],
  [formatBytesPerSecond, 3_400_000, '3.4 MB/s'],
  [formatBytesPerSecond, 1.25e10, '13 GB/s'],
  [formatSeconds, 0.00002, '0.02 ms'],
  [formatSeconds, 0.00021, '0.21 ms'],
  [formatSeconds, 0.000997, '1 ms'],
  [formatSeconds, 0.0045, '4.5 ms'],
  [formatSeconds, 0.0512, '51 ms'],
  [formatSeconds, 0.9996, '1 s'],
  [formatSeconds, 1.24, '1.2 s'],
  [formatRatio, 0, '0%'],
  [formatRatio, 0.00001, '<.01%'],
  [formatRatio, 0.0004, '0.04%'],
  [formatRatio, 0.031, '3.1%'],
  [formatRatio, 0.38, '38%'],
  [formatRatio, 1, '100%'],
]
for (const [format, value, text] of CASES) {
  test(`${format.name} makes ${value} ${text}`, () => {
    assert.equal(format(value), text)
  })
}

test('every number fits its column', () => {
  const positive = fc.double({ min: 0, max: 1e14, noNaN: true })
  fc.assert(
    fc.property(positive, (value) => {
      assert.ok(formatCount(value).length <= 4)
      assert.ok(formatBytesPerSecond(value).length <= 8)
      assert.ok(formatSeconds(value / 1e12).length <= 8)
      assert.ok(formatRatio(value / 1e14).length <= 5)
    }),
  )
})
