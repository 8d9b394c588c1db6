import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { canonicalAddress } from '../../src/kubernetes/address.ts'

describe('an address', () => {
  for (const [written, text] of [
    ['10.244.1.5', '10.244.1.5'],
    ['::ffff:10.244.1.5', '10.244.1.5'],
    ['::FFFF:10.244.1.5', '10.244.1.5'],
    ['fd00::1', 'fd00::1'],
    ['FD00:0:0::1', 'fd00::1'],
    ['fd00:0000:0000:0000:0000:0000:0000:00ab', 'fd00::ab'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['None', 'None'],
    ['0::xyz', '0::xyz'],
  ] as const) {
    it(`${written} is ${text}`, () => assert.equal(canonicalAddress(written), text))
  }
})
