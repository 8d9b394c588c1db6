import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createKeyTable } from '../../../../src/receivers/netvitals/connections/key-table.ts'

type Key = readonly [number, number, number]

const word = fc.oneof(fc.nat(2), fc.constantFrom(0xffffffff, 0x80000000), fc.nat(0xffffffff))
const key: fc.Arbitrary<Key> = fc.oneof(fc.tuple(fc.nat(3), fc.nat(3), fc.constant(0)), fc.tuple(word, word, word))
const step = fc.record({
  op: fc.constantFrom('enter' as const, 'enter' as const, 'drop' as const, 'hide' as const, 'each' as const),
  key,
})

describe('the table of keys', () => {
  it('does what a Map does, and gives each entry a number that stays', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const table = createKeyTable(3, 2)
        const model = new Map<string, { entry: number; key: Key }>()
        const hidden: number[] = []
        const find = (of: Key) => {
          table.key.set(of)
          return table.find()
        }
        for (const { op, key } of steps) {
          const name = key.join()
          const known = model.get(name)
          assert.equal(find(key), known?.entry ?? -1)
          if (op === 'enter' && !known) {
            const entry = table.enter()
            assert.ok(entry >= 0 && entry < table.capacity)
            assert.ok(![...model.values()].some((each) => each.entry === entry), 'a number of two entries')
            assert.ok(!hidden.includes(entry), 'the number of a hidden one')
            model.set(name, { entry, key })
          } else if (op === 'drop' && known) {
            table.drop(known.entry)
            model.delete(name)
          } else if (op === 'hide' && known) {
            table.hide(known.entry)
            table.hide(known.entry)
            model.delete(name)
            hidden.push(known.entry)
          } else if (op === 'hide' && hidden.length > 2) {
            table.drop(hidden.shift()!)
          } else if (op === 'each') {
            const entries: number[] = []
            table.each((entry) => entries.push(entry))
            assert.deepEqual(entries.sort(), [...[...model.values()].map((each) => each.entry), ...hidden].sort())
          }
          assert.equal(table.size, model.size + hidden.length)
        }
        for (const { entry, key } of model.values()) {
          assert.equal(find(key), entry)
          assert.deepEqual(
            [0, 1, 2].map((index) => table.word(entry, index)),
            [...key],
          )
        }
      }),
      { numRuns: 400 },
    )
  })

  it('uses the numbers of dropped entries again before it grows', () => {
    const table = createKeyTable(1, 16)
    for (let round = 0; round < 100; round++) {
      const entries: number[] = []
      for (let i = 0; i < 16; i++) {
        table.key[0] = round * 16 + i
        entries.push(table.enter())
      }
      assert.deepEqual(
        entries.sort((a, b) => a - b),
        Array.from({ length: 16 }, (_, i) => i),
      )
      for (const entry of entries) table.drop(entry)
    }
    assert.equal(table.capacity, 16)
  })

  it('lets a visit drop what it is given', () => {
    const table = createKeyTable(1, 4)
    for (let i = 0; i < 100; i++) {
      table.key[0] = i
      table.enter()
    }
    const seen: number[] = []
    table.each((entry) => {
      seen.push(table.word(entry, 0))
      if (table.word(entry, 0) % 3 === 0) table.drop(entry)
    })
    assert.equal(new Set(seen).size, 100)
    assert.equal(table.size, 66)
    for (let i = 0; i < 100; i++) {
      table.key[0] = i
      assert.equal(table.find() >= 0, i % 3 !== 0, `${i}`)
    }
  })

  it('spreads keys that differ in one word alone', () => {
    const table = createKeyTable(12)
    const began = performance.now()
    for (let word = 0; word < 12; word++)
      for (let i = 1; i <= 5000; i++) {
        table.key.fill(0)
        table.key[word] = i << 16
        if (table.find() < 0) table.enter()
      }
    assert.equal(table.size, 60_000)
    assert.ok(performance.now() - began < 2000, 'chains grow long')
  })
})
