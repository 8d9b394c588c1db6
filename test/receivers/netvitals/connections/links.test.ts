import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRecords } from '../../../../src/receivers/netvitals/kernel/decode.ts'
import { Direction, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { bytesOf, type Conn, createRig, dockerId, only, sum } from './rig.ts'

const { end, sample } = Kind
const { inbound } = Direction
const flags = Flag.established
const MINUTE = 60_000

describe('a link', () => {
  it('belongs to the container whose cgroup made the socket, nested cgroups included', async () => {
    const rig = createRig()
    const [a, b] = [rig.container(100), rig.container(101)]
    rig.containers.cgroupCreated(102n, `/docker/${dockerId(100)}/init`)
    rig.apply({ kind: sample, id: 1, cgroup: 100n, flags }, { kind: sample, id: 2, cgroup: 101n, flags })
    rig.apply({ kind: sample, id: 3, cgroup: 102n, flags })
    const totals = await rig.cycle()
    assert.equal(sum(totals, a, 'successful_connects'), 2)
    assert.equal(sum(totals, b, 'successful_connects'), 1)
    assert.equal(Object.keys(only(totals, a, 'successful_connects')).length, 1, 'one series of both cgroups')
  })

  it('is told apart by address, by port and by direction, and by nothing else of a connection', async () => {
    const rig = createRig()
    let id = 0
    const connect = (more: Partial<Conn>) => rig.apply({ kind: sample, id: ++id, flags, ...more })
    connect({ localPort: 40_001 })
    connect({ localPort: 40_002, local: [10, 0, 0, 77] })
    connect({ remotePort: 80 })
    connect({ remote: [10, 0, 0, 3] })
    connect({ direction: inbound, localPort: 443, remotePort: 50_001 })
    connect({ direction: inbound, localPort: 443, remotePort: 50_002, remote: [10, 0, 0, 9] })
    const totals = await rig.cycle()
    assert.deepEqual(
      Object.entries(only(totals, 'successful_connects'))
        .map(([name, value]) => `${name.split(' ').slice(2).join(' ')} = ${value}`)
        .sort(),
      [
        'inbound 10.0.0.1:443 = 2',
        'outbound 10.0.0.2:443 = 2',
        'outbound 10.0.0.2:80 = 1',
        'outbound 10.0.0.3:443 = 1',
      ],
    )
  })

  it("tells each client's address where that is asked for, never its port", async () => {
    const rig = createRig({ clientAddress: true })
    for (const [id, last] of [
      [1, 7],
      [2, 7],
      [3, 8],
    ] as const)
      rig.apply({
        kind: sample,
        id,
        direction: inbound,
        localPort: 80,
        remotePort: 50_000 + id,
        remote: [10, 0, 0, last],
        flags,
      })
    const totals = await rig.cycle()
    assert.equal(sum(totals, 'successful_connects', '10.0.0.7'), 2)
    assert.equal(sum(totals, 'successful_connects', '10.0.0.8'), 1)
  })

  it('tells callers of different scopes apart', async () => {
    const rig = createRig()
    const from = (id: number, remote: number[]) =>
      rig.apply({ kind: sample, id, direction: inbound, localPort: 80, remotePort: 50_000, remote, flags })
    from(1, [10, 0, 0, 7])
    from(2, [10, 0, 0, 8])
    from(3, [203, 0, 113, 5])
    const [resource] = (await rig.store.collect(rig.nowMs + 1)).filter((each) => each.resource.attributes['host.name'])
    const points = resource!.scopeMetrics[0]!.metrics.find(({ descriptor }) =>
      descriptor.name.endsWith('successful_connects'),
    )!.dataPoints
    const bySource = points.map(({ attributes, value }) => [attributes['source.scope'], value]).sort()
    assert.deepEqual(bySource, [
      ['external', 1],
      ['private', 2],
    ])
  })
})

describe('a container that becomes known late', () => {
  it('takes over its live connections: what they did before stays, what they do is its own', async () => {
    const rig = createRig()
    rig.apply({ kind: sample, id: 1, cgroup: 200n, flags }, { kind: sample, id: 2, cgroup: 200n, flags })
    rig.apply({ kind: sample, id: 1, cgroup: 200n, bytesSent: 100 })
    const before = await rig.cycle()
    assert.equal(sum(before, 'active_connections'), 2)
    assert.equal(sum(before, 'bytes_sent'), 100)

    const container = rig.container(200)
    rig.apply({ kind: sample, id: 1, cgroup: 200n, bytesSent: 130 })
    const during = await rig.cycle()
    assert.equal(sum(during, container, 'active_connections'), 2)
    assert.equal(sum(during, 'active_connections'), 2, 'and none elsewhere')
    assert.equal(sum(during, container, 'bytes_sent'), 30)
    assert.equal(sum(during, 'bytes_sent'), 130)
    assert.equal(sum(during, 'successful_connects'), 2)

    rig.apply({ kind: end, id: 1, cgroup: 200n, bytesSent: 150 }, { kind: end, id: 2, cgroup: 200n })
    const after = await rig.cycle()
    assert.equal(sum(after, container, 'bytes_sent'), 50)
    assert.equal(sum(after, 'active_connections'), 0)
    assert.equal(rig.connections.stats().tracked, 0)
  })

  it('leaves those of other cgroups where they are', async () => {
    const rig = createRig()
    rig.apply({ kind: sample, id: 1, cgroup: 200n, flags }, { kind: sample, id: 2, cgroup: 201n, flags })
    const container = rig.container(201)
    const totals = await rig.cycle()
    assert.equal(sum(totals, container, 'active_connections'), 1)
    assert.equal(sum(totals, 'active_connections'), 2)
  })

  it('takes over a link that has no connection at present', async () => {
    const rig = createRig()
    rig.apply({ kind: sample, id: 1, cgroup: 200n, flags }, { kind: end, id: 1, cgroup: 200n })
    const container = rig.container(200)
    rig.apply({ kind: sample, id: 2, cgroup: 200n, flags })
    const totals = await rig.cycle()
    assert.equal(sum(totals, container, 'successful_connects'), 1)
    assert.equal(sum(totals, 'successful_connects'), 2)
  })
})

describe('a container that ends', () => {
  it('is shown with what its last records told, and then not any more', async () => {
    const rig = createRig()
    const container = rig.container(300)
    rig.apply({ kind: sample, id: 1, cgroup: 300n, flags })
    await rig.cycle()
    rig.containers.cgroupRemoved(300n)
    rig.links.cgroupRemoved(300n, rig.nowMs)
    rig.apply({ kind: end, id: 1, cgroup: 300n, bytesSent: 77 })
    assert.equal(sum(await rig.cycle(), container, 'bytes_sent'), 77)
    let totals = await rig.cycle()
    // container_linger: 5 minutes of cycles of 10 s.
    for (let i = 0; i < 40; i++) totals = await rig.cycle()
    assert.deepEqual(only(totals, container), {})
  })

  it('gives way to the next with the same path: a count of its own, from zero', async () => {
    const rig = createRig()
    const container = rig.container(300)
    rig.apply({ kind: sample, id: 1, cgroup: 300n, flags }, { kind: end, id: 1, cgroup: 300n, bytesSent: 10 })
    await rig.cycle()
    rig.containers.cgroupRemoved(300n)
    rig.links.cgroupRemoved(300n, rig.nowMs)
    rig.containers.cgroupCreated(301n, `/docker/${dockerId(300)}`)
    rig.apply({ kind: sample, id: 2, cgroup: 301n, flags }, { kind: end, id: 2, cgroup: 301n, bytesSent: 3 })
    await rig.cycle()
    const totals = await rig.cycle()
    assert.equal(sum(totals, container, 'bytes_sent'), 3)
    assert.equal(sum(totals, container, 'successful_connects'), 1)
  })
})

describe('the sweep', () => {
  it('forgets what was idle for a minute, and counts on as before when it comes back', async () => {
    const rig = createRig()
    rig.apply({ kind: sample, id: 1, flags }, { kind: end, id: 1, bytesSent: 10 })
    rig.apply({ kind: sample, id: 2, remotePort: 80, flags })
    await rig.cycle()
    assert.equal(rig.links.size, 2)
    rig.links.sweep(Date.now() + 2 * MINUTE)
    assert.equal(rig.links.size, 1, 'not one that is in use')
    rig.apply({ kind: sample, id: 3, flags }, { kind: end, id: 3, bytesSent: 5 })
    const totals = await rig.cycle()
    assert.equal(sum(totals, '10.0.0.2:443', 'bytes_sent'), 15)
    assert.equal(sum(totals, '10.0.0.2:443', 'successful_connects'), 2)
  })

  it('forgets the container of a cgroup that is gone, after late records had their time', async () => {
    const rig = createRig()
    const container = rig.container(300)
    rig.apply({ kind: sample, id: 1, cgroup: 300n, flags }, { kind: end, id: 1, cgroup: 300n })
    rig.containers.cgroupRemoved(300n)
    rig.links.cgroupRemoved(300n, rig.nowMs)
    rig.links.sweep(rig.nowMs + MINUTE / 2)
    rig.apply({ kind: sample, id: 2, cgroup: 300n, flags }, { kind: end, id: 2, cgroup: 300n })
    assert.equal(sum(await rig.cycle(), container, 'successful_connects'), 2)
    rig.links.sweep(rig.nowMs + 5 * MINUTE)
    assert.equal(rig.links.size, 0)
  })
})

describe('a destination that is translated for nobody', () => {
  const ASK_FIRST = -1
  const record = createRecords(bytesOf([{ kind: end, id: 1 }]))
  const address = Uint8Array.from([10, 0, 0, 9, ...new Uint8Array(12)])

  it('is asked for again after its time by one connection, while others count as before', () => {
    const { links } = createRig()
    links.translate(true)
    assert.equal(links.retain(record, 0), ASK_FIRST)
    assert.equal(links.retain(record, 0), ASK_FIRST, 'nothing is known yet')
    const entry = links.retain(record, 0, 'same')
    assert.equal(links.retain(record, MINUTE - 1), entry)
    assert.equal(links.retain(record, MINUTE, undefined, 20), ASK_FIRST, 'of many each is to be told')
    assert.equal(links.retain(record, MINUTE), ASK_FIRST)
    assert.equal(links.retain(record, MINUTE), entry)
    assert.equal(links.retain(record, MINUTE + 999, undefined, 20), entry)
    assert.equal(links.retain(record, MINUTE + 1000), ASK_FIRST, 'without an answer another asks')
    assert.equal(links.retain(record, MINUTE + 1001), entry)
    assert.equal(links.retain(record, MINUTE + 1002, 'untracked'), entry)
    assert.equal(links.retain(record, MINUTE + 6001), entry)
  })

  it('is asked for by each connection when renewals get no answer', () => {
    const { links } = createRig()
    links.translate(true)
    const entry = links.retain(record, 0, 'same')
    let nowMs = MINUTE
    for (; nowMs < MINUTE + 10_000; nowMs += 1000) {
      assert.equal(links.retain(record, nowMs), ASK_FIRST)
      assert.equal(links.retain(record, nowMs), entry)
      links.retain(record, nowMs, 'unknown')
    }
    assert.equal(links.retain(record, nowMs), ASK_FIRST)
    assert.equal(links.retain(record, nowMs), ASK_FIRST)
  })

  it('is asked for by each connection once it is translated, and when nobody has asked for long', () => {
    const { links } = createRig()
    links.translate(true)
    const entry = links.retain(record, 0, 'same')
    assert.equal(links.retain(record, MINUTE + 1000), ASK_FIRST)
    assert.equal(links.retain(record, MINUTE + 1000), ASK_FIRST, 'too long ago')
    assert.equal(links.retain(record, MINUTE + 1000, 'same'), entry)
    assert.equal(links.retain(record, 2 * MINUTE + 1000), ASK_FIRST)
    assert.notEqual(links.retain(record, 2 * MINUTE + 1001, { address, port: 80 }), entry)
    assert.equal(links.retain(record, 2 * MINUTE + 1001), ASK_FIRST)
    assert.equal(links.retain(record, 2 * MINUTE + 1001), ASK_FIRST)
  })
})
