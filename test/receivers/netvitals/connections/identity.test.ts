import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { createContainerFilter } from '../../../../src/receivers/netvitals/containers/filter.ts'
import type { Identity, IdentitySource } from '../../../../src/receivers/netvitals/containers/identity.ts'
import type { ContainersOptions } from '../../../../src/receivers/netvitals/containers/index.ts'
import { Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { createRig, dockerId } from './rig.ts'

const { end, sample } = Kind
const flags = Flag.established
const SECOND = 1_000
const STARTED = 1_800_000_000_000

/** Through those between a question, or an answer, and whoever waits for it. */
async function promises(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

/** Says what it is told to say, when it is told to. */
function createSource() {
  const asked = new Map<string, PromiseWithResolvers<Identity | undefined>>()
  let change: (ids: readonly string[]) => void = () => {}
  const source: IdentitySource = {
    name: 'docker',
    mayKnow: ({ id }) => id !== undefined,
    lookup({ id }) {
      const answer = Promise.withResolvers<Identity | undefined>()
      asked.set(id!, answer)
      return answer.promise
    },
    onChange(listener) {
      change = listener
    },
    close() {},
  }
  async function answer(container: number, identity: Identity | undefined) {
    await promises()
    asked.get(dockerId(container))!.resolve(identity)
    await promises()
  }
  async function changed(container: number, identity: Identity) {
    change([dockerId(container)])
    await answer(container, identity)
  }
  return { source, answer, changed }
}

const called = (name: string): Identity => ({ source: 'docker', name, image: 'nginx:1' })

describe('what a container is called', () => {
  let source: ReturnType<typeof createSource>
  let rig: ReturnType<typeof createRig>
  let told: string[]

  function make(options: ContainersOptions = {}) {
    source = createSource()
    rig = createRig({ ofContainers: { sources: [source.source], resolveTimeoutMs: 3 * SECOND, ...options } })
    told = []
    rig.links.observe({
      entered: ({ container, address }) => told.push(`${container} dials ${address.subarray(0, 4).join('.')}`),
      forgotten: () => {},
      containerEnded: (container) => told.push(`${container} ended`),
    })
  }

  beforeEach(() => {
    mock.timers.enable({ apis: ['Date', 'setTimeout', 'setInterval'], now: STARTED })
    make()
  })
  afterEach(async () => {
    mock.timers.reset()
    await rig.containers.stop()
  })

  /** `<service.name> <metric>`: value, of what is told now. */
  async function exported(last = false): Promise<Record<string, number>> {
    mock.timers.tick(1)
    const found: Record<string, number> = {}
    for (const { resource, scopeMetrics } of await rig.store.collect(Date.now(), last)) {
      const name = resource.attributes['service.name']
      if (name === 'netvitals') continue
      for (const { descriptor, dataPoints } of scopeMetrics[0]!.metrics) {
        const short = descriptor.name.replace('container.net.tcp.', '')
        if (!['successful_connects', 'active_connections', 'bytes_sent'].includes(short)) continue
        for (const { value } of dataPoints)
          found[`${name} ${short}`] = (found[`${name} ${short}`] ?? 0) + (value as number)
      }
    }
    return found
  }

  const connect = (cgroup: number, id: number, bytesSent = 0) =>
    rig.apply({ kind: sample, id, cgroup: BigInt(cgroup), flags, bytesSent })

  it('is waited for by its first export, and then that is all it was ever called', async () => {
    rig.container(1)
    connect(1, 11, 100)
    assert.deepEqual(await exported(), {})
    await source.answer(1, called('web'))
    connect(1, 11, 150)
    assert.deepEqual(await exported(), {
      ...{ 'web successful_connects': 1, 'web active_connections': 1, 'web bytes_sent': 150 },
    })
  })

  it('holds up no other container', async () => {
    rig.container(1)
    rig.container(2)
    rig.containers.cgroupCreated(3n, '/system.slice/nginx.service')
    connect(1, 11)
    connect(2, 12)
    connect(3, 13)
    await source.answer(2, called('db'))
    assert.deepEqual(Object.keys(await exported()).sort(), [
      ...['db active_connections', 'db bytes_sent', 'db successful_connects'],
      ...['nginx active_connections', 'nginx bytes_sent', 'nginx successful_connects'],
    ])
  })

  it('is left open after the timeout; found later, old series end and new ones begin, and totals are right', async () => {
    rig.container(1)
    connect(1, 11, 100)
    mock.timers.tick(3 * SECOND)
    assert.deepEqual(await exported(), {
      'unknown_service successful_connects': 1,
      'unknown_service active_connections': 1,
      'unknown_service bytes_sent': 100,
    })
    connect(1, 11, 130)
    await source.answer(1, called('web'))
    connect(1, 11, 135)
    connect(1, 12, 7)
    const last = await exported()
    assert.equal(last['unknown_service bytes_sent'], 130)
    assert.equal(last['unknown_service active_connections'], 0, 'its connections are no longer its')
    assert.equal(last['unknown_service successful_connects'], 1)
    const next = await exported()
    assert.deepEqual(next, { 'web successful_connects': 1, 'web active_connections': 2, 'web bytes_sent': 12 })
    rig.apply({ kind: end, id: 11, cgroup: 1n, bytesSent: 140 }, { kind: end, id: 12, cgroup: 1n, bytesSent: 7 })
    assert.deepEqual(await exported(), {
      'web successful_connects': 1,
      'web active_connections': 0,
      'web bytes_sent': 17,
    })
    assert.equal(rig.connections.stats().tracked, 0)
  })

  it('changes nothing when it is told again, or when what changed is no attribute', async () => {
    rig.container(1)
    connect(1, 11, 100)
    await source.answer(1, called('web'))
    const startTime = async () => {
      mock.timers.tick(1)
      const batch = await rig.store.collect(Date.now())
      const web = batch.find(({ resource }) => resource.attributes['service.name'] === 'web')!
      return web.scopeMetrics[0]!.metrics[0]!.dataPoints[0]!.startTime
    }
    const before = await startTime()
    await source.changed(1, { ...called('web'), labels: { new: 'label' } })
    assert.equal((await exported())['web bytes_sent'], 100)
    assert.deepEqual(await startTime(), before)
  })

  it('ends series and begins others when an attribute changes', async () => {
    rig.container(1)
    connect(1, 11, 100)
    await source.answer(1, called('web'))
    await exported()
    await source.changed(1, { ...called('web'), image: 'nginx:2' })
    connect(1, 11, 130)
    assert.equal((await exported())['web bytes_sent'], 100)
    assert.equal((await exported())['web bytes_sent'], 30)
  })

  it('is found for a container that lived five milliseconds, after its end', async () => {
    rig.container(1)
    rig.apply({ kind: end, id: 11, cgroup: 1n, bytesSent: 5 })
    mock.timers.tick(5)
    rig.containers.cgroupRemoved(1n)
    rig.links.cgroupRemoved(1n, Date.now())
    assert.deepEqual(await exported(), {}, 'it waits though it ended')
    await source.answer(1, called('job'))
    const expected = { 'job successful_connects': 1, 'job active_connections': 0, 'job bytes_sent': 5 }
    assert.deepEqual(await exported(), expected)
    rig.apply({ kind: end, id: 12, cgroup: 1n, bytesSent: 6 })
    assert.equal((await exported())['job bytes_sent'], 11, 'a late record is its own')
  })

  it('is not waited for by the last cycle of all', async () => {
    rig.container(1)
    connect(1, 11, 100)
    assert.equal((await exported(true))['unknown_service bytes_sent'], 100)
  })

  it('a container of which the first record comes after its end goes like any other', async () => {
    const containersBefore = rig.store.stats().containers
    rig.container(1)
    rig.containers.cgroupRemoved(1n)
    rig.links.cgroupRemoved(1n, Date.now())
    rig.apply({ kind: end, id: 11, cgroup: 1n, bytesSent: 5 })
    mock.timers.tick(3 * SECOND)
    assert.equal((await exported())['unknown_service bytes_sent'], 5)
    mock.timers.tick(10 * 60 * SECOND)
    await exported()
    await exported()
    assert.equal(rig.store.stats().containers, containersBefore)
  })

  describe('with a filter', () => {
    const exclude = [{ names: ['secret-*'] }]
    beforeEach(() => make({ filter: createContainerFilter([], exclude) }))

    it('decides whether its series are wanted, and until then nothing is probed', async () => {
      rig.container(1)
      rig.container(2)
      connect(1, 11, 100)
      connect(2, 12, 200)
      assert.equal(told.length, 0)
      assert.deepEqual(await exported(), {})
      await source.answer(1, called('secret-agent'))
      await source.answer(2, called('web'))
      assert.equal(told.filter((line) => line.includes('dials')).length, 1)
      connect(1, 11, 150)
      connect(1, 13)
      for (let cycle = 0; cycle < 2; cycle++) {
        assert.deepEqual(await exported(), {
          ...{ 'web successful_connects': 1, 'web active_connections': 1, 'web bytes_sent': 200 },
        })
        mock.timers.tick(10 * SECOND)
      }
      assert.equal(told.filter((line) => line.includes('dials')).length, 1)
    })

    it('nobody told in time is decided by what the path says', async () => {
      rig.container(1)
      connect(1, 11, 100)
      mock.timers.tick(3 * SECOND)
      assert.equal((await exported())['unknown_service bytes_sent'], 100)
      assert.equal(told.filter((line) => line.includes('dials')).length, 1)
    })

    it('found late, what was exported ends and nothing follows', async () => {
      rig.container(1)
      connect(1, 11, 100)
      mock.timers.tick(3 * SECOND)
      await exported()
      await source.answer(1, called('secret-agent'))
      connect(1, 11, 150)
      const last = await exported()
      assert.equal(last['unknown_service bytes_sent'], 100)
      assert.equal(last['unknown_service active_connections'], 0)
      assert.deepEqual(await exported(), {})
      assert.ok(told.at(-1)!.endsWith('ended'), 'and it is no longer probed')
    })

    it('changed so that it is wanted after all, its series begin', async () => {
      rig.container(1)
      connect(1, 11, 100)
      await source.answer(1, called('secret-agent'))
      assert.deepEqual(await exported(), {})
      await source.changed(1, called('public-agent'))
      connect(1, 11, 130)
      assert.deepEqual(await exported(), {
        'public-agent successful_connects': 0,
        'public-agent active_connections': 1,
        'public-agent bytes_sent': 30,
      })
      assert.equal(told.filter((line) => line.includes('dials')).length, 1)
    })

    it('excluded containers end without a trace', async () => {
      rig.container(1)
      connect(1, 11, 100)
      await source.answer(1, called('secret-agent'))
      rig.containers.cgroupRemoved(1n)
      rig.links.cgroupRemoved(1n, Date.now())
      rig.apply({ kind: end, id: 11, cgroup: 1n, bytesSent: 200 }, { kind: end, id: 12, cgroup: 1n })
      mock.timers.tick(10 * 60 * SECOND)
      assert.deepEqual(await exported(), {})
      assert.deepEqual(rig.store.stats(), { ...rig.store.stats(), containers: 0, links: 0, overflowed: 0 })
    })
  })
})
