import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createLineSplitter, createListSplitter } from '../../src/kubernetes/splitters.ts'

/** The text in chunks whose lengths are those, again and again. */
function* chunksOf(text: string, lengths: readonly number[]): Iterable<Buffer> {
  const bytes = Buffer.from(text)
  for (let from = 0, turn = 0; from < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? bytes.length
    yield bytes.subarray(from, from + length)
    from += length
  }
}

function splitList(text: string, lengths: readonly number[] = [text.length]) {
  const items: unknown[] = []
  const splitter = createListSplitter((item) => items.push(JSON.parse(item)))
  for (const chunk of chunksOf(text, lengths)) splitter.push(chunk)
  return { items, envelope: splitter.end() }
}

const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
const json = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' })

describe('the list splitter', () => {
  it('gives each item and what is around them, however the text is cut', () => {
    const item = fc.dictionary(fc.string({ unit: 'binary' }), json)
    const around = fc.record({ kind: fc.constant('PodList'), metadata: fc.dictionary(fc.string(), json) })
    const indent = fc.constantFrom(0, 2)
    fc.assert(
      fc.property(fc.array(item), around, around, lengths, indent, (items, before, after, cuts, spaces) => {
        const list = { ...before, items, more: after }
        const found = splitList(JSON.stringify(list, undefined, spaces), cuts)
        const expected = JSON.parse(JSON.stringify(list))
        assert.deepEqual(found.items, expected.items)
        assert.deepEqual(found.envelope, { ...expected, items: [] })
      }),
    )
  })

  it('takes only the outermost items for such', () => {
    const { items, envelope } = splitList('{"metadata":{"items":[{"a":1}]},"items":[{"items":[{"b":2}]}]}', [1])
    assert.deepEqual(items, [{ items: [{ b: 2 }] }])
    assert.deepEqual(envelope, { metadata: { items: [{ a: 1 }] }, items: [] })
  })

  it('gives none of a list that Go wrote as null', () => {
    assert.deepEqual(splitList('{"kind":"PodList","items":null}').items, [])
  })

  for (const [what, text] of [
    ['within an item', '{"items":[{"a":1},{"a":'],
    ['within a string', '{"items":[{"a":"x'],
    ['after an item', '{"items":[{"a":1}'],
    ['before its end', '{"items":[]'],
    ['before its first byte', ''],
  ] as const) {
    it(`refuses a list that is cut off ${what}`, () => {
      assert.throws(() => splitList(text), /the list was cut off/)
    })
  }

  for (const text of ['<html>404</html>', ']', '{"items":[{"a":1}]}}', '{"items":[{"a" 1}]}', 'nonsense {}']) {
    it(`refuses ${text}`, () => {
      assert.throws(() => splitList(text))
    })
  }

  it('refuses an item that would fill the memory', () => {
    const splitter = createListSplitter(() => assert.fail('an item'))
    splitter.push(Buffer.from('{"items":[{"a":"'))
    const piece = Buffer.alloc(2 ** 20, 'x')
    assert.throws(() => {
      for (let i = 0; i < 9; i++) splitter.push(piece)
    }, /an object of more than 8388608 bytes/)
  })
})

describe('the line splitter', () => {
  it('gives each line, however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(json), lengths, (values, cuts) => {
        const found: unknown[] = []
        const splitter = createLineSplitter((line) => found.push(JSON.parse(line)))
        const text = values.map((value) => `${JSON.stringify(value)}\n`).join('')
        for (const chunk of chunksOf(text, cuts)) splitter.push(chunk)
        splitter.end()
        assert.deepEqual(found, JSON.parse(JSON.stringify(values)))
      }),
    )
  })

  it('says that the last line was cut off', () => {
    const splitter = createLineSplitter(() => {})
    splitter.push(Buffer.from('{"type":"ADDED"}\n{"type":'))
    assert.throws(() => splitter.end(), /ended in the middle of an event/)
  })
})
