import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Direction, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { type Conn, createRig, only, sum } from './rig.ts'

const { end, sample } = Kind
const flags = Flag.established
const CONNECTS = 'successful_connects'
const AWS = { name: 'AWS', cidrs: ['203.0.113.0/24', '2001:db8::/32'] }

describe('destinations that are folded', () => {
  it('are one by their name, or by their network, for each port, and others stay as they are', async () => {
    const rig = createRig({ ofDestinations: { fold: [AWS, { cidrs: ['10.1.0.0/16', '10.2.0.0/16'] }] } })
    for (const [id, remote, remotePort] of [
      [1, [203, 0, 113, 1], 443],
      [2, [203, 0, 113, 2], 443],
      [3, [203, 0, 113, 3], 80],
      [4, [10, 1, 0, 1], 443],
      [5, [10, 1, 255, 1], 443],
      [6, [10, 2, 0, 1], 443],
      [7, [10, 3, 0, 1], 443],
      [8, [203, 0, 114, 1], 443],
    ] as const)
      rig.apply({ kind: sample, id, remote, remotePort, flags })
    assert.deepEqual(named(await rig.cycle()), {
      '10.1.0.0/16:443': 2,
      '10.2.0.0/16:443': 1,
      '10.3.0.1:443': 1,
      '203.0.114.1:443': 1,
      'AWS:443': 2,
      'AWS:80': 1,
    })
  })

  it('of the longer prefix count where networks overlap', async () => {
    const fold = [{ name: 'all', cidrs: ['203.0.0.0/8'] }, AWS]
    const rig = createRig({ ofDestinations: { fold } })
    rig.apply({ kind: sample, id: 1, remote: [203, 0, 113, 1], flags })
    rig.apply({ kind: sample, id: 2, remote: [203, 9, 9, 9], flags })
    assert.deepEqual(named(await rig.cycle()), { 'AWS:443': 1, 'all:443': 1 })
  })

  it('are told apart by scope and address family', async () => {
    const fold = [{ name: 'all', cidrs: ['0.0.0.0/0', '::/0'] }]
    const rig = createRig({ ofDestinations: { fold } })
    rig.apply({ kind: sample, id: 1, remote: [203, 0, 113, 1], flags })
    rig.apply({ kind: sample, id: 2, remote: [10, 0, 0, 1], flags })
    rig.apply({ kind: sample, id: 3, remote: [10, 0, 0, 2], flags })
    rig.apply({ kind: sample, id: 4, family: 6, remote: [0x20, 1, ...Array(14).fill(0)], flags })
    const [resource] = (await rig.store.collect(rig.nowMs + 1)).filter((each) => each.resource.attributes['host.name'])
    const { dataPoints } = resource!.scopeMetrics[0]!.metrics.find(({ descriptor }) =>
      descriptor.name.endsWith(CONNECTS),
    )!
    const seen = dataPoints.map(({ attributes: a, value }) => [a['destination.scope'], a['network.type'], value])
    assert.deepEqual(seen.sort(), [
      ['external', 'ipv4', 1],
      ['external', 'ipv6', 1],
      ['private', 'ipv4', 2],
    ])
  })

  it('are what answers too, of a translated destination that is none of them', async () => {
    const { destinations } = createRig({ ofDestinations: { fold: [{ cidrs: ['10.1.0.0/16'] }] } })
    const padding = Array(12).fill(0)
    const dialled = Uint8Array.of(10, 96, 0, 1, ...padding)
    const told = [1, 2].map((last) => {
      const answered = { address: Uint8Array.of(10, 1, 0, last, ...padding), port: 8080 }
      const name = destinations.name(dialled, 0, 4, 80, answered, 0)
      return JSON.stringify(destinations.outbound(dialled, 0, 4, 80, answered, name))
    })
    const links = new Set(told)
    const [only, ...others] = [...links].map((text) => JSON.parse(text))
    assert.deepEqual(others, [])
    assert.equal(only['destination.address'], '10.96.0.1')
    assert.equal(only['network.peer.address'], '10.1.0.0/16')
    assert.equal(only['network.peer.port'], 8080)
  })

  it('fold the addresses of callers, where those are told', async () => {
    const fold = [{ name: 'office', cidrs: ['198.51.100.0/24'] }]
    const rig = createRig({ clientAddress: true, ofDestinations: { fold } })
    for (const id of [1, 2])
      rig.apply({
        ...{ kind: sample, id, direction: Direction.inbound, localPort: 80, flags },
        ...{ remote: [198, 51, 100, id], remotePort: 50_000 },
      })
    const totals = await rig.cycle()
    assert.deepEqual(Object.values(only(totals, CONNECTS, 'office')), [2])
  })

  it('stay one when their container becomes known late', async () => {
    const rig = createRig({ ofDestinations: { fold: [AWS] } })
    const dial = (id: number, more: Partial<Conn> = {}) =>
      rig.apply({ kind: sample, id, cgroup: 200n, remote: [203, 0, 113, id], flags, ...more })
    for (const id of [1, 2, 3]) dial(id)
    assert.equal(sum(await rig.cycle(), 'active_connections', 'AWS:443'), 3)
    const container = rig.container(200)
    dial(2, { bytesSent: 50 })
    const during = await rig.cycle()
    assert.equal(sum(during, container, 'active_connections', 'AWS:443'), 3)
    assert.equal(sum(during, 'active_connections'), 3)
    assert.equal(sum(during, container, 'bytes_sent', 'AWS:443'), 50)
    dial(1, { kind: end })
    assert.equal(sum(await rig.cycle(), container, 'active_connections', 'AWS:443'), 2)
  })
})

describe('ephemeral ports', () => {
  const ports = { from: 32_768, keep: 2 }
  const dial = (rig: ReturnType<typeof createRig>, id: number, remotePort: number, more: Partial<Conn> = {}) =>
    rig.apply({ kind: sample, id, remotePort, flags, ...more })

  it('are told by number as long as they are few, then together and without a number', async () => {
    const rig = createRig({ ports })
    for (const [index, port] of [50_051, 40_000, 40_001, 40_002, 8080, 32_767].entries()) dial(rig, index + 1, port)
    dial(rig, 10, 50_051)
    dial(rig, 11, 40_003, { remote: [10, 0, 0, 9] })
    assert.deepEqual(named(await rig.cycle()), {
      '10.0.0.2:*': 2,
      '10.0.0.2:32767': 1,
      '10.0.0.2:40000': 1,
      '10.0.0.2:50051': 2,
      '10.0.0.2:8080': 1,
      '10.0.0.9:40003': 1,
    })
  })

  it('begin above the system ports where the address tells its callers of ports: FTP, RPC', async () => {
    for (const mapper of [21, 111, 135]) {
      const rig = createRig({ ports: { from: 32_768, keep: 0 } })
      dial(rig, 1, 2049)
      dial(rig, 2, mapper)
      for (const [index, port] of [1023, 1024, 2050, 30_000, 40_000].entries()) dial(rig, index + 3, port)
      assert.deepEqual(named(await rig.cycle()), {
        '10.0.0.2:*': 4,
        '10.0.0.2:1023': 1,
        '10.0.0.2:2049': 1,
        [`10.0.0.2:${mapper}`]: 1,
      })
    }
  })

  it('are folded for who listens as for who dials, each by itself', async () => {
    const rig = createRig({ ports: { from: 32_768, keep: 1 } })
    for (let id = 1; id <= 5; id++) dial(rig, id, 50_000, { direction: Direction.inbound, localPort: 40_000 + id })
    dial(rig, 6, 40_009, { remote: [10, 0, 0, 1] })
    const totals = await rig.cycle()
    assert.deepEqual(named(only(totals, CONNECTS, 'inbound')), { '10.0.0.1:*': 4, '10.0.0.1:40001': 1 })
    assert.deepEqual(named(only(totals, CONNECTS, 'outbound')), { '10.0.0.1:40009': 1 })
  })

  it('keep their number while they are in use, and for a time after', async () => {
    const rig = createRig({ ports: { from: 32_768, keep: 1 } })
    dial(rig, 1, 40_001)
    dial(rig, 1, 40_001, { kind: end })
    dial(rig, 2, 40_002)
    dial(rig, 3, 40_001)
    assert.deepEqual(named(await rig.cycle()), { '10.0.0.2:*': 1, '10.0.0.2:40001': 2 })
  })

  it('are told by number, however many, where nothing else is said', async () => {
    const rig = createRig()
    for (let id = 1; id <= 20; id++) dial(rig, id, 40_000 + id)
    assert.equal(Object.keys(named(await rig.cycle())).length, 20)
  })
})

/** Successful connects by destination. */
function named(totals: ReadonlyMap<string, number> | Record<string, number>): Record<string, number> {
  const entries = totals instanceof Map ? [...totals] : Object.entries(totals)
  return Object.fromEntries(
    entries
      .filter(([name]) => name.includes(CONNECTS))
      .map(([name, value]) => [name.split(' ').at(-1)!, value] as const)
      .sort(([x], [y]) => (x < y ? -1 : 1)),
  )
}
