import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Direction, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { createRig, sum } from './rig.ts'

const { end, sample, synack } = Kind
const totals = { bytesSent: 100, bytesReceived: 200, segmentsSent: 5, retransData: 2, retransHandshake: 1 }
const more = { bytesSent: 130, bytesReceived: 250, segmentsSent: 9, retransData: 3, retransHandshake: 1 }

describe('a connection that another table had before', () => {
  /** Two tables, the second with other keys: links are found anew. */
  function twoTables() {
    const [before, after] = [createRig(), createRig({ clientAddress: true })]
    return { before, after, hand: () => after.connections.inherit(before.connections) }
  }

  it('goes on: what was told is not told again, what rises is', async () => {
    const { before, after, hand } = twoTables()
    before.apply({ kind: sample, id: 1, ...totals })
    assert.equal(sum(await before.cycle(), 'successful_connects'), 1)
    hand()
    after.apply({ kind: sample, id: 1, ...more })
    const told = await after.cycle()
    assert.equal(sum(told, 'successful_connects'), 0)
    assert.equal(sum(told, 'bytes_sent'), 30)
    assert.equal(sum(told, 'bytes_received'), 50)
    assert.equal(sum(told, 'segments_sent'), 4)
    assert.equal(sum(told, 'retransmits', 'data'), 1)
    assert.equal(sum(told, 'retransmits', 'handshake'), 0)
    assert.equal(sum(told, 'active_connections'), 1)
  })

  it('counts its last rise when its end is the first record after it', async () => {
    const { before, after, hand } = twoTables()
    for (const [id, flags] of [
      [1, Flag.established],
      [2, Flag.established | Flag.existing],
    ] as const)
      before.apply({ kind: sample, id, flags, ...totals })
    await before.cycle()
    hand()
    after.apply({ kind: end, id: 1, ...more })
    after.apply({ kind: end, id: 2, flags: Flag.established | Flag.existing, ...more })
    const told = await after.cycle()
    assert.equal(sum(told, 'successful_connects'), 0)
    assert.equal(sum(told, 'bytes_sent'), 60)
    assert.equal(sum(told, 'active_connections'), 0)
    assert.deepEqual(after.connections.stats(), { tracked: 0, reconciled: 0, unknownEnds: 0 })
  })

  it('counts a handshake that had not been counted', async () => {
    const { before, after, hand } = twoTables()
    before.apply({ kind: sample, id: 1, flags: 0, state: 2 })
    assert.equal(sum(await before.cycle(), 'successful_connects'), 0)
    hand()
    after.apply({ kind: sample, id: 1 })
    assert.equal(sum(await after.cycle(), 'successful_connects'), 1)
  })

  it("keeps what a listener's unfinished handshakes cost", async () => {
    const { before, after, hand } = twoTables()
    const listening = { kind: synack, id: 9, direction: Direction.inbound, flags: 0, state: 3 }
    before.apply({ ...listening, retransHandshake: 4 })
    await before.cycle()
    hand()
    after.apply({ ...listening, retransHandshake: 6 })
    assert.equal(sum(await after.cycle(), 'retransmits', 'handshake'), 2)
  })

  it('is followed through a table that never saw it', async () => {
    const { before, after, hand } = twoTables()
    const last = createRig()
    before.apply({ kind: sample, id: 1, ...totals })
    hand()
    last.connections.inherit(after.connections)
    last.apply({ kind: sample, id: 1, ...more })
    assert.equal(sum(await last.cycle(), 'bytes_sent'), 30)
  })

  it('is new where nothing is inherited any more', async () => {
    const { before, after, hand } = twoTables()
    before.apply({ kind: sample, id: 1, ...totals })
    hand()
    after.connections.inherit(undefined)
    after.apply({ kind: sample, id: 1, ...more })
    const told = await after.cycle()
    assert.equal(sum(told, 'successful_connects'), 1)
    assert.equal(sum(told, 'bytes_sent'), 130)
  })
})
