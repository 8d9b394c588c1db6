import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeExportResponse } from '../../../src/exporters/sending/response.ts'
import { encodeResponse } from './otlp.ts'

describe('response', () => {
  test('an empty body and an empty partial_success reject nothing', () => {
    assert.equal(decodeExportResponse(new Uint8Array()), undefined)
    assert.equal(decodeExportResponse(encodeResponse({})), undefined)
  })

  test('rejected points and a message are both reported, and either is enough', () => {
    const both = { rejectedDataPoints: 300, errorMessage: 'zu alt: ü' }
    assert.deepEqual(decodeExportResponse(encodeResponse(both)), { rejectedPoints: 300, message: 'zu alt: ü' })
    assert.deepEqual(decodeExportResponse(encodeResponse({ errorMessage: 'slow down' })), {
      rejectedPoints: 0,
      message: 'slow down',
    })
    assert.deepEqual(decodeExportResponse(encodeResponse({ rejectedDataPoints: -1 })), {
      rejectedPoints: -1,
      message: '',
    })
  })

  test('fields that are not known are skipped', () => {
    const unknown = Buffer.from([0x10, 0x05, 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2a, 0x01, 0x00])
    const known = encodeResponse({ rejectedDataPoints: 1 })
    assert.deepEqual(decodeExportResponse(Buffer.concat([unknown, known])), { rejectedPoints: 1, message: '' })
  })

  test('what is not a message is refused', () => {
    for (const bytes of [[0x0a, 0x05, 0x00], [0x0a], [0x0f], Array(11).fill(0xff), [0x21, 1, 2]]) {
      assert.throws(() => decodeExportResponse(Uint8Array.from(bytes)), RangeError, JSON.stringify(bytes))
    }
  })
})
