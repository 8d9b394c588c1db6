import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createCallers } from '../../../../src/receivers/netvitals/connections/callers.ts'
import type { ChangedAddresses, Destinations, Name } from '../../../../src/receivers/netvitals/destinations/types.ts'

const recordOf = (address: readonly number[]) => {
  const bytes = new Uint8Array(20)
  bytes.set(address, 4)
  return { bytes, u32: new Uint32Array(bytes.buffer) }
}

/** Names callers by a list, and counts how often it is asked. */
function createWorld() {
  const workloads = new Map<string, string>()
  let asked = 0
  let listener: (changed: ChangedAddresses | undefined) => void = () => {}
  const destinations: Pick<Destinations, 'scope' | 'hasNames' | 'caller' | 'onChange'> = {
    scope: (bytes, offset) => (bytes[offset] === 10 ? 'private' : 'external'),
    hasNames: () => workloads.size > 0,
    caller(bytes, offset): Name {
      asked++
      const workload = workloads.get(bytes.subarray(offset, offset + 4).join('.')) ?? ''
      return { key: `cluster ${workload}`, scope: 'cluster', attributes: { 'k8s.src.owner.name': workload } }
    },
    onChange: (of) => {
      listener = of
    },
  }
  return { workloads, destinations, asked: () => asked, change: (changed?: ChangedAddresses) => listener(changed) }
}

const changed = (...addresses: string[]): ChangedAddresses => ({
  has: (bytes, offset) => addresses.includes(bytes.subarray(offset, offset + 4).join('.')),
})

describe('callers', () => {
  it('are told apart by their scope where nobody has names', () => {
    const { destinations, asked } = createWorld()
    const callers = createCallers(destinations)
    const [near, alsoNear, far] = [
      [10, 0, 0, 1],
      [10, 9, 9, 9],
      [203, 0, 113, 1],
    ].map((address) => callers.numberOf(recordOf(address), 4, 4))
    assert.equal(near, alsoNear)
    assert.notEqual(near, far)
    assert.equal(callers.at(near!)?.scope, 'private')
    assert.equal(callers.at(far!)?.scope, 'external')
    for (const number of [near!, far!]) {
      callers.retain(number)
      callers.release(number)
    }
    assert.equal(callers.at(near!)?.scope, 'private', 'these stay')
    assert.equal(asked(), 0)
  })

  it('are one number for each workload, and asked for once for each address', () => {
    const world = createWorld()
    world.workloads.set('10.1.0.1', 'web').set('10.1.0.2', 'web').set('10.1.0.3', 'db')
    const callers = createCallers(world.destinations)
    const number = (last: number) => callers.numberOf(recordOf([10, 1, 0, last]), 4, 4)
    assert.equal(number(1), number(2))
    assert.notEqual(number(1), number(3))
    assert.equal(world.asked(), 3)
    assert.equal(callers.nameOf(number(3)), 'cluster db')
  })

  it('are asked for again where something changed, and only there', () => {
    const world = createWorld()
    world.workloads.set('10.1.0.1', 'web').set('10.1.0.2', 'web')
    const callers = createCallers(world.destinations)
    const number = (last: number) => callers.numberOf(recordOf([10, 1, 0, last]), 4, 4)
    const before = number(1)
    number(2)
    world.workloads.set('10.1.0.1', 'db').set('10.1.0.2', 'db')
    world.change(changed('10.1.0.1'))
    assert.equal(callers.at(number(1))?.attributes['k8s.src.owner.name'], 'db')
    assert.equal(number(2), before)
    world.change()
    assert.equal(number(2), number(1))
  })

  it('keep a number as long as an entry uses it, whatever the addresses become', () => {
    const world = createWorld()
    world.workloads.set('10.1.0.1', 'web')
    const callers = createCallers(world.destinations)
    const first = callers.numberOf(recordOf([10, 1, 0, 1]), 4, 4)
    callers.retain(first)
    world.workloads.set('10.1.0.1', 'db')
    world.change(changed('10.1.0.1'))
    assert.notEqual(callers.numberOf(recordOf([10, 1, 0, 1]), 4, 4), first)
    assert.equal(callers.nameOf(first), 'cluster web')
    callers.release(first)
    assert.equal(callers.at(first), undefined)
  })

  it('are remembered for no more addresses than the bound, and no number is lost by that', () => {
    const world = createWorld()
    world.workloads.set('10.1.0.1', 'web')
    const callers = createCallers(world.destinations, 8)
    const numbers = new Set<number>()
    for (let i = 0; i < 1_000; i++) numbers.add(callers.numberOf(recordOf([10, 2, i >> 8, i & 255]), 4, 4))
    // All are of one workload, the empty one.
    assert.equal(numbers.size, 1)
    world.workloads.set('10.1.0.1', 'web')
    for (let i = 0; i < 1_000; i++) {
      world.workloads.set(`10.3.${i >> 8}.${i & 255}`, `workload ${i}`)
      numbers.add(callers.numberOf(recordOf([10, 3, i >> 8, i & 255]), 4, 4))
    }
    assert.ok(numbers.size <= 4 + 8 + 2, `${numbers.size} numbers`)
  })
})
