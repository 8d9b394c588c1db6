import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { describe, it } from 'node:test'
import type { Peer } from '../../../../src/kubernetes/index.ts'
import type { ClusterNames } from '../../../../src/receivers/netvitals/destinations/names.ts'
import { Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { ProbeOutcome } from '../../../../src/receivers/netvitals/kernel/native.ts'
import { bytesOf } from './addresses.ts'
import { createProbeRig, hexOf, reply, timeout } from './rig.ts'

const { errno } = constants
const INTERVAL = 15_000
const a = '10.1.0.1'
const b = '10.1.0.2'
const external = '198.51.100.7'

describe('what is pinged', () => {
  it('is every address that a container talks to, once in an interval, whatever the ports', async (t) => {
    const rig = createProbeRig(t)
    const web = rig.container(100)
    rig.connect(100, a, { remotePort: 80 })
    rig.connect(100, a, { remotePort: 443 })
    rig.connect(100, b)
    rig.connect(100, 'fd00::2')
    await rig.pass(3 * INTERVAL)
    const addresses = rig.requests.map(({ address }) => address)
    for (const address of [a, b, 'fd00::2']) assert.equal(addresses.filter((each) => each === hexOf(address)).length, 3)
    const told = await rig.told()
    assert.equal(told[`${web} probes ${a} reply`], 3)
    assert.equal(told[`${web} probes fd00::2 reply`], 3)
    assert.equal(told[`${web} latency ${a}`], 0.001)
    assert.equal(rig.opened.size, 1)
  })

  it('is what is tried too: a SYN without an answer, an attempt that failed', async (t) => {
    const rig = createProbeRig(t)
    rig.container(100)
    rig.connect(100, a, { kind: Kind.sample, state: 2, flags: 0 })
    rig.connect(100, b, { kind: Kind.fail, flags: 0, error: errno.ETIMEDOUT })
    await rig.pass(INTERVAL)
    assert.deepEqual(rig.requests.map(({ address }) => address).sort(), [hexOf(a), hexOf(b)])
  })

  it('is no loopback, multicast or own address, and nothing that was accepted', async (t) => {
    const rig = createProbeRig(t)
    rig.container(100)
    for (const address of ['127.0.0.1', '::1', '224.0.0.1']) rig.connect(100, address)
    rig.connect(100, '10.0.0.9', { local: [10, 0, 0, 9] })
    rig.connect(100, a, { direction: 2 })
    await rig.pass(2 * INTERVAL)
    assert.deepEqual(rig.requests, [])
    assert.deepEqual(await rig.told(), {})
    assert.equal(rig.opened.size, 0, 'no namespace is entered for nothing')
  })

  it("is no Service's address: whoever answers for it has one", async (t) => {
    const service: Peer = { kind: 'Service', name: 'catalog', namespace: 'shop', serviceName: 'catalog' }
    const services = new Set([a])
    let changed: Parameters<ClusterNames['onChange']>[0] = () => {}
    const rig = createProbeRig(t)
    rig.destinations.use({
      byAddress: (address) => (services.has(address) ? service : undefined),
      isClusterAddress: () => true,
      podCidrs: () => [],
      onChange(listener) {
        changed = listener
        return () => {}
      },
    })
    rig.container(100)
    rig.connect(100, a, { kind: Kind.sample, state: 2, flags: 0 })
    rig.connect(100, b)
    await rig.pass(INTERVAL)
    assert.deepEqual(
      rig.requests.map(({ address }) => address),
      [hexOf(b)],
    )
    services.add(b)
    changed({ containerIds: [], addresses: [b] })
    await rig.pass(2 * INTERVAL)
    const before = rig.requests.length
    await rig.pass(2 * INTERVAL)
    assert.equal(rig.requests.length, before, 'that it is a Service turned out later')
  })

  it('is one address of those that are folded into one destination, and another when that one is out of use', async (t) => {
    const fold = [{ name: 'shards', cidrs: ['10.1.0.0/16'] }]
    const rig = createProbeRig(t, { fold, probes: { linger: '30s' } })
    const web = rig.container(100)
    const endFirst = rig.connect(100, a)
    rig.connect(100, b)
    rig.connect(100, external)
    await rig.pass(3 * INTERVAL)
    const pinged = () => rig.requests.splice(0).map(({ address }) => address)
    const before = pinged()
    assert.equal(before.filter((address) => address === hexOf(a)).length, 3)
    assert.equal(before.filter((address) => address === hexOf(external)).length, 3)
    assert.ok(!before.includes(hexOf(b)))
    const told = await rig.told()
    assert.equal(told[`${web} probes shards reply`], 3)
    assert.equal(told[`${web} latency shards`], 0.001)
    assert.equal(rig.probes.stats().skipped, 0)

    endFirst()
    await rig.pass(30_000 + 2 * INTERVAL)
    pinged()
    await rig.pass(2 * INTERVAL)
    assert.deepEqual(new Set(pinged()), new Set([hexOf(b), hexOf(external)]))
    assert.equal((await rig.told())[`${web} latency shards`], 0.001)
  })

  it('is within include and not within exclude', async (t) => {
    const rig = createProbeRig(t, { probes: { include: ['10.1.0.0/16'], exclude: ['10.1.0.2'] } })
    for (const address of [a, b, external]) rig.connect(100, address)
    await rig.pass(INTERVAL)
    assert.deepEqual(
      rig.requests.map(({ address }) => address),
      [hexOf(a)],
    )
  })

  it('is one probe for all containers of a namespace, counted for each', async (t) => {
    const rig = createProbeRig(t)
    const [one, two] = [rig.container(100), rig.container(101)]
    rig.connect(100, a)
    rig.connect(101, a)
    await rig.pass(INTERVAL)
    assert.equal(rig.requests.length, 1)
    const told = await rig.told()
    for (const container of [one, two]) {
      assert.equal(told[`${container} probes ${a} reply`], 1)
      assert.equal(told[`${container} latency ${a}`], 0.001)
    }
  })

  it('is pinged from each namespace that reaches it, and its result belongs there alone', async (t) => {
    const rig = createProbeRig(t)
    const [one, two] = [rig.container(100), rig.container(101)]
    rig.connect(100, a, { netns: 7 })
    rig.connect(101, a, { netns: 8 })
    rig.answer(({ namespace }) => (rig.opened.get(namespace)!.fd === 7 ? reply : timeout))
    await rig.pass(INTERVAL)
    assert.equal(rig.requests.length, 2)
    const told = await rig.told()
    assert.equal(told[`${one} latency ${a}`], 0.001)
    assert.ok(Number.isNaN(told[`${two} latency ${a}`]))
    assert.deepEqual(
      [...rig.probes.sent()],
      [
        [7, 1],
        [8, 1],
      ],
    )
  })

  it('is the most used of a container that has too many, and the rest is counted', async (t) => {
    const rig = createProbeRig(t, { probes: { max_targets_per_container: 3 } })
    rig.container(100)
    const address = (n: number) => `10.2.${n >> 8}.${n & 255}`
    for (let n = 0; n < 500; n++) rig.connect(100, address(n))
    const busy = [41, 42, 43].map(address)
    for (const each of busy) for (let n = 0; n < 5; n++) rig.connect(100, each)
    await rig.pass(INTERVAL)
    rig.requests.length = 0
    await rig.pass(4 * INTERVAL)
    assert.equal(rig.probes.stats().targets, 3)
    assert.equal(rig.probes.stats().skipped, 497)
    const last = rig.requests.slice(-3).map((request) => request.address)
    assert.deepEqual(new Set(last), new Set(busy.map(hexOf)))
    const told = await rig.told()
    assert.equal(Object.keys(told).filter((name) => name.includes('latency')).length, 3)
  })

  it('does not change while several are used alike', async (t) => {
    const rig = createProbeRig(t, { probes: { max_targets_per_container: 2 } })
    rig.container(100)
    for (let round = 0; round < 6; round++) {
      for (let n = 0; n < 10; n++) rig.connect(100, `10.2.0.${(n + round) % 10}`)()
      await rig.pass(INTERVAL)
    }
    assert.equal(new Set(rig.requests.map(({ address }) => address)).size, 2)
  })
})

describe('a destination that is not used any more', () => {
  it('is pinged until it has lingered; then its latency is gone, its counts stay, its sockets close', async (t) => {
    const rig = createProbeRig(t, { probes: { linger: '30s' } })
    const web = rig.container(100)
    const end = rig.connect(100, a)
    await rig.pass(2 * INTERVAL)
    end()
    await rig.pass(2 * INTERVAL)
    assert.equal(rig.requests.length, 4)
    assert.equal((await rig.told())[`${web} latency ${a}`], 0.001)
    await rig.pass(4 * INTERVAL)
    assert.ok(rig.requests.length <= 5, `${rig.requests.length}`)
    const told = await rig.told()
    assert.equal(told[`${web} latency ${a}`], undefined)
    assert.equal(told[`${web} probes ${a} reply`], rig.requests.length)
    assert.deepEqual(rig.released, [0])
    assert.equal(rig.probes.stats().targets, 0)
  })

  it('is pinged again within an interval when it is used again', async (t) => {
    const rig = createProbeRig(t, { probes: { linger: '5s' } })
    const web = rig.container(100)
    rig.connect(100, a)()
    await rig.pass(2 * INTERVAL)
    assert.equal(rig.probes.stats().targets, 0)
    rig.requests.length = 0
    rig.connect(100, a)
    await rig.pass(INTERVAL)
    assert.equal(rig.requests.length, 1)
    assert.equal((await rig.told())[`${web} latency ${a}`], 0.001)
  })

  it('goes at once with its container, probes in flight and all', async (t) => {
    const rig = createProbeRig(t, { network: () => undefined })
    const web = rig.container(100)
    rig.container(101)
    rig.connect(100, a)
    rig.connect(101, b, { netns: 2 })
    await rig.pass(INTERVAL)
    const [mine] = rig.waiting.filter(({ address }) => address === hexOf(a))
    rig.containers.cgroupRemoved(100n)
    assert.deepEqual(rig.released, [mine!.namespace])
    assert.equal(rig.probes.stats().targets, 1)
    rig.deliver(mine!, reply)
    const told = await rig.told()
    assert.equal(told[`${web} probes ${a} reply`], 0)
    assert.equal(told[`${web} latency ${a}`], undefined)
    await rig.pass(2 * INTERVAL)
    assert.ok(rig.requests.slice(2).every(({ address }) => address === hexOf(b)))
  })

  it("does not leave its number to another while a probe of it is out: nobody takes somebody else's reply", async (t) => {
    const rig = createProbeRig(t, { network: () => undefined })
    rig.container(100)
    const web = rig.container(101)
    rig.connect(100, a)
    rig.connect(101, a)
    await rig.pass(INTERVAL)
    const [out] = rig.waiting
    // Keeps the namespace, whose end would end the probe.
    rig.container(103)
    rig.connect(103, external)
    rig.containers.cgroupRemoved(100n)
    rig.containers.cgroupRemoved(101n)
    rig.container(102)
    rig.connect(102, b)
    await rig.pass(INTERVAL)
    const tokens = rig.requests.slice(1).map(({ token }) => token)
    assert.ok(tokens.length === 2 && !tokens.includes(out!.token))
    rig.deliver(out!, reply)
    assert.equal((await rig.told())[`${web} probes ${a} reply`] ?? 0, 0)
  })
})

describe('a probe that is not answered', () => {
  const latencies = async (t: Parameters<typeof createProbeRig>[0], options: object, answered: boolean) => {
    const rig = createProbeRig(t, { ...options, network: answered ? () => reply : () => timeout })
    rig.container(100)
    for (const address of [a, external]) rig.connect(100, address)
    await rig.pass(INTERVAL)
    rig.answer(() => timeout)
    await rig.pass(INTERVAL)
    const told = await rig.told()
    return [a, external].map((address) => told[`64 latency ${address}`])
  }

  it('is NaN inside; of an external address once that has answered', async (t) => {
    assert.deepEqual(await latencies(t, {}, false), [Number.NaN, undefined])
  })
  it('is NaN anywhere once the address has answered', async (t) => {
    assert.deepEqual(await latencies(t, {}, true), [Number.NaN, Number.NaN])
  })
  it('is NaN from the beginning with report_unanswered true', async (t) => {
    assert.deepEqual(await latencies(t, { probes: { report_unanswered: true } }, false), [Number.NaN, Number.NaN])
  })
  it('is no point before the first answer with report_unanswered false', async (t) => {
    assert.deepEqual(await latencies(t, { probes: { report_unanswered: false } }, false), [undefined, undefined])
  })
  it('is no point with on_loss omit', async (t) => {
    assert.deepEqual(await latencies(t, { latency: { on_loss: 'omit' } }, true), [undefined, undefined])
  })

  it('is one NaN and one count, and the next reply a number again', async (t) => {
    const rig = createProbeRig(t)
    rig.container(100)
    rig.connect(100, a)
    await rig.pass(INTERVAL)
    rig.answer(() => timeout)
    await rig.pass(INTERVAL)
    assert.ok(Number.isNaN((await rig.told())[`64 latency ${a}`]))
    rig.answer(() => ({ ...reply, rtt: 0.002 }))
    await rig.pass(INTERVAL)
    const { [`64 latency ${a}`]: latency, ...counts } = await rig.told()
    assert.equal(latency, 0.002)
    assert.deepEqual(counts, { [`64 probes ${a} reply`]: 2, [`64 probes ${a} timeout`]: 1 })
  })

  it('concerns its own target alone, whatever its error', async (t) => {
    const answers = {
      [hexOf('10.1.0.3')]: { outcome: ProbeOutcome.error, errno: errno.EPERM },
      [hexOf('10.1.0.4')]: { outcome: ProbeOutcome.unreachable, type: 3, code: 13 },
      [hexOf('10.1.0.5')]: { outcome: ProbeOutcome.error, errno: errno.EMFILE },
    }
    const rig = createProbeRig(t, { network: ({ address }) => answers[address] ?? reply })
    rig.container(100)
    for (const last of [1, 3, 4, 5]) rig.connect(100, `10.1.0.${last}`)
    await rig.pass(2 * INTERVAL)
    const told = await rig.told()
    assert.equal(told['64 latency 10.1.0.1'], 0.001)
    assert.equal(told['64 probes 10.1.0.1 reply'], 2)
    assert.equal(told['64 probes 10.1.0.3 error EPERM'], 2)
    assert.ok(Number.isNaN(told['64 latency 10.1.0.3']))
    assert.equal(told['64 probes 10.1.0.4 unreachable admin_prohibited'], 2)
    assert.ok(Number.isNaN(told['64 latency 10.1.0.4']))
    assert.equal(told['64 probes 10.1.0.5 error EMFILE'], 2)
    assert.ok(!('64 latency 10.1.0.5' in told), 'what we lack is no fault of the network')
  })

  it('counts as a reply where only its sample was discarded, and the last latency stands', async (t) => {
    const rig = createProbeRig(t)
    rig.container(100)
    rig.connect(100, a)
    await rig.pass(INTERVAL)
    rig.answer(() => ({ outcome: ProbeOutcome.reply, rtt: Number.NaN }))
    await rig.pass(INTERVAL)
    assert.deepEqual(await rig.told(), {
      [`64 latency ${a}`]: 0.001,
      [`64 probes ${a} reply`]: 2,
      [`64 probes ${a} timeout`]: 0,
    })
  })
})

describe('a container that becomes known late', () => {
  it('takes its probes along', async (t) => {
    const rig = createProbeRig(t)
    rig.connect(200, a)
    await rig.pass(INTERVAL)
    const web = rig.container(200)
    await rig.pass(INTERVAL)
    const told = await rig.told()
    assert.equal(told[`${web} probes ${a} reply`], 1)
    assert.equal(told[`${web} latency ${a}`], 0.001)
    assert.equal(told[`host latency ${a}`], undefined)
  })
})

describe('a namespace that cannot be entered', () => {
  it('is said once, tried again, and pinged from once it can', async (t) => {
    const rig = createProbeRig(t)
    rig.missing.add(1)
    rig.container(100)
    rig.connect(100, a)
    await rig.pass(3 * INTERVAL)
    assert.deepEqual(await rig.told(), {})
    assert.equal(rig.reports.length, 1)
    assert.match(rig.reports[0]!, /^down: .*no process and no name in \/run\/netns leads to it$/)
    rig.missing.delete(1)
    await rig.pass(3 * INTERVAL)
    assert.ok(rig.requests.length >= 1)
    assert.equal((await rig.told())[`64 latency ${a}`], 0.001)
    assert.deepEqual(rig.reports.slice(1), ['ok'])
  })
})

it('what was sent for a container is counted for it, also while it is forgetting the address', async (t) => {
  const rig = createProbeRig(t, {
    probes: { interval: '1s', timeout: '900ms', linger: '0s', max_targets_per_container: 2 },
    network: ({ atMs }) => (rig.nowMs >= atMs + 900 ? timeout : undefined),
  })
  rig.container(100)
  for (let step = 0; step < 200; step++) {
    const end = rig.connect(100, `10.3.0.${1 + ((step * 7) % 5)}`)
    await rig.pass(((step * 137) % 900) + 50)
    end()
  }
  await rig.pass(10_000)
  const counts = Object.entries(await rig.told()).filter(([name]) => name.includes(' probes '))
  const all = counts.reduce((sum, [, value]) => sum + value, 0)
  assert.ok(all > 50, `${all}`)
  assert.equal(all, rig.requests.length)
  assert.deepEqual([rig.opened.size, rig.probes.stats().targets], [0, 0])
})

it('every probe has exactly one outcome', async (t) => {
  let seed = 1
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return seed / 2 ** 31
  }
  const outcomes = [reply, timeout, { outcome: ProbeOutcome.unreachable, type: 3, code: 1 }]
  const rig = createProbeRig(t, {
    probes: { interval: '1s', timeout: '900ms', linger: '3s' },
    network: () => (random() < 0.8 ? outcomes[Math.floor(random() * 3)] : undefined),
  })
  const ends: (() => void)[] = []
  for (let cgroup = 100; cgroup < 105; cgroup++) rig.container(cgroup)
  for (let step = 0; step < 300; step++) {
    if (random() < 0.4)
      ends.push(
        rig.connect(100 + Math.floor(random() * 5), `10.3.0.${1 + Math.floor(random() * 30)}`, {
          netns: 100 + Math.floor(random() * 5),
        }),
      )
    if (random() < 0.3) ends.splice(Math.floor(random() * ends.length), 1)[0]?.()
    await rig.pass(Math.floor(random() * 400))
  }
  rig.answer(() => reply)
  for (const end of ends) end()
  await rig.pass(10_000)
  assert.equal(rig.waiting.length, 0)
  assert.equal(rig.probes.stats().targets, 0, 'nothing is left behind')
  assert.equal(rig.opened.size, 0)
  const perInterval = new Map<string, number>()
  for (const { namespace, address, atMs } of rig.requests) {
    const key = `${namespace} ${address} ${Math.floor(atMs / 1_000)}`
    perInterval.set(key, (perInterval.get(key) ?? 0) + 1)
  }
  assert.ok(rig.requests.length > 500)
  for (const [key, count] of perInterval) assert.ok(count <= 2, `${count} probes of ${key}`)
})

it('a link-local destination is pinged by the interface of its connection', async (t) => {
  const rig = createProbeRig(t)
  rig.container(100)
  rig.connect(100, 'fe80::2', { local: [...bytesOf('fe80::1')] })
  await rig.pass(INTERVAL)
  assert.equal(rig.requests.length, 1)
  assert.equal(rig.requests[0]!.zone, 0, 'unknown where the namespace shows no addresses')
})
