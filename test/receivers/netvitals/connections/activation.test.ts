import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createActivation } from '../../../../src/receivers/netvitals/connections/activation.ts'
import { createRecords, eachEnd, eachRecord } from '../../../../src/receivers/netvitals/kernel/decode.ts'
import { Direction, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { bytesOf, type Conn, createRig, joinedOf, only, sum } from './rig.ts'

const { listen, sample, end, synack, holder } = Kind
const [SOCKET, INIT, SHOP, BAKERY, ORDINARY] = [50n, 51n, 1n, 2n, 60n]
const LISTENER = 900
const PATIENCE_MS = 30_000
const VERIFY_MS = 60_000
const HELD_MAX = 16_384

/** Records through socket activation into the stages after it, and an answer to who holds what. */
function make(t: TestContext, { listeners = false } = {}) {
  const rig = createRig({ listeners })
  const { containers, connections } = rig
  containers.cgroupCreated(SOCKET, '/system.slice/shop.socket')
  containers.cgroupCreated(INIT, '/init.scope')
  containers.cgroupCreated(ORDINARY, '/system.slice')
  for (const container of [SHOP, BAKERY]) rig.container(Number(container))
  let nowMs = 0
  const reports: string[] = []
  const activation = createActivation({
    containers,
    connections,
    report: (status, detail) => void reports.push(detail ? `${status} ${detail}` : status),
    now: () => nowMs,
  })
  const holders = new Map<number, bigint[]>()
  const asked: number[][] = []
  let failure: Error | undefined

  function apply(...records: readonly Conn[]) {
    const bytes = bytesOf(records)
    connections.beginBatch(rig.nowMs)
    eachRecord(createRecords(bytes), bytes.length, activation.take)
  }

  activation.use(async (ids) => {
    asked.push([...ids])
    await Promise.resolve()
    if (failure) throw failure
    for (const id of ids)
      apply(...(holders.get(id) ?? []).map((cgroup) => ({ ...listening(id), kind: holder, cgroup })))
  })
  t.after(activation.close)
  const listening = (id = LISTENER, more: Partial<Conn> = {}): Conn => ({
    ...{ kind: listen, id, cgroup: SOCKET, direction: Direction.listener, flags: 0, state: 10, remotePort: 0 },
    ...{ local: [0, 0, 0, 0], remote: [0, 0, 0, 0], localPort: 80, ...more },
  })
  const accepted = (kind: number, id: number, more: Partial<Conn> = {}): Conn => ({
    ...{ kind, id, cgroup: SOCKET, direction: Direction.inbound, localPort: 80, bytesReceived: 10, ...more },
  })

  /** As the receiver does it. */
  function applyEnds(...ends: readonly Conn[]): boolean {
    const joined = joinedOf(ends)
    connections.beginBatch(rig.nowMs)
    const isTogether = activation.takeEnds(joined)
    if (!isTogether) eachEnd(joined, activation.take)
    return isTogether
  }

  return {
    ...{ rig, apply, applyEnds, activation, asked, reports, listening, accepted },
    held: (id: number, ...by: bigint[]) => void holders.set(id, by),
    failsWith(error: Error | undefined) {
      failure = error
    },
    wait(ms: number) {
      nowMs += ms
    },
    /** A cycle in which the walk shows these. */
    async cycle(...shown: readonly Conn[]) {
      apply(...shown)
      await activation.settle()
      return rig.cycle()
    },
  }
}

const connects = (totals: Map<string, number>) => only(totals, 'successful_connects', 'inbound')

describe('connections through a listener that a service manager made', () => {
  it('are the holder’s, also those that ended before anybody asked', async (t) => {
    const { apply, cycle, held, listening, accepted } = make(t)
    held(LISTENER, INIT, SHOP)
    apply(listening(), accepted(end, 1), accepted(end, 2))
    const totals = await cycle(accepted(sample, 3))
    assert.deepEqual(connects(totals), { '1 successful_connects inbound 10.0.0.1:80': 3 })
    assert.equal(sum(totals, '1', 'bytes_received'), 30)
    assert.equal(sum(totals, '1', 'active_connections', 'inbound'), 1)
    assert.deepEqual(only(await cycle(accepted(end, 3, { bytesReceived: 25 })), '1', 'bytes_received', 'inbound'), {
      '1 bytes_received inbound 10.0.0.1:80': 45,
    })
  })

  it('are nobody else’s while nobody has accepted them, and all of what they did is the one’s who does', async (t) => {
    const { apply, cycle, held, listening, accepted, wait } = make(t)
    apply(listening())
    for (let walks = 0; walks < 3; walks++) {
      assert.deepEqual(connects(await cycle(listening(), accepted(sample, 1))), {})
      wait(PATIENCE_MS / 4)
    }
    held(LISTENER, SHOP)
    const totals = await cycle(listening(), accepted(sample, 1, { bytesReceived: 70 }))
    assert.deepEqual(connects(totals), { '1 successful_connects inbound 10.0.0.1:80': 1 })
    assert.equal(sum(totals, 'bytes_received'), 70)
  })

  it('are their maker’s when nobody accepts them for long, and move to who does then, nothing told twice', async (t) => {
    const { apply, cycle, held, listening, accepted, wait } = make(t)
    apply(listening())
    await cycle(listening(), accepted(sample, 1))
    wait(PATIENCE_MS + 1)
    let totals = await cycle(listening(), accepted(sample, 1))
    assert.deepEqual(connects(totals), { 'shop successful_connects inbound 10.0.0.1:80': 1 })
    assert.equal(sum(totals, 'shop', 'active_connections', 'inbound'), 1)
    held(LISTENER, SHOP)
    wait(VERIFY_MS + 1)
    await cycle(listening(), accepted(sample, 1))
    totals = await cycle(listening(), accepted(sample, 1, { bytesReceived: 15 }))
    assert.equal(sum(totals, 'shop', 'successful_connects'), 1)
    assert.equal(sum(totals, 'successful_connects'), 1)
    assert.equal(sum(totals, 'shop', 'bytes_received'), 10)
    assert.equal(sum(totals, '1', 'bytes_received'), 5)
    assert.equal(sum(totals, 'shop', 'active_connections', 'inbound'), 0)
    assert.equal(sum(totals, '1', 'active_connections', 'inbound'), 1)
    assert.equal(sum(await cycle(accepted(end, 1, { bytesReceived: 15 })), 'active_connections'), 0)
  })

  it('are counted together, where many ended, as soon as it is known whose they are', async (t) => {
    const { apply, applyEnds, cycle, held, listening, accepted } = make(t)
    held(LISTENER, SHOP)
    apply(listening())
    const ends = (first: number) => [0, 1, 2].map((n) => accepted(end, first + n))
    // Nobody was asked yet: each waits by itself.
    assert.equal(applyEnds(...ends(1)), false)
    assert.deepEqual(connects(await cycle(listening())), { '1 successful_connects inbound 10.0.0.1:80': 3 })
    assert.equal(applyEnds(...ends(11)), true)
    const totals = await cycle(listening())
    assert.deepEqual(connects(totals), { '1 successful_connects inbound 10.0.0.1:80': 6 })
    assert.equal(sum(totals, '1', 'bytes_received'), 60)
  })

  it('are counted together, where many ended, for a maker who has kept the listener', async (t) => {
    const { apply, applyEnds, cycle, held, listening, accepted } = make(t)
    held(LISTENER, ORDINARY)
    apply(listening(LISTENER, { cgroup: INIT }))
    await cycle(listening(LISTENER, { cgroup: INIT }))
    assert.equal(applyEnds(accepted(end, 1, { cgroup: INIT }), accepted(end, 2, { cgroup: INIT })), true)
    const totals = await cycle(listening(LISTENER, { cgroup: INIT }))
    assert.deepEqual(Object.values(connects(totals)), [2])
  })

  it('are each asked for where many ended and nobody holds the listener', async (t) => {
    const { apply, applyEnds, cycle, held, listening, accepted } = make(t)
    held(LISTENER, SOCKET, INIT)
    apply(listening())
    await cycle(listening())
    assert.equal(applyEnds(accepted(end, 1), accepted(end, 2)), false)
    assert.deepEqual(connects(await cycle(listening())), { 'shop successful_connects inbound 10.0.0.1:80': 2 })
  })

  it('are told at the end, when they can wait no more', async (t) => {
    const { apply, activation, rig, listening, accepted } = make(t)
    apply(listening(), accepted(sample, 1), accepted(end, 2))
    await activation.settle(true)
    assert.deepEqual(connects(await rig.cycle()), { 'shop successful_connects inbound 10.0.0.1:80': 2 })
  })

  it('are told when it closes', async (t) => {
    const { apply, activation, rig, listening, accepted } = make(t)
    apply(listening(), accepted(sample, 1), accepted(end, 2))
    activation.close()
    assert.deepEqual(connects(await rig.cycle()), { 'shop successful_connects inbound 10.0.0.1:80': 2 })
  })

  it('are each the holder’s own where several hold the listener, or nobody', async (t) => {
    for (const listenersHolders of [[SHOP, BAKERY], [INIT]]) {
      const { apply, cycle, held, listening, accepted } = make(t)
      held(LISTENER, ...listenersHolders)
      held(1, INIT, SHOP)
      held(2, BAKERY, BAKERY)
      held(3, SHOP, BAKERY)
      apply(listening())
      const totals = await cycle(listening(), ...[1, 2, 3].map((id) => accepted(sample, id)), accepted(end, 4))
      assert.equal(sum(totals, '1', 'successful_connects'), 1)
      assert.equal(sum(totals, '2', 'successful_connects'), 1)
      assert.equal(sum(totals, 'shop', 'successful_connects'), 1, 'that which ended; the third may still find one')
      const later = await cycle(...[1, 2].map((id) => accepted(end, id, { bytesReceived: 30 })), accepted(end, 3))
      assert.equal(sum(later, '1', 'bytes_received'), 30)
      assert.equal(sum(later, '2', 'bytes_received'), 30)
      assert.equal(sum(later, 'shop', 'successful_connects'), 2)
      assert.equal(sum(later, 'active_connections'), 0)
    }
  })

  it('are told by the most exact of several listeners at one port', async (t) => {
    const { apply, cycle, held, listening, accepted } = make(t)
    held(901, SHOP)
    held(902, BAKERY)
    apply(listening(901), listening(902, { local: [127, 0, 0, 1] }))
    apply(listening(903, { netns: 7 }), listening(904, { localPort: 81 }), listening(905, { cgroup: INIT }))
    const totals = await cycle(accepted(end, 1), accepted(end, 2, { local: [127, 0, 0, 1] }))
    assert.equal(sum(totals, '1', 'successful_connects', '10.0.0.1:80'), 1)
    assert.equal(sum(totals, '2', 'successful_connects', '127.0.0.1:80'), 1)
    assert.equal(sum(totals, 'successful_connects'), 2)
  })

  it('are the next service’s when the one before has ended, but those that end while there is none', async (t) => {
    const { apply, cycle, held, listening, accepted, activation, rig } = make(t)
    held(LISTENER, SHOP)
    apply(listening())
    await cycle(listening(), accepted(end, 1))
    rig.containers.cgroupRemoved(SHOP)
    activation.cgroupRemoved(SHOP)
    held(LISTENER, INIT)
    let totals = await cycle(listening(), accepted(end, 2))
    assert.equal(sum(totals, '1', 'successful_connects'), 2)
    held(LISTENER, INIT, BAKERY)
    totals = await cycle(listening(), accepted(end, 3))
    assert.equal(sum(totals, '2', 'successful_connects'), 1)
    assert.equal(sum(totals, 'shop'), 0)
  })

  it('are still known after their listener has closed', async (t) => {
    const { apply, cycle, held, listening, accepted } = make(t)
    held(LISTENER, SHOP)
    apply(listening())
    await cycle(listening())
    apply({ ...listening(), kind: end })
    assert.equal(sum(await cycle(accepted(end, 1)), '1', 'successful_connects'), 1)
  })

  it('count SYN-ACKs sent again with the rest', async (t) => {
    const { apply, cycle, held, listening, accepted } = make(t)
    const again = accepted(synack, 7, { flags: 0, state: 0, retransHandshake: 3, bytesReceived: 0 })
    apply(listening(), again)
    assert.equal(sum(await cycle(listening()), 'shop', 'retransmits', 'handshake'), 3)
    held(LISTENER, SHOP)
    const more = { ...again, id: 8 }
    assert.equal(sum(await cycle(listening(), more), '1', 'retransmits', 'handshake'), 3)
  })
})

describe('a listener that a service manager made', () => {
  const listens = (totals: Map<string, number>) => Object.keys(only(totals, 'listen'))

  it('is told of who has it, and of its maker while nobody has', async (t) => {
    const { apply, cycle, held, listening, accepted, activation } = make(t, { listeners: true })
    apply(listening())
    assert.deepEqual(listens(await cycle(listening())), ['shop listen 0.0.0.0:80'])
    held(LISTENER, SHOP)
    assert.deepEqual(listens(await cycle(listening(), accepted(sample, 1))), ['1 listen 0.0.0.0:80'])
    activation.cgroupRemoved(SHOP)
    held(LISTENER)
    assert.deepEqual(listens(await cycle(listening())), ['shop listen 0.0.0.0:80'])
    apply({ ...listening(), kind: end })
    assert.deepEqual(listens(await cycle()), [])
  })
})

describe('everything else', () => {
  it('passes at once and asks nobody', async (t) => {
    const { apply, cycle, asked, rig, accepted, listening } = make(t)
    apply(listening(901, { cgroup: SHOP }), accepted(end, 1, { cgroup: SHOP }))
    apply(accepted(end, 2, { cgroup: ORDINARY }), { kind: end, id: 3, cgroup: SOCKET })
    assert.equal(rig.connections.stats().unknownEnds, 0)
    const totals = await cycle()
    assert.equal(sum(totals, '1', 'successful_connects', 'inbound'), 1)
    assert.equal(sum(totals, 'host', 'successful_connects', 'inbound'), 1)
    assert.equal(sum(totals, 'shop', 'successful_connects', 'outbound'), 1)
    assert.deepEqual(asked, [])
  })

  it('asks no more about a listener that nobody uses', async (t) => {
    const { cycle, asked, listening, wait } = make(t)
    for (let cycles = 0; cycles < 5; cycles++) {
      await cycle(listening())
      wait(1_000)
    }
    assert.deepEqual(asked, [[LISTENER]])
  })
})

describe('when it cannot be found out', () => {
  it('is told once a look fails, counts for the maker, and comes right when it works again', async (t) => {
    const { apply, cycle, held, failsWith, reports, listening, accepted } = make(t)
    held(LISTENER, SHOP)
    failsWith(new Error('no descriptors left'))
    apply(listening(), accepted(end, 1))
    assert.deepEqual(connects(await cycle(listening(), accepted(sample, 2))), {
      'shop successful_connects inbound 10.0.0.1:80': 2,
    })
    assert.deepEqual(reports, [
      'down connections that services were handed are counted for who made them: no descriptors left',
    ])
    failsWith(undefined)
    const totals = await cycle(listening(), accepted(sample, 2, { bytesReceived: 12 }), accepted(end, 3))
    assert.equal(reports.at(-1), 'ok')
    assert.equal(sum(totals, '1', 'successful_connects'), 1)
    assert.equal(sum(totals, 'successful_connects'), 3)
  })

  it('holds a bounded number of records, and loses no count of those beyond', async (t) => {
    const { apply, cycle, held, listening, accepted } = make(t)
    held(LISTENER, SHOP)
    apply(listening())
    const ends = Array.from({ length: HELD_MAX + 5 }, (_, i) => accepted(end, 1 + i))
    apply(...ends, accepted(sample, 100_000))
    let totals = await cycle()
    assert.equal(sum(totals, '1', 'successful_connects'), HELD_MAX)
    assert.equal(sum(totals, 'shop', 'successful_connects'), 5)
    totals = await cycle(accepted(sample, 100_000))
    assert.equal(sum(totals, 'successful_connects'), HELD_MAX + 6)
  })
})

describe('a connection that another table had before', () => {
  it('goes on when its owner is found', async (t) => {
    const before = make(t)
    before.held(LISTENER, SHOP)
    before.apply(before.listening())
    assert.equal(sum(await before.cycle(before.accepted(sample, 1)), '1', 'successful_connects'), 1)
    const { rig, cycle, held, listening, accepted } = make(t)
    held(LISTENER, SHOP)
    rig.connections.inherit(before.rig.connections)
    const existing = Flag.established | Flag.existing
    const totals = await cycle(accepted(sample, 1, { bytesReceived: 17 }), listening(LISTENER, { flags: existing }))
    assert.equal(sum(totals, 'successful_connects'), 0)
    assert.equal(sum(totals, '1', 'bytes_received'), 7)
    assert.equal(sum(totals, '1', 'active_connections', 'inbound'), 1)
  })
})
