import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { describe, it } from 'node:test'
import { Direction, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { CLOSE_WAIT, type Conn, createRig, only, SYN_SENT, sum } from './rig.ts'

const { end, fail, retrans, sample, listen, synack } = Kind
const { inbound, listener } = Direction

describe('a connection', () => {
  it('counts as a success and as active from the first walk that shows it to its end, with its time', async () => {
    const rig = createRig()
    rig.apply({ kind: sample, id: 1, flags: Flag.established, connectNs: 2_500_000 })
    const during = await rig.cycle()
    assert.equal(sum(during, 'successful_connects', 'outbound'), 1)
    assert.equal(sum(during, 'active_connections', 'outbound'), 1)
    assert.equal(sum(during, 'connection_time'), 0.0025)
    rig.apply({ kind: end, id: 1, bytesSent: 100, bytesReceived: 2000, segmentsSent: 3, retransData: 1 })
    const after = await rig.cycle()
    assert.equal(sum(after, 'successful_connects'), 1)
    assert.equal(sum(after, 'active_connections'), 0)
    assert.equal(sum(after, 'bytes_sent'), 100)
    assert.equal(sum(after, 'bytes_received'), 2000)
    assert.equal(sum(after, 'segments_sent'), 3)
    assert.equal(sum(after, 'retransmits', 'data'), 1)
    assert.equal(sum(after, 'broken_connections'), 0)
    assert.deepEqual(rig.connections.stats(), { tracked: 0, reconciled: 0, unknownEnds: 0 })
  })

  it('counts the rise of its totals, whichever record brings it', async () => {
    const rig = createRig()
    rig.apply(
      { kind: sample, id: 1, flags: Flag.established },
      { kind: retrans, id: 1, bytesSent: 10, segmentsSent: 4, retransData: 2 },
      { kind: sample, id: 1, bytesSent: 30, segmentsSent: 9, retransData: 2 },
      { kind: sample, id: 1, bytesSent: 30, segmentsSent: 9, retransData: 2 },
      { kind: retrans, id: 1, bytesSent: 20, segmentsSent: 8, retransData: 1 },
      { kind: end, id: 1, bytesSent: 50, segmentsSent: 11, retransData: 5 },
    )
    const totals = await rig.cycle()
    assert.equal(sum(totals, 'bytes_sent'), 50)
    assert.equal(sum(totals, 'segments_sent'), 11)
    assert.equal(sum(totals, 'retransmits'), 5)
  })

  it('counts bytes past 2^32 and segments past 2^31', async () => {
    const rig = createRig()
    rig.apply(
      { kind: sample, id: 1, flags: Flag.established },
      { kind: sample, id: 1, bytesSent: 2 ** 40 + 1, segmentsSent: 2 ** 31 + 5 },
      { kind: end, id: 1, bytesSent: 2 ** 52 + 1, segmentsSent: 2 ** 32 - 1 },
    )
    const totals = await rig.cycle()
    assert.equal(sum(totals, 'bytes_sent'), 2 ** 52 + 1)
    assert.equal(sum(totals, 'segments_sent'), 2 ** 32 - 1)
  })

  it('is active in ESTABLISHED and CLOSE_WAIT alone', async () => {
    const rig = createRig()
    rig.apply({ kind: sample, id: 1, flags: Flag.established })
    for (const [state, active] of [
      [CLOSE_WAIT, 1],
      [4, 0], // FIN_WAIT1
      [5, 0], // FIN_WAIT2
      [9, 0], // LAST_ACK
    ] as const) {
      rig.apply({ kind: sample, id: 1, state })
      assert.equal(sum(await rig.cycle(), 'active_connections'), active, `state ${state}`)
    }
  })

  it('counts once it is seen, whichever record shows it, and once alone', async () => {
    for (const first of [sample, retrans, end]) {
      const rig = createRig()
      const flags = Flag.established
      rig.apply({ kind: first, id: 1, flags, bytesSent: 5, connectNs: 1e6 })
      if (first !== end) rig.apply({ kind: sample, id: 1, flags }, { kind: end, id: 1, flags, bytesSent: 5 })
      const totals = await rig.cycle()
      assert.equal(sum(totals, 'successful_connects'), 1)
      assert.equal(sum(totals, 'connection_time'), 0.001)
      assert.equal(sum(totals, 'bytes_sent'), 5)
      assert.equal(sum(totals, 'active_connections'), 0)
    }
  })

  it('from before the start whose end is told twice is counted once', async () => {
    const rig = createRig()
    const flags = Flag.established | Flag.existing
    rig.apply({ kind: sample, id: 1, flags })
    rig.apply({ kind: end, id: 1, flags, bytesSent: 9 }, { kind: end, id: 1, flags, bytesSent: 9 })
    const totals = await rig.cycle()
    assert.equal(sum(totals, 'bytes_sent'), 9)
    assert.deepEqual(rig.connections.stats(), { tracked: 0, reconciled: 0, unknownEnds: 1 })
  })

  it('that was there before is active and never a new connect', async () => {
    const rig = createRig()
    const flags = Flag.established | Flag.existing
    rig.apply({ kind: sample, id: 1, flags }, { kind: sample, id: 2, flags, direction: inbound })
    const before = await rig.cycle()
    assert.equal(sum(before, 'active_connections'), 2)
    rig.apply({ kind: sample, id: 1, flags, bytesSent: 10 })
    rig.apply(
      { kind: end, id: 1, flags, bytesSent: 15 },
      { kind: end, id: 2, flags, direction: inbound, bytesReceived: 3 },
    )
    const totals = await rig.cycle()
    assert.equal(sum(totals, 'successful_connects'), 0)
    assert.equal(sum(totals, 'connection_time'), 0)
    assert.equal(sum(totals, 'active_connections'), 0)
    assert.equal(sum(totals, 'bytes_sent', 'outbound'), 15)
    assert.equal(sum(totals, 'bytes_received', 'inbound'), 3)
  })

  it('gives its round trip to the mean of the cycle that shows it, live or ended', async () => {
    const rig = createRig()
    rig.apply({ kind: sample, id: 1, flags: Flag.established }, { kind: sample, id: 2, flags: Flag.established })
    rig.apply({ kind: sample, id: 1, srttUs: 1000 }, { kind: end, id: 2, srttUs: 3000 })
    assert.equal(sum(await rig.cycle(), 'rtt'), 0.002)
    rig.apply({ kind: sample, id: 1, srttUs: 500 })
    assert.equal(sum(await rig.cycle(), 'rtt'), 0.0005)
    rig.apply({ kind: sample, id: 1, srttUs: 0 })
    assert.deepEqual(only(await rig.cycle(), 'rtt'), {})
  })
})

describe('an attempt that fails', () => {
  const { ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNABORTED, EACCES } = constants.errno
  const kinds: [string, Partial<Conn>, string][] = [
    ['refused', { error: ECONNREFUSED }, 'refused'],
    ['without an answer', { error: ETIMEDOUT }, 'timed_out'],
    ['with no way to the host', { error: EHOSTUNREACH }, 'host_unreachable'],
    ['with no way to the network', { error: ENETUNREACH }, 'net_unreachable'],
    ['given up by the application', { error: 0 }, 'aborted'],
    ['aborted', { error: ECONNABORTED }, 'aborted'],
    ['for want of a local port', { error: 0, flags: Flag.noSyn }, 'address_not_available'],
    ['otherwise', { error: EACCES }, '_OTHER'],
  ]
  for (const [name, more, type] of kinds)
    it(`${name} counts as ${type}`, async () => {
      const rig = createRig()
      rig.apply({ kind: fail, id: 1, flags: 0, retransHandshake: 6, ...more })
      const totals = await rig.cycle()
      assert.deepEqual(Object.values(only(totals, 'failed_connects', type)), [1])
      assert.equal(sum(totals, 'failed_connects'), 1)
      assert.equal(sum(totals, 'retransmits', 'handshake'), 6)
      assert.equal(sum(totals, 'successful_connects') + sum(totals, 'active_connections'), 0)
      assert.equal(rig.connections.stats().tracked, 0)
    })

  it('shows its SYN retransmits while it is still being tried', async () => {
    const rig = createRig()
    rig.apply({ kind: retrans, id: 1, flags: 0, state: SYN_SENT, retransHandshake: 1 })
    rig.apply({ kind: sample, id: 1, flags: 0, state: SYN_SENT, retransHandshake: 3 })
    const totals = await rig.cycle()
    assert.equal(sum(totals, 'retransmits', 'handshake'), 3)
    assert.equal(sum(totals, 'active_connections'), 0)
    rig.apply({ kind: sample, id: 1, flags: Flag.established, retransHandshake: 4 })
    rig.apply({ kind: end, id: 1, retransHandshake: 4, retransData: 2 })
    const later = await rig.cycle()
    assert.equal(sum(later, 'retransmits', 'handshake'), 4)
    assert.equal(sum(later, 'retransmits', 'data'), 2)
  })
})

describe('a connection that breaks', () => {
  const { ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH } = constants.errno
  const kinds: [string, number, string][] = [
    ['given up on this side', 0, 'aborted'],
    ['reset', ECONNRESET, 'reset'],
    ["reset after the peer's FIN", EPIPE, 'reset'],
    ['timed out', ETIMEDOUT, 'timed_out'],
    ['otherwise', EHOSTUNREACH, '_OTHER'],
  ]
  for (const [direction, word] of [
    [Direction.outbound, 'outbound'],
    [inbound, 'inbound'],
  ] as const)
    for (const [name, error, type] of kinds)
      it(`${name} counts as ${type}, ${word}`, async () => {
        const rig = createRig()
        rig.apply({ kind: sample, id: 1, direction, flags: Flag.established })
        rig.apply({ kind: end, id: 1, direction, flags: Flag.established | Flag.broken, error })
        const totals = await rig.cycle()
        assert.deepEqual(Object.values(only(totals, 'broken_connections', word, type)), [1])
        assert.equal(sum(totals, 'broken_connections'), 1)
        assert.equal(sum(totals, 'active_connections'), 0)
      })
})

describe('after a loss', () => {
  it('connections that two walks do not show are ended, others stay', async () => {
    const rig = createRig()
    const flags = Flag.established
    for (let id = 1; id <= 10; id++) rig.apply({ kind: sample, id, flags })
    const walk = () => {
      for (let id = 1; id <= 5; id++) rig.apply({ kind: sample, id })
    }
    walk()
    assert.equal(sum(await rig.cycle(0), 'active_connections'), 10)
    walk()
    assert.equal(sum(await rig.cycle(5), 'active_connections'), 10, 'one walk is not enough')
    walk()
    assert.equal(sum(await rig.cycle(5), 'active_connections'), 5)
    walk()
    assert.equal(sum(await rig.cycle(5), 'active_connections'), 5)
    assert.equal(rig.connections.stats().reconciled, 5)
    assert.equal(rig.connections.stats().tracked, 5)
  })

  it('nothing is ended that a walk merely did not show, while no end was lost', async () => {
    const rig = createRig()
    rig.apply({ kind: sample, id: 1, flags: Flag.established })
    for (let i = 0; i < 5; i++) assert.equal(sum(await rig.cycle(0), 'active_connections'), 1)
    assert.equal(rig.connections.stats().reconciled, 0)
  })

  it('each further loss is reconciled too', async () => {
    const rig = createRig()
    let id = 0
    for (let lost = 1; lost <= 4; lost++) {
      rig.apply({ kind: sample, id: ++id, flags: Flag.established })
      for (let i = 0; i < 4; i++) await rig.cycle(lost)
      assert.equal(rig.connections.stats().reconciled, lost)
    }
    assert.equal(sum(await rig.cycle(4), 'active_connections'), 0)
    assert.equal(sum(await rig.cycle(4), 'successful_connects'), 4)
  })
})

describe('SYN-ACK retransmits', () => {
  const record = (id: number, retransHandshake: number, remote = [10, 9, 9, 9]): Conn => ({
    ...{
      kind: synack,
      id,
      retransHandshake,
      remote,
      direction: inbound,
      flags: 0,
      state: 0,
      localPort: 80,
      remotePort: 0,
    },
  })

  it('count by their rise, without a connection', async () => {
    const rig = createRig()
    rig.apply(record(1, 2), record(2, 1, [10, 9, 9, 8]))
    assert.equal(sum(await rig.cycle(), 'retransmits', 'handshake', 'inbound'), 3)
    rig.apply(record(1, 5), record(2, 1, [10, 9, 9, 8]))
    const totals = await rig.cycle()
    assert.equal(sum(totals, 'retransmits', 'handshake', 'inbound'), 6)
    assert.equal(sum(totals, 'active_connections') + sum(totals, 'successful_connects'), 0)
  })

  it('are forgotten when walks do not show them any more, and begin from zero again', async () => {
    const rig = createRig()
    rig.apply(record(1, 4))
    await rig.cycle()
    for (let i = 0; i < 4; i++) await rig.cycle()
    assert.equal(rig.connections.stats().tracked, 0)
    rig.apply(record(7, 1))
    assert.equal(sum(await rig.cycle(), 'retransmits', 'handshake'), 5)
  })

  it('count once when one walk misses them', async () => {
    const rig = createRig()
    rig.apply(record(1, 4))
    await rig.cycle()
    await rig.cycle()
    rig.apply(record(1, 5))
    assert.equal(sum(await rig.cycle(), 'retransmits', 'handshake'), 5)
  })
})

describe('listening sockets', () => {
  const socket = (kind: number, id: number): Conn => ({
    ...{ kind, id, direction: listener, flags: 0, state: 10, localPort: 80, remotePort: 0, remote: [] },
  })

  it('are shown while they listen, where that is asked for', async () => {
    const rig = createRig({ listeners: true })
    rig.apply(socket(listen, 1), socket(listen, 2))
    assert.deepEqual(Object.values(only(await rig.cycle(), 'listen')), [1])
    rig.apply(socket(end, 1))
    assert.deepEqual(Object.values(only(await rig.cycle(), 'listen')), [1], 'another still does')
    rig.apply(socket(end, 2))
    await rig.cycle()
    assert.deepEqual(only(await rig.cycle(), 'listen'), {})
    assert.equal(rig.connections.stats().tracked, 0)
    assert.equal(rig.links.size, 0)
  })

  it('are known from a walk too', async () => {
    const rig = createRig({ listeners: true })
    rig.apply(socket(sample, 1))
    assert.deepEqual(Object.values(only(await rig.cycle(), 'listen')), [1])
  })

  it('cost nothing where they are not asked for', async () => {
    const rig = createRig()
    rig.apply(socket(listen, 1), socket(sample, 1), socket(end, 1))
    assert.deepEqual(only(await rig.cycle(), 'listen'), {})
    assert.equal(rig.links.size, 0)
    assert.equal(rig.connections.stats().tracked, 0)
  })
})
