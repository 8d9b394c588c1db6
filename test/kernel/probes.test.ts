import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync, rmdirSync, statSync } from 'node:fs'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Agent, agentUnavailable, startAgent } from './agent.ts'
import { echoesSent, watchEchoes } from './echoes.ts'
import { type Container, createLab, type Lab, labUnavailable, type Namespace } from './lab.ts'
import { pointsOf } from './points.ts'
import { buildWorkload, startProgram } from './programs.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false
const INTERVAL = 1_000
const LINGER = 3_000
const probes = { interval: '1s', timeout: '300ms', linger: '3s' }
const PORT = 8_000

/** `<address> <result> <error.type>` -> count, and the latency, of one container. */
interface Told {
  readonly latency: Readonly<Record<string, number>>
  readonly counts: Readonly<Record<string, number>>
}

async function toldOf(agent: Agent, container: Container): Promise<Told> {
  const batch = await agent.collect()
  const resource = { 'container.id': container.id }
  const of = (metric: string) => [...pointsOf(batch, { metric: `container.net.${metric}`, resource })]
  const name = (attributes: Record<string, unknown>) =>
    ['destination.address', 'result', 'error.type']
      .map((key) => attributes[key])
      .filter(Boolean)
      .join(' ')
  const values = (metric: string) => Object.fromEntries(of(metric).map((each) => [name(each.attributes), each.value]))
  return { latency: values('latency'), counts: values('probes') }
}

async function until(agent: Agent, container: Container, holds: (told: Told) => boolean, timeoutMs = 20_000) {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const told = await toldOf(agent, container)
    if (holds(told)) return told
    if (Date.now() > deadline) assert.fail(`not so within ${timeoutMs} ms: ${JSON.stringify(told)}`)
    await sleep(100)
  }
}

const inode = (namespace: Namespace) => statSync(namespace.path).ino
const sentFrom = (agent: Agent, namespace: Namespace) => new Map(agent.probes!.sent()).get(inode(namespace)) ?? 0
const isNumber = (value: number | undefined) => value !== undefined && value > 0 && value < 0.3

describe('probes', { skip, timeout: 240_000, concurrency: false }, () => {
  let lab: Lab
  let agent: Agent
  let client: Namespace
  let server: Namespace
  let other: Namespace

  before(async () => {
    lab = createLab({ namespaces: 3 })
    ;[client, server, other] = lab.namespaces as [Namespace, Namespace, Namespace]
    for (const namespace of [server, other]) {
      namespace.sysctl('net.ipv4.icmp_ratemask', 0)
      namespace.sysctl('net.ipv6.icmp.ratelimit', 0)
      const program = startProgram(lab, namespace, lab.container('docker'), 'serve')
      for (const family of [4, 6]) await program.listen(`port=${PORT} family=${family}`)
    }
    // Other containers of this machine may vanish before they are pinged from.
    agent = await startAgent({ probes, onDown: (part, detail) => assert.equal(part, 'probes', detail) })
  })
  after(async () => {
    await agent?.stop()
    await lab?.close()
  })

  /** A container whose program holds a connection to each of these. */
  async function holding(t: TestContext, namespace: Namespace, addresses: readonly string[]) {
    const container = lab.container('docker')
    const program = startProgram(lab, namespace, container, 'drive')
    for (const address of addresses) {
      const to = address.includes(':') ? `[${address}]:${PORT}` : `${address}:${PORT}`
      await program.command(`connect to=${to} n=1 end=more`)
    }
    t.after(async () => {
      await program.command('end end=client_rst').catch(() => {})
      for (const each of [client, server, other]) each.filter({})
    })
    return { container, program }
  }

  async function quiet(namespace: Namespace) {
    const deadline = Date.now() + 15_000
    for (let before = -1; ; ) {
      const sent = sentFrom(agent, namespace)
      if (sent === before) return
      assert.ok(Date.now() < deadline, 'still pinging')
      before = sent
      await sleep(1.5 * INTERVAL)
    }
  }

  test('reach IPv4 and IPv6 destinations from the container, as many as the kernel sent', async (t) => {
    await quiet(client)
    const before = echoesSent(client)
    const sentBefore = sentFrom(agent, client)
    const sendersOf = watchEchoes(client)
    const { container, program } = await holding(t, client, [server.ipv4, server.ipv6, other.ipv4])
    client.run(['ping', '-c', '5', '-i', '0.2', '-q', server.ipv4])
    client.run(['ping', '-c', '4', '-i', '0.2', '-q', server.ipv6])
    const told = await until(agent, container, ({ counts }) => (counts[`${server.ipv6} reply`] ?? 0) >= 4)
    for (const address of [server.ipv4, server.ipv6, other.ipv4]) {
      assert.ok(isNumber(told.latency[address]), `${address}: ${told.latency[address]}`)
      assert.equal(told.counts[`${address} timeout`], 0)
    }
    await program.command('end end=client_fin')
    await quiet(client)
    const last = await toldOf(agent, container)
    const { ipv4, ipv6 } = echoesSent(client)
    const sent = sentFrom(agent, client) - sentBefore
    const all = Object.values(last.counts).reduce((sum, count) => sum + count, 0)
    assert.equal(all, sent, 'each with one outcome')
    assert.deepEqual(last.latency, {}, 'none of what is not pinged any more')
    const senders = [...sendersOf().values()]
    // Those of another agent on this machine have an identifier of their own.
    assert.ok(
      senders.some((one) => one.ipv4 > 0 && one.ipv6 > 0 && one.ipv4 + one.ipv6 === sent),
      `${sent} of ${JSON.stringify(senders)}`,
    )
    const others = senders.filter((one) => one.ipv4 + one.ipv6 !== sent)
    for (const [family, count] of [
      ['ipv4', 5],
      ['ipv6', 4],
    ] as const)
      assert.ok(
        others.some((one) => one[family] === count && one.ipv4 + one.ipv6 === count),
        `the ping of ${family}`,
      )
    // With nobody else about, the kernel counts the same.
    if (others.length === 2) assert.equal(sent, ipv4 - before.ipv4 - 5 + (ipv6 - before.ipv6 - 4))
  })

  test('become NaN within an interval and the timeout when a pair is cut, and for no other pair', async (t) => {
    const { container } = await holding(t, client, [server.ipv4, server.ipv6, other.ipv4, other.ipv6])
    const all = [server.ipv4, server.ipv6, other.ipv4, other.ipv6]
    await until(agent, container, ({ latency }) => all.every((address) => isNumber(latency[address])))
    server.filter({ input: [`ip saddr ${client.ipv4} drop`, `ip6 saddr ${client.ipv6} drop`] })
    await sleep(INTERVAL + 300 + 250)
    const { latency } = await toldOf(agent, container)
    for (const address of [server.ipv4, server.ipv6]) assert.ok(Number.isNaN(latency[address]), address)
    for (const address of [other.ipv4, other.ipv6]) assert.ok(isNumber(latency[address]), address)
    server.filter({})
    await until(agent, container, ({ latency }) => all.every((address) => isNumber(latency[address])))
  })

  test('go on while a partition lets nothing but attempts through', async (t) => {
    const container = lab.container('docker')
    const program = startProgram(lab, client, container, 'drive')
    t.after(() => server.filter({}))
    server.filter({ input: [`ip saddr ${client.ipv4} drop`] })
    const attempt = () => program.command(`connect to=${server.ipv4}:${PORT} n=1 how=abort_close wait_ms=200`)
    const began = Date.now()
    const attempts = (async () => {
      while (Date.now() - began < 3 * LINGER) await attempt()
    })()
    await until(agent, container, ({ latency }) => Number.isNaN(latency[server.ipv4]))
    await attempts
    assert.ok(Number.isNaN((await toldOf(agent, container)).latency[server.ipv4]), 'after longer than linger, too')
  })

  test('are shared by the containers of a namespace, and counted for each', async (t) => {
    const [one, two] = [await holding(t, client, [server.ipv4]), await holding(t, client, [server.ipv4])]
    await until(agent, one.container, ({ counts }) => (counts[`${server.ipv4} reply`] ?? 0) >= 2)
    await until(agent, two.container, ({ counts }) => (counts[`${server.ipv4} reply`] ?? 0) >= 2)
    const before = sentFrom(agent, client)
    await sleep(4 * INTERVAL)
    const sent = sentFrom(agent, client) - before
    assert.ok(sent >= 3 && sent <= 5, `${sent} in 4 intervals`)
  })

  test("reach what containers on the host's network talk to, from there", async (t) => {
    const link = `nvp${process.pid % 100_000}`
    execFileSync('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth9', 'netns', server.name])
    execFileSync('ip', ['addr', 'add', '10.213.9.1/30', 'dev', link])
    execFileSync('ip', ['link', 'set', link, 'up'])
    server.run(['ip', 'addr', 'add', '10.213.9.2/30', 'dev', 'eth9'])
    server.run(['ip', 'link', 'set', 'eth9', 'up'])
    const { container } = await holding(t, lab.host, ['10.213.9.2'])
    // After the connection has ended: else its program waits for what can't arrive.
    t.after(() => execFileSync('ip', ['link', 'del', link]))
    const told = await until(agent, container, ({ counts }) => (counts['10.213.9.2 reply'] ?? 0) >= 2)
    assert.ok(isNumber(told.latency['10.213.9.2']))
  })

  test('go to no loopback and no own address', async (t) => {
    await quiet(client)
    const before = sentFrom(agent, client)
    const program = startProgram(lab, client, lab.container('docker'), 'serve')
    for (const family of [4, 6]) await program.listen(`port=${PORT} family=${family}`)
    client.run(['ip', 'addr', 'add', '10.213.0.201/24', 'dev', 'eth0'])
    const { container } = await holding(t, client, ['127.0.0.1', '::1', client.ipv4, client.ipv6, '10.213.0.201'])
    await agent.collect()
    await sleep(3 * INTERVAL)
    assert.equal(sentFrom(agent, client), before)
    assert.deepEqual(await toldOf(agent, container), { latency: {}, counts: {} })
  })

  test('that a rule keeps from being sent are errors of that target alone', async (t) => {
    const { container } = await holding(t, client, [server.ipv4, other.ipv4, other.ipv6])
    client.filter({ output: [`ip daddr ${other.ipv4} icmp type echo-request drop`] })
    const told = await until(agent, container, ({ counts }) => (counts[`${other.ipv4} error EPERM`] ?? 0) >= 2)
    assert.ok(Number.isNaN(told.latency[other.ipv4]))
    for (const address of [server.ipv4, other.ipv6]) assert.ok(isNumber(told.latency[address]), address)
  })

  test('that a firewall rejects are unreachable, by what it says', async (t) => {
    const { container } = await holding(t, client, [server.ipv4, server.ipv6, other.ipv4])
    server.filter({
      input: [
        'icmp type echo-request reject with icmp type admin-prohibited',
        'icmpv6 type echo-request reject with icmpv6 type port-unreachable',
      ],
    })
    const told = await until(
      agent,
      container,
      ({ counts, latency }) =>
        latency[other.ipv4] !== undefined &&
        (counts[`${server.ipv4} unreachable admin_prohibited`] ?? 0) >= 1 &&
        (counts[`${server.ipv6} unreachable port_unreachable`] ?? 0) >= 1,
    )
    for (const address of [server.ipv4, server.ipv6]) assert.ok(Number.isNaN(told.latency[address]), address)
    assert.ok(isNumber(told.latency[other.ipv4]))
  })

  test('of a link-local destination go out by its interface', async (t) => {
    server.run(['ip', 'addr', 'add', 'fe80::5e/64', 'dev', 'eth0', 'nodad'])
    client.run(['ip', 'addr', 'add', 'fe80::c1/64', 'dev', 'eth0', 'nodad'])
    const container = lab.container('docker')
    const dial = `require('node:net').connect({ host: 'fe80::5e%eth0', port: ${PORT} }).on('error', console.error); process.stdin.resume().on('end', () => process.exit())`
    const child = lab.spawn(client, container, [process.execPath, '-e', dial])
    t.after(() => child.stdin!.end())
    const told = await until(agent, container, ({ counts }) => (counts['fe80::5e reply'] ?? 0) >= 1)
    assert.ok(isNumber(told.latency['fe80::5e']))
  })

  test('end with their container, probes in flight and all, and so does its socket', async () => {
    server.filter({ input: [`ip saddr ${client.ipv4} icmp type echo-request drop`] })
    const container = lab.container('docker')
    const child = lab.spawn(client, container, [buildWorkload(), 'drive'])
    child.stdin!.write(`connect to=${server.ipv4}:${PORT} n=1 end=more\n`)
    await until(agent, container, ({ counts }) => (counts[`${server.ipv4} timeout`] ?? 0) >= 1)
    child.stdin!.end()
    for (let tries = 0; existsSync(container.directory) && tries < 200; tries++) {
      await sleep(20)
      try {
        rmdirSync(container.directory)
      } catch {}
    }
    await quiet(client)
    assert.ok(!('latency' in (await toldOf(agent, container)).latency))
    assert.equal(rawSockets(client), 0)
    server.filter({})
  })

  test('end with their namespace', async () => {
    const short = createLab({ namespaces: 2 })
    const [from, to] = short.namespaces as [Namespace, Namespace]
    const serving = startProgram(short, to, short.container('docker'), 'serve')
    await serving.listen(`port=${PORT} family=4`)
    const container = short.container('docker')
    const program = startProgram(short, from, container, 'drive')
    await program.command(`connect to=${to.ipv4}:${PORT} n=1 end=more`)
    await until(agent, container, ({ counts }) => (counts[`${to.ipv4} reply`] ?? 0) >= 1)
    const targets = agent.probes!.stats().targets
    await short.close()
    const deadline = Date.now() + 15_000
    while (agent.probes!.stats().targets >= targets) {
      assert.ok(Date.now() < deadline, 'still a target')
      await agent.collect()
      await sleep(200)
    }
  })

  test('of 5,000 destinations in one container go to a hundred, and the rest is counted', async (t) => {
    server.run(['ip', 'route', 'add', 'local', '10.214.0.0/16', 'dev', 'lo'])
    client.run(['ip', 'route', 'add', '10.214.0.0/16', 'via', server.ipv4])
    await quiet(client)
    const container = lab.container('docker')
    const dial = `
      const { connect } = require('node:net')
      let next = 0
      const one = () => {
        if (next === 5000) return
        const n = next++
        const socket = connect({ host: '10.214.' + (n >> 8) + '.' + (n & 255), port: ${PORT + 1} }, () => socket.destroy())
        socket.on('error', () => {}).on('close', one)
      }
      for (let i = 0; i < 100; i++) one()
      process.stdin.resume().on('end', () => process.exit())`
    const child = lab.spawn(client, container, [process.execPath, '-e', dial])
    t.after(() => child.stdin!.end())
    const deadline = Date.now() + 20_000
    while (agent.probes!.stats().skipped < 2_000) {
      assert.ok(Date.now() < deadline, JSON.stringify(agent.probes!.stats()))
      await sleep(50)
    }
    const told = await until(agent, container, ({ latency }) => Object.keys(latency).length >= 100)
    assert.equal(Object.keys(told.latency).length, 100)
    assert.ok(Object.values(told.latency).every(isNumber), 'not one reply is lost')
  })

  /** Raw sockets of this process that are open in the namespace. */
  function rawSockets(namespace: Namespace): number {
    const text = namespace.run(['cat', '/proc/net/raw', '/proc/net/raw6'])
    const lines = text.split('\n').filter((line) => /^\s*\d+:/.test(line))
    const mine = new Set(readdirSync('/proc/self/fd').map((fd) => readlink(`/proc/self/fd/${fd}`)))
    return lines.filter((line) => mine.has(`socket:[${line.trim().split(/\s+/)[9]}]`)).length
  }

  function readlink(path: string): string {
    try {
      return readlinkSync(path)
    } catch {
      return ''
    }
  }
})
