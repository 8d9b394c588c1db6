import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { displayWidth, pad, truncateEnd, truncateMiddle } from '../../../src/exporters/console/text.ts'

test('wide characters take two columns, marks none', () => {
  assert.equal(displayWidth('catalog'), 7)
  assert.equal(displayWidth('数据库'), 6)
  assert.equal(displayWidth('カタログ'), 8)
  assert.equal(displayWidth('café'), 4)
  assert.equal(displayWidth('cafe\u0301'), 4)
  assert.equal(displayWidth('🚀'), 2)
  assert.equal(displayWidth('✖●→…─'), 5)
})

test('the middle gives way, both ends stay', () => {
  assert.equal(truncateMiddle('front-end-58987ffbcd-2w9gz', 18, '…'), 'front-end-…d-2w9gz')
  assert.equal(truncateMiddle('short', 18, '…'), 'short')
  assert.equal(truncateMiddle('abcdef', 1, '…'), 'a')
  assert.equal(truncateMiddle('abcdef', 0, '…'), '')
})

test('a port stays whole where it fits', () => {
  assert.equal(truncateMiddle('shop/catalog-service:31234', 10, '…', 6), 'sho…:31234')
})

test('a wide character that does not fit whole is left out', () => {
  assert.equal(truncateMiddle('数据库主节点', 6, '…'), '数…点')
  assert.equal(pad(truncateMiddle('数据库主节点', 6, '…'), 6, 'left'), '数…点 ')
})

test('ends give way for sentences', () => {
  assert.equal(truncateEnd('12/12 connects timed_out', 10, '…'), '12/12 con…')
})

test('nothing is ever wider than asked for, and padded it is as wide', () => {
  const anyText = fc.string({ unit: 'grapheme', maxLength: 40 })
  fc.assert(
    fc.property(anyText, fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 10 }), (text, width, tail) => {
      const cut = truncateMiddle(text, width, '…', tail)
      assert.ok(displayWidth(cut) <= width)
      assert.equal(displayWidth(pad(cut, width, 'right')), width)
    }),
  )
})
