import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { QueueConfig } from '../../../src/exporters/sending/config.ts'
import { createQueue, type Sized } from '../../../src/exporters/sending/queue.ts'

const config: QueueConfig = {
  enabled: true,
  sizer: 'items',
  queue_size: 10,
  max_points: 1000,
  num_consumers: 1,
  block_on_overflow: false,
  wait_for_result: false,
}

interface Entry extends Sized {
  readonly name: string
}

function entry(name: string, size = 1, points = size): Entry {
  return { name, size, points }
}

/** A queue whose consumers wait until they are told to finish. */
function createHeldQueue(options: Partial<QueueConfig> = {}) {
  const begun: string[] = []
  const held: (() => void)[] = []
  const queue = createQueue<Entry>({
    config: { ...config, ...options },
    consume: ({ name }) => {
      begun.push(name)
      return new Promise((finish) => held.push(finish))
    },
  })
  async function finishOne(): Promise<void> {
    held.shift()!()
    await setImmediate()
  }
  return { queue, begun, finishOne }
}

describe('queue', () => {
  test('one consumer takes one entry after the other, in order', async () => {
    const { queue, begun, finishOne } = createHeldQueue()
    for (const name of ['a', 'b', 'c']) assert.equal(await queue.offer(entry(name)), undefined)
    assert.deepEqual(begun, ['a'])
    await finishOne()
    assert.deepEqual(begun, ['a', 'b'])
    await finishOne()
    assert.deepEqual(begun, ['a', 'b', 'c'])
  })

  test('several consumers work at the same time, and not more of them', async () => {
    const { queue, begun } = createHeldQueue({ num_consumers: 2 })
    for (const name of ['a', 'b', 'c']) await queue.offer(entry(name))
    assert.deepEqual(begun, ['a', 'b'])
  })

  test('what is being consumed still takes up room', async () => {
    const { queue, finishOne } = createHeldQueue()
    assert.equal(await queue.offer(entry('a', 10)), undefined)
    assert.equal(queue.size(), 10)
    assert.equal(await queue.offer(entry('b')), 'full')
    await finishOne()
    assert.equal(queue.size(), 0)
    assert.equal(await queue.offer(entry('b')), undefined)
  })

  test('an entry larger than the whole queue is refused for good', async () => {
    const { queue } = createHeldQueue()
    assert.equal(await queue.offer(entry('a', 11)), 'too large')
  })

  test('max_points bounds memory whatever the sizer counts, but never keeps a large batch out of an empty queue', async () => {
    const { queue, finishOne } = createHeldQueue({ max_points: 100 })
    assert.equal(await queue.offer(entry('a', 1, 500)), undefined)
    assert.equal(await queue.offer(entry('b', 1, 1)), 'full')
    await finishOne()
    assert.equal(await queue.offer(entry('b', 1, 60)), undefined)
    assert.equal(await queue.offer(entry('c', 1, 60)), 'full')
    assert.equal(await queue.offer(entry('d', 1, 40)), undefined)
  })

  test('with block_on_overflow entries wait for room, in order, and a close refuses those that still do', async () => {
    const { queue, begun, finishOne } = createHeldQueue({ block_on_overflow: true })
    await queue.offer(entry('a', 10))
    const results: [string, string | undefined][] = []
    for (const [name, size] of [
      ['b', 6],
      ['c', 6],
      ['d', 1],
    ] as const) {
      void queue.offer(entry(name, size)).then((refusal) => results.push([name, refusal]))
    }
    await setImmediate()
    assert.deepEqual(results, [])
    await finishOne()
    // c has no room beside b, and d does not overtake it.
    assert.deepEqual(results, [['b', undefined]])
    queue.close()
    await setImmediate()
    assert.deepEqual(results.slice(1), [
      ['c', 'closed'],
      ['d', 'closed'],
    ])
    assert.deepEqual(begun, ['a', 'b'])
  })

  test('after a close nothing enters, and what is in it is still consumed', async () => {
    const { queue, begun, finishOne } = createHeldQueue()
    await queue.offer(entry('a'))
    await queue.offer(entry('b'))
    queue.close()
    assert.equal(await queue.offer(entry('c')), 'closed')
    await finishOne()
    assert.deepEqual(begun, ['a', 'b'])
  })

  test('clear gives back what nobody consumes yet', async () => {
    const { queue, begun, finishOne } = createHeldQueue()
    for (const name of ['a', 'b', 'c']) await queue.offer(entry(name, 2))
    assert.deepEqual(
      queue.clear().map(({ name }) => name),
      ['b', 'c'],
    )
    assert.equal(queue.size(), 2)
    await finishOne()
    assert.deepEqual(begun, ['a'])
    assert.equal(queue.size(), 0)
  })
})
