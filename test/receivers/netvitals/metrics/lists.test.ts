import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLists } from '../../../../src/receivers/netvitals/metrics/lists.ts'

test('lists are what arrays would be', () => {
  const step = fc.tuple(fc.constantFrom('move', 'remove'), fc.nat(1), fc.nat(200))
  fc.assert(
    fc.property(fc.array(step, { size: 'max', maxLength: 100 }), (steps) => {
      const lists = createLists()
      const ids = [lists.newList(), lists.newList()]
      let model: number[][] = [[], []]
      for (const [what, list, node] of steps) {
        model = model.map((nodes) => nodes.filter((other) => other !== node))
        if (what === 'move') {
          lists.move(ids[list]!, node)
          model[list]!.unshift(node)
        } else {
          lists.remove(node)
        }
        for (const [index, id] of ids.entries()) {
          const found: number[] = []
          for (let at = lists.first(id); at >= 0; at = lists.next(at)) found.push(at)
          assert.deepEqual(found, model[index])
          assert.equal(lists.last(id), model[index]!.at(-1) ?? -1)
        }
      }
    }),
  )
})

test('a list that was given back is empty when it comes again', () => {
  const lists = createLists()
  const list = lists.newList()
  lists.push(list, 3)
  lists.remove(3)
  lists.freeList(list)
  assert.equal(lists.newList(), list)
  assert.equal(lists.first(list), -1)
})
