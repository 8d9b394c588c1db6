import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWanted } from '../../../../src/receivers/netvitals/probes/wanted.ts'
import { bytesOf } from './addresses.ts'

const isWanted = (text: string, options: { include?: string[]; exclude?: string[] } = {}) =>
  createWanted({ include: [], exclude: [], ...options })(bytesOf(text), 0, text.includes(':') ? 6 : 4)

test('what is no single other host is never pinged, whatever is included', () => {
  for (const text of ['127.0.0.1', '127.9.9.9', '0.0.0.0', '224.0.0.1', '239.1.1.1', '255.255.255.255'])
    assert.ok(!isWanted(text, { include: ['0.0.0.0/0'] }), text)
  for (const text of ['::', '::1', 'ff02::1']) assert.ok(!isWanted(text, { include: ['::/0', '::1'] }), text)
})

test('everything else is, unless it is excluded or others are included', () => {
  assert.ok(isWanted('10.1.2.3') && isWanted('fe80::1') && isWanted('8.8.8.8') && isWanted('2001:db8::1'))
  assert.ok(!isWanted('10.1.2.3', { exclude: ['10.0.0.0/8'] }))
  assert.ok(isWanted('11.1.2.3', { exclude: ['10.0.0.0/8'] }))
  assert.ok(isWanted('10.1.2.3', { include: ['10.0.0.0/8'] }))
  assert.ok(!isWanted('11.1.2.3', { include: ['10.0.0.0/8'] }))
  assert.ok(!isWanted('2001:db8::1', { include: ['10.0.0.0/8'] }), 'include is for both families')
})

test('exclude goes before include, the longer prefix notwithstanding', () => {
  assert.ok(!isWanted('10.1.2.3', { include: ['10.1.2.3'], exclude: ['10.0.0.0/8'] }))
})
