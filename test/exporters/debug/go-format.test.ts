import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatF, formatInt, formatTimestamp, formatTyped, formatV } from '../../../src/exporters/debug/go-format.ts'

// Expectations: fmt.Printf of Go 1.26. The goldens hold many more.

test('%f rounds halves to even and knows -0, NaN and infinities', () => {
  const cases: [number, string][] = [
    [0.0078125, '0.007812'],
    [0.0234375, '0.023438'],
    [-0.0078125, '-0.007812'],
    [-0, '-0.000000'],
    [1e21, '1000000000000000000000.000000'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
  ]
  for (const [value, text] of cases) assert.equal(formatF(value), text)
})

test('%v turns to exponents below 1e-4 and from 1e6, of two digits at least', () => {
  const cases: [number, string][] = [
    [0.0001, '0.0001'],
    [0.00009999, '9.999e-05'],
    [999999.5, '999999.5'],
    [1e6, '1e+06'],
    [-0, '-0'],
    [5e-324, '5e-324'],
    [Number.POSITIVE_INFINITY, '+Inf'],
  ]
  for (const [value, text] of cases) assert.equal(formatV(value), text)
})

test('%d prints integers beyond 2^53 whole', () => {
  assert.equal(formatInt(2 ** 63), '9223372036854775808')
})

test('timestamps lose trailing zeros, and the point with the last', () => {
  assert.equal(formatTimestamp([1581452773, 789_000_000]), '2020-02-11 20:26:13.789 +0000 UTC')
  assert.equal(formatTimestamp([0, 0]), '1970-01-01 00:00:00 +0000 UTC')
  assert.equal(formatTimestamp([1, 1]), '1970-01-01 00:00:01.000000001 +0000 UTC')
})

test('an attribute has the type that it gets in OTLP', () => {
  assert.equal(formatTyped(8080), 'Int(8080)')
  assert.equal(formatTyped(0.5), 'Double(0.5)')
  assert.equal(formatTyped(Number.NaN), 'Double(NaN)')
  assert.equal(formatTyped(undefined), 'Empty()')
  assert.equal(formatTyped(['a', 'b']), 'Slice(["a","b"])')
})
