import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock, type TestContext } from 'node:test'
import { networkId } from '../../../../src/receivers/netvitals/containers/networks.ts'
import { Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { createProc, viewOf } from '../containers/proc.ts'
import { createRig, dockerId, only } from './rig.ts'

const NETWORK = 7
const LINGER = 60_000
/** The store's own default. */
const CONTAINER_LINGER = 300_000
const path = (container: number) => `/docker/${dockerId(container)}`

/** A host without cgroup2, where a network namespace's number is given out again once it ended. */
describe('connections of network namespaces', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }))
  afterEach(() => mock.timers.reset())

  async function make(t: TestContext) {
    const proc = createProc(t)
    let nowMs = 0
    const rig = createRig({ ofContainers: { ...viewOf(proc.root), now: () => nowMs, lingerMs: LINGER } })
    t.after(() => rig.containers.stop())
    await rig.containers.start()
    let id = 0
    const connect = (network: number, remote: number) =>
      rig.apply({
        ...{ kind: Kind.end, id: ++id, flags: Flag.established },
        ...{ cgroup: networkId(network), netns: network, remote: [10, 0, 0, remote] },
      })
    return {
      ...{ proc, rig, connect },
      begins(container: number, pid: number, network: number) {
        proc.add(pid, { network, cgroup: path(container) })
        return rig.containers.resync()
      },
      ends(pid: number) {
        proc.end(pid)
        return rig.containers.resync()
      },
      wait(ms: number) {
        nowMs += ms
        mock.timers.tick(ms)
      },
    }
  }

  for (const [when, waitMs] of [
    ['while late records of the one before would still be its', 1_000],
    ['after the one before was forgotten', 2 * LINGER],
  ] as const) {
    it(`are the next container's when the number is given out again ${when}`, async (t) => {
      const { rig, connect, begins, ends, wait } = await make(t)
      await begins(1, 100, NETWORK)
      connect(NETWORK, 21)
      connect(NETWORK, 22)
      await ends(100)
      wait(waitMs)
      await begins(2, 101, NETWORK)
      connect(NETWORK, 21)
      const totals = await rig.cycle()
      assert.deepEqual(only(totals, '2', 'successful_connects'), {
        '2 successful_connects outbound 10.0.0.21:443': 1,
      })
      assert.deepEqual(only(totals, '1', 'successful_connects'), {
        '1 successful_connects outbound 10.0.0.21:443': 1,
        '1 successful_connects outbound 10.0.0.22:443': 1,
      })
    })
  }

  it('make a resource of a container with connections alone, whoever had the number before', async (t) => {
    const { rig, connect, begins, ends } = await make(t)
    await begins(1, 100, NETWORK)
    connect(NETWORK, 21)
    const before = rig.store.stats().containers
    for (let pid = 101; pid < 111; pid++) {
      await ends(pid - 1)
      await begins(pid, pid, NETWORK)
    }
    assert.equal(rig.store.stats().containers, before)
  })

  it('are of one resource for a container with several, however often it is looked at', async (t) => {
    const { rig, connect, begins } = await make(t)
    for (const network of [NETWORK, 8, 9]) await begins(1, 93 + network, network)
    for (let walks = 0; walks < 5; walks++) {
      for (const network of [NETWORK, 8, 9]) connect(network, 21)
      await rig.containers.resync()
      const totals = only(await rig.cycle(), 'successful_connects')
      assert.deepEqual(totals, { '1 successful_connects outbound 10.0.0.21:443': 3 * (walks + 1) })
    }
    assert.equal(rig.store.stats().containers, 1)
  })

  it('leave no resource behind when a hundred came and went', async (t) => {
    const { proc, rig, connect } = await make(t)
    const before = rig.store.stats()
    const numbers = Array.from({ length: 100 }, (_, i) => i)
    for (let round = 0; round < 3; round++) {
      for (const n of numbers) proc.add(100 + n, { network: 1_000 + n, cgroup: path(1 + n + 100 * round) })
      await rig.containers.resync()
      for (const n of numbers) connect(1_000 + n, 21)
      await rig.cycle()
      for (const n of numbers) proc.end(100 + n)
      await rig.containers.resync()
    }
    assert.equal(rig.store.stats().containers, before.containers + 300)
    const deadlineMs = rig.nowMs + CONTAINER_LINGER
    while (rig.nowMs <= deadlineMs) await rig.cycle()
    const { containers, links } = rig.store.stats()
    assert.deepEqual({ containers, links }, { containers: before.containers, links: before.links })
  })
})
