import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Dialled } from '../../../../src/receivers/netvitals/connections/links.ts'
import { Direction, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { createRig, dockerId, only, sum } from './rig.ts'

const { end, sample, fail } = Kind
const flags = Flag.established

/** What an observer is told, in words. */
function observed(options: Parameters<typeof createRig>[0] = {}) {
  const rig = createRig(options)
  const told: string[] = []
  const entries: Dialled[] = []
  rig.links.observe({
    entered(dialled) {
      const { netns, family, address, containerKey, local } = dialled
      const bytes = (of: Uint8Array | undefined) => of && [...of.subarray(0, family === 4 ? 4 : 16)].join('.')
      const from = local ? ` from ${bytes(local)}` : ''
      told.push(`+ ${containerKey.slice(-3)} netns ${netns} to ${bytes(address)}${from}`)
      entries.push({ ...dialled, address: dialled.address.slice() })
    },
    forgotten: (entry) => told.push(`- ${entry}`),
    containerEnded: (container) => told.push(`ended ${container}`),
  })
  return { rig, told, entries }
}

describe('an observer of what is dialled', () => {
  it('is told of each destination, port and namespace once, and of nothing that was accepted', () => {
    const { rig, told } = observed({ listeners: true })
    rig.container(100)
    rig.apply(
      { kind: sample, id: 1, cgroup: 100n, netns: 7, flags },
      { kind: sample, id: 2, cgroup: 100n, netns: 7, flags },
      { kind: sample, id: 3, cgroup: 100n, netns: 8, flags },
      { kind: fail, id: 4, cgroup: 100n, netns: 7, remotePort: 80, flags: 0 },
      { kind: sample, id: 5, cgroup: 100n, netns: 7, direction: Direction.inbound, flags },
      { kind: Kind.listen, id: 6, cgroup: 100n, netns: 7, direction: Direction.listener },
    )
    assert.deepEqual(told, [
      '+ 064 netns 7 to 10.0.0.2 from 10.0.0.1',
      '+ 064 netns 8 to 10.0.0.2 from 10.0.0.1',
      '+ 064 netns 7 to 10.0.0.2 from 10.0.0.1',
    ])
  })

  it('finds an entry live while it has connections, and as long after as it asks', () => {
    const { rig, entries } = observed()
    rig.apply({ kind: sample, id: 1, flags })
    const { entry } = entries[0]!
    assert.ok(rig.links.isLive(entry, Number.POSITIVE_INFINITY))
    rig.apply({ kind: end, id: 1 })
    assert.ok(rig.links.isLive(entry, rig.nowMs), 'since its end, not since its beginning')
    assert.ok(!rig.links.isLive(entry, rig.nowMs + 1))
  })

  it('finds how much an entry is used: what it has, and what began lately', () => {
    const { rig, entries } = observed()
    for (const id of [1, 2, 3, 4]) rig.apply({ kind: sample, id, flags })
    for (const id of [1, 2, 3]) rig.apply({ kind: end, id })
    const usage = () => rig.links.usage(entries[0]!.entry)
    assert.equal(usage(), 5)
    rig.links.ageUses()
    assert.equal(usage(), 3)
    for (let round = 0; round < 3; round++) rig.links.ageUses()
    assert.equal(usage(), 1)
  })

  it('is told that one is forgotten, not before it asked to keep it', () => {
    const { rig, told } = observed({ idleMs: 300_000 })
    rig.apply({ kind: fail, id: 1, flags: 0 })
    rig.links.sweep(rig.nowMs + 290_000)
    assert.equal(told.length, 1)
    rig.links.sweep(rig.nowMs + 301_000)
    assert.deepEqual(told.slice(1), ['- 0'])
  })

  it('is told again, once it asks to be, with the next connection', () => {
    const { rig, told, entries } = observed()
    rig.apply({ kind: fail, id: 1, flags: 0 })
    rig.links.retell(entries[0]!.entry)
    assert.equal(told.length, 1)
    rig.apply({ kind: fail, id: 2, flags: 0 }, { kind: fail, id: 3, flags: 0 })
    assert.equal(told.length, 2)
  })

  it('is told when an entry turns out to be one of a container', () => {
    const { rig, told, entries } = observed()
    rig.apply({ kind: sample, id: 1, cgroup: 200n, flags })
    rig.container(200)
    assert.deepEqual(told, ['+ ost netns 1 to 10.0.0.2 from 10.0.0.1', '- 0', '+ 0c8 netns 1 to 10.0.0.2'])
    assert.notEqual(entries[0]!.container, entries[1]!.container)
  })

  it('is told of the end of a container, and of nothing that comes late', async () => {
    const { rig, told, entries } = observed()
    rig.container(300)
    rig.apply({ kind: sample, id: 1, cgroup: 300n, flags })
    await rig.cycle()
    rig.containers.cgroupRemoved(300n)
    rig.apply({ kind: fail, id: 2, cgroup: 300n, remotePort: 80, flags: 0 })
    assert.deepEqual(told.slice(1), [`ended ${entries[0]!.container}`])
    rig.containers.cgroupCreated(301n, `/docker/${dockerId(300)}`)
    rig.apply({ kind: sample, id: 3, cgroup: 301n, flags })
    assert.equal(told.length, 3)
    assert.notEqual(entries[1]!.container, entries[0]!.container)
  })
})

it('a link is one series, from however many namespaces its container dials', async () => {
  const rig = createRig()
  const container = rig.container(100)
  for (const netns of [7, 8]) rig.apply({ kind: sample, id: netns, cgroup: 100n, netns, flags })
  const totals = await rig.cycle()
  assert.equal(sum(totals, container, 'successful_connects'), 2)
  assert.equal(Object.keys(only(totals, container, 'successful_connects')).length, 1)
})

it('a link is told apart by family, every bit of its port, and its own address family alone', async () => {
  const rig = createRig()
  const ports = [1, 255, 256, 32_768, 65_535]
  let id = 0
  for (const remotePort of ports) rig.apply({ kind: sample, id: ++id, remotePort, flags })
  rig.apply({ kind: sample, id: ++id, family: 6, remotePort: 1, flags })
  const totals = await rig.cycle()
  const names = Object.keys(only(totals, 'successful_connects')).map((name) => name.split(' ').at(-1))
  assert.deepEqual(names.sort(), [...ports.map((port) => `10.0.0.2:${port}`), 'a00:2:::1'].sort())
})
