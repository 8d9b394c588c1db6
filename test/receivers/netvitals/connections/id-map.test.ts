import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createIdMap } from '../../../../src/receivers/netvitals/connections/id-map.ts'

/** Ids as the kernel makes them (CPU, nesting, number), and others: all whole numbers from 1 to 2^53 - 1. */
const id = fc.oneof(
  fc
    .tuple(fc.nat(4), fc.nat(1), fc.integer({ min: 1, max: 40 }))
    .map(([cpu, depth, n]) => cpu * 2 ** 40 + depth * 2 ** 38 + n),
  fc.integer({ min: 1, max: 64 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, 2 ** 32, 2 ** 32 - 1, 2 ** 52),
)

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('add' as const), id, slot: fc.nat(2 ** 31 - 1) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('delete' as const), id }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('get' as const), id }) },
)

describe('the map from connection to slot', () => {
  it('does what a Map does, whatever is done to it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const map = createIdMap(16)
        const model = new Map<number, number>()
        for (const each of steps) {
          if (each.op === 'add' && !model.has(each.id)) {
            map.add(each.id, each.slot)
            model.set(each.id, each.slot)
          } else if (each.op === 'delete') {
            map.delete(each.id)
            model.delete(each.id)
          }
          assert.equal(map.get(each.id), model.get(each.id) ?? -1)
          assert.equal(map.size, model.size)
        }
        for (const [key, slot] of model) assert.equal(map.get(key), slot)
      }),
      { numRuns: 400 },
    )
  })

  it('finds all others after each deletion from a full run of collisions', () => {
    for (let first = 0; first < 12; first++) {
      const map = createIdMap(64)
      const ids = Array.from({ length: 31 }, (_, i) => 7 + i * 2 ** 32)
      for (const [slot, each] of ids.entries()) map.add(each, slot)
      const order = [...ids.slice(first), ...ids.slice(0, first)]
      for (const [done, each] of order.entries()) {
        map.delete(each)
        for (const left of order.slice(done + 1)) assert.equal(map.get(left), ids.indexOf(left))
        assert.equal(map.get(each), -1)
      }
      assert.equal(map.size, 0)
    }
  })

  it('grows to many, and empties again', () => {
    const map = createIdMap()
    const count = 200_000
    const idOf = (i: number) => (i % 8) * 2 ** 40 + Math.floor(i / 8) + 1
    for (let i = 0; i < count; i++) map.add(idOf(i), i)
    for (let i = 0; i < count; i++) assert.equal(map.get(idOf(i)), i)
    for (let i = 0; i < count; i += 2) map.delete(idOf(i))
    for (let i = 0; i < count; i++) assert.equal(map.get(idOf(i)), i % 2 ? i : -1)
    assert.equal(map.size, count / 2)
  })

  it('takes no longer the more connections come and go', () => {
    const map = createIdMap()
    const time = (from: number) => {
      const began = performance.now()
      for (let i = from; i < from + 300_000; i++) {
        map.add(i, 1)
        if (i > 1000) map.delete(i - 1000)
      }
      return performance.now() - began
    }
    time(1)
    const [early, late] = [time(300_001), time(3_000_001)]
    assert.ok(late < early * 5 + 100, `${early} ms, then ${late} ms`)
  })
})
