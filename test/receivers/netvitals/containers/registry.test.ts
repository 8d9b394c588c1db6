import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { describeContainer } from '../../../../src/receivers/netvitals/containers/describe.ts'
import { createRegistry } from '../../../../src/receivers/netvitals/containers/registry.ts'
import type { Container } from '../../../../src/receivers/netvitals/containers/types.ts'

const ID = 'c3'.repeat(32)

function make() {
  let clock = 0
  const registry = createRegistry({
    describe: (identity) => describeContainer(identity, { host: { name: 'node-1' } }),
    makerOf: () => 'none',
    lingerMs: 1000,
    now: () => clock,
  })
  const ended: Container[] = []
  registry.onEnd((container) => ended.push(container))
  const pass = (ms: number) => {
    clock += ms
    registry.sweep()
  }
  return { registry, ended, pass }
}

test('a cgroup that was taken for gone and then heard of is not forgotten', () => {
  const { registry, pass } = make()
  registry.answeredHost(5n)
  registry.settle(5n)
  assert.equal(registry.find(5n), registry.host)
  registry.learn(5n, `/docker/${ID}`)
  pass(5000)
  assert.equal(registry.find(5n)?.id, ID)
})

test('what was taken for gone is forgotten after a while, and is no longer waited for', () => {
  const { registry, pass } = make()
  registry.answeredHost(5n)
  assert.deepEqual(registry.unknownIds(), [5n])
  registry.settle(5n)
  assert.deepEqual(registry.unknownIds(), [])
  pass(1000)
  assert.equal(registry.find(5n), undefined)
  assert.equal(registry.isUnknown(5n), false)
})

test("the end of a host's cgroup ends nothing", () => {
  const { registry, ended, pass } = make()
  registry.learn(5n, '/user.slice/user-1000.slice/session-3.scope')
  registry.remove(5n)
  assert.equal(registry.find(5n), registry.host)
  pass(1000)
  assert.equal(registry.find(5n), undefined)
  assert.deepEqual(ended, [])
})

test('after any history each container that began and went has ended exactly once, and nothing is left', () => {
  const paths = ['/docker/A', '/docker/A/x', '/docker/B', '/s.service', '/s.service/y', '/', '/a.scope'].map((path) =>
    path.replace('A', 'a'.repeat(64)).replace('B', 'b'.repeat(64)),
  )
  const step = fc.record({
    what: fc.constantFrom('create', 'remove', 'ask', 'walk', 'pass'),
    path: fc.nat(paths.length - 1),
    id: fc.bigInt(1n, 12n),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { registry, ended, pass } = make()
      const begun = new Set<Container>()
      for (const { what, path, id } of steps) {
        if (what === 'create') registry.learn(id, paths[path]!)
        if (what === 'remove') registry.remove(id)
        if (what === 'ask' && registry.find(id) === undefined) registry.answeredHost(id)
        if (what === 'walk') {
          registry.beginWalk()
          registry.see({ id, path: paths[path]! })
          registry.endWalk()
          for (const unknown of registry.unknownIds()) registry.settle(unknown)
        }
        if (what === 'pass') pass(400)
        const found = registry.find(id)
        if (found !== undefined && found !== registry.host) begun.add(found)
      }
      registry.beginWalk()
      registry.endWalk()
      for (const unknown of registry.unknownIds()) registry.settle(unknown)
      pass(1000)
      assert.deepEqual(registry.size(), { cgroups: 0, containers: 0 })
      assert.equal(new Set(ended).size, ended.length, 'none ended twice')
      assert.deepEqual(
        [...begun].filter((container) => !ended.includes(container)),
        [],
        'each that began has ended',
      )
    }),
    { numRuns: 3000 },
  )
})
