import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { constants } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { ProbeOutcome } from '../../src/receivers/netvitals/kernel/native.ts'
import { createLab, type Lab, labUnavailable, type Namespace } from '../kernel/lab.ts'
import { arrived, echo, enter, probing } from './probing.ts'
import { answering, kernelEchoes } from './programs.ts'

const { errno } = constants
const skip = labUnavailable() ?? false

describe('a prober', { skip }, () => {
  let lab: Lab
  let client: Namespace
  let server: Namespace
  before(() => {
    lab = createLab({ namespaces: 2 })
    ;[client, server] = lab.namespaces as [Namespace, Namespace]
  })
  after(() => lab.close())

  for (const family of ['ipv4', 'ipv6'] as const) {
    it(`measures what ping measures, by ${family}`, async (t) => {
      const { prober, ask } = probing(t)
      const netns = await enter(prober, client.path)
      const requests = Array.from({ length: 50 }, (_, i) => ({ netns, address: server[family], delayMs: i * 5 }))
      const results = await ask(...requests)
      assert.deepEqual([...new Set(results.map(({ outcome }) => outcome))], [ProbeOutcome.reply])
      const least = Math.min(...results.map(({ rttSeconds }) => rttSeconds * 1000))
      const output = client.run(['ping', '-q', '-i', '0.005', '-c', '50', server[family]])
      const [, average, most] = /= [\d.]+\/([\d.]+)\/([\d.]+)\//.exec(output)!
      t.diagnostic(`least of 50: ${least} ms; ping's average ${average} ms`)
      assert.ok(least > 0 && least < Number(most) + 0.1, `${least} ms, ${output}`)
      assert.deepEqual(prober.counters(), { late: 0, duplicate: 0, foreign: 0, clockSteps: 0 })
    })

    it(`reaches loopback, and all of two namespaces, by ${family}`, async (t) => {
      const { prober, ask } = probing(t)
      const both = [await enter(prober, client.path), await enter(prober, server.path), await prober.open(-1, echo)]
      const loopback = family === 'ipv4' ? '127.0.0.1' : '::1'
      const asked = [
        ...both.map((netns) => ({ netns, address: loopback })),
        { netns: both[0]!, address: server[family] },
        { netns: both[1]!, address: client[family] },
        { netns: both[0]!, address: client[family] },
      ]
      for (const { outcome } of await ask(...asked)) assert.equal(outcome, ProbeOutcome.reply)
      assert.deepEqual(
        both.map((netns) => prober.sent(netns)),
        [3, 2, 1],
      )
    })

    it(`tells of a silent destination after the timeout, by ${family}`, async (t) => {
      server.filter({ input: [family === 'ipv4' ? 'icmp type echo-request drop' : 'icmpv6 type echo-request drop'] })
      t.after(() => server.filter({}))
      const { prober, ask } = probing(t)
      const netns = await enter(prober, client.path, { ...echo, timeoutMs: 200 })
      const [lost] = await ask({ netns, address: server[family] })
      assert.deepEqual([lost!.outcome, lost!.rttSeconds], [ProbeOutcome.timeout, Number.NaN])
      assert.equal(prober.sent(netns), 1)
    })

    for (const [word, type, code] of [
      ['port-unreachable', family === 'ipv4' ? 3 : 1, family === 'ipv4' ? 3 : 4],
      ['admin-prohibited', family === 'ipv4' ? 3 : 1, family === 'ipv4' ? 13 : 1],
    ] as const)
      it(`tells that a destination rejects it as ${word}, by ${family}`, async (t) => {
        const v4 = family === 'ipv4'
        server.filter({
          input: [`${v4 ? 'icmp' : 'icmpv6'} type echo-request reject with ${v4 ? 'icmp' : 'icmpv6'} ${word}`],
        })
        t.after(() => server.filter({}))
        const { prober, ask } = probing(t)
        const netns = await enter(prober, client.path)
        const [rejected] = await ask({ netns, address: server[family] })
        const { outcome, icmpType, icmpCode } = rejected!
        assert.deepEqual(
          { outcome, icmpType, icmpCode },
          { outcome: ProbeOutcome.unreachable, icmpType: type, icmpCode: code },
        )
      })

    it(`tells of an output rule as EPERM, of that destination alone, by ${family}`, async (t) => {
      const other = family === 'ipv4' ? '10.213.0.77' : 'fd6e:7600::77'
      const word = family === 'ipv4' ? 'ip' : 'ip6'
      client.filter({ output: [`${word} daddr ${other} drop`] })
      t.after(() => client.filter({}))
      const { prober, ask } = probing(t)
      const netns = await enter(prober, client.path)
      const before = kernelEchoes(client)
      const [refused, fine] = await ask({ netns, address: other }, { netns, address: server[family] })
      assert.deepEqual([refused!.outcome, refused!.errno], [ProbeOutcome.error, errno.EPERM])
      assert.equal(fine!.outcome, ProbeOutcome.reply)
      assert.equal(prober.sent(netns), kernelEchoes(client) - before)
    })

    it(`tells of a missing route as ENETUNREACH, of that destination alone, by ${family}`, async (t) => {
      const { prober, ask } = probing(t)
      const netns = await enter(prober, client.path)
      const before = kernelEchoes(client)
      const nowhere = family === 'ipv4' ? '192.0.2.1' : '2001:db8::1'
      const [lost, fine] = await ask({ netns, address: nowhere }, { netns, address: server[family] })
      assert.deepEqual([lost!.outcome, lost!.errno], [ProbeOutcome.error, errno.ENETUNREACH])
      assert.equal(fine!.outcome, ProbeOutcome.reply)
      assert.deepEqual([prober.sent(netns), kernelEchoes(client) - before], [1, 1])
    })
  }

  it('tells of an interface that is down as ENETUNREACH, and goes on when it is up', async (t) => {
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path)
    const ip = (...words: string[]) => client.run(['ip', ...words])
    ip('link', 'set', 'eth0', 'down')
    t.after(() => ip('link', 'set', 'eth0', 'up'))
    const [down] = await ask({ netns, address: server.ipv4 })
    assert.deepEqual([down!.outcome, down!.errno], [ProbeOutcome.error, errno.ENETUNREACH])
    ip('link', 'set', 'eth0', 'up')
    await arrived(() => /LOWER_UP/.test(ip('link', 'show', 'eth0')))
    const [up] = await ask({ netns, address: server.ipv4 })
    assert.equal(up!.outcome, ProbeOutcome.reply)
    // The interface took its IPv6 address along.
    ip('addr', 'add', `${client.ipv6}/64`, 'dev', 'eth0', 'nodad')
  })

  it('reaches an IPv6 link-local address by its zone', async (t) => {
    client.run(['ip', 'addr', 'add', 'fe80::c/64', 'dev', 'eth0', 'nodad'])
    server.run(['ip', 'addr', 'add', 'fe80::5/64', 'dev', 'eth0', 'nodad'])
    const zone = Number.parseInt(client.run(['ip', '-o', 'link', 'show', 'eth0']), 10)
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path)
    const [found, elsewhere] = await ask({ netns, address: 'fe80::5', zone }, { netns, address: 'fe80::5', zone: 4242 })
    assert.equal(found!.outcome, ProbeOutcome.reply)
    assert.equal(elsewhere!.outcome, ProbeOutcome.error)
  })

  it('sends with the TTL, the DSCP and the size that it was given', async (t) => {
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path, { payloadBytes: 1400, ttl: 7, dscp: 46, timeoutMs: 500 })
    const rule = (words: string) => `${words} icmp type echo-request counter drop`
    server.filter({ input: ['ip length 1428 ip ttl 7 ip dscp ef icmp type echo-request counter accept', rule('')] })
    t.after(() => server.filter({}))
    assert.equal((await ask({ netns, address: server.ipv4 }))[0]!.outcome, ProbeOutcome.reply)
    server.filter({
      input: [
        'ip6 length 1408 ip6 hoplimit 7 ip6 dscp ef icmpv6 type echo-request counter accept',
        'icmpv6 type echo-request drop',
      ],
    })
    assert.equal((await ask({ netns, address: server.ipv6 }))[0]!.outcome, ProbeOutcome.reply)
  })

  it('tells that a time to live ran out, and which answer says so', async (t) => {
    // The server routes to an address behind itself.
    client.run(['ip', 'route', 'add', '10.214.0.0/24', 'via', server.ipv4])
    t.after(() => client.run(['ip', 'route', 'del', '10.214.0.0/24']))
    server.run(['ip', 'route', 'add', '10.214.0.0/24', 'via', client.ipv4])
    t.after(() => server.run(['ip', 'route', 'del', '10.214.0.0/24']))
    server.sysctl('net.ipv4.ip_forward', 1)
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path, { ...echo, ttl: 1 })
    const [over] = await ask({ netns, address: '10.214.0.9' })
    assert.deepEqual([over!.outcome, over!.icmpType, over!.icmpCode], [ProbeOutcome.unreachable, 11, 0])
  })

  it('counts what it sends as the kernel does', async (t) => {
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path)
    const before = kernelEchoes(client)
    client.run(['ping', '-q', '-c', '3', '-i', '0.01', server.ipv4])
    const requests = Array.from({ length: 200 }, (_, i) => ({ netns, address: i % 2 ? server.ipv4 : server.ipv6 }))
    await ask(...requests)
    assert.equal(prober.sent(netns), 200)
    assert.equal(kernelEchoes(client) - before, 203)
    assert.equal(prober.sent(netns + 1), 0)
  })

  it('tells of results by the batch', async (t) => {
    const { prober, ask, batches } = probing(t)
    const netns = await enter(prober, client.path)
    await ask(...Array.from({ length: 2_000 }, () => ({ netns, address: server.ipv4 })))
    assert.ok(batches.length < 200, `${batches.length} calls for 2000 results`)
  })

  it('loses no reply of 5,000 destinations, read while sending', async (t) => {
    server.run(['ip', 'route', 'add', 'local', '10.215.0.0/16', 'dev', 'lo'])
    client.run(['ip', 'route', 'add', '10.215.0.0/16', 'via', server.ipv4])
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path, { ...echo, timeoutMs: 3000 })
    const results = await ask(
      ...Array.from({ length: 5_000 }, (_, i) => ({ netns, address: `10.215.${i >> 8}.${i & 255}` })),
    )
    assert.equal(results.filter(({ outcome }) => outcome === ProbeOutcome.reply).length, 5_000)
    assert.deepEqual(prober.counters(), { late: 0, duplicate: 0, foreign: 0, clockSteps: 0 })
  })

  it('cancels what a released namespace has scheduled and under way, at once', async (t) => {
    server.filter({ input: ['icmp type echo-request drop'] })
    t.after(() => server.filter({}))
    const { prober, send, results } = probing(t)
    const netns = await enter(prober, client.path, { ...echo, timeoutMs: 60_000 })
    const other = await enter(prober, server.path)
    send(
      ...Array.from({ length: 20 }, (_, target) => ({
        netns,
        target,
        address: server.ipv4,
        delayMs: target < 10 ? 0 : 60_000,
      })),
    )
    send({ netns: other, target: 99, address: '127.0.0.1', delayMs: 100 })
    await arrived(() => prober.sent(netns) === 10)
    prober.release(netns)
    prober.release(netns)
    prober.release(4711)
    send({ netns, target: 20, address: server.ipv4 })
    await arrived(() => results.length === 22)
    const of = (wanted: number) => results.filter(({ outcome }) => outcome === wanted).map(({ target }) => target)
    assert.deepEqual(
      of(ProbeOutcome.cancelled).sort((a, b) => a - b),
      Array.from({ length: 21 }, (_, i) => i),
    )
    assert.equal(prober.sent(netns), 0)
    assert.ok(results.some(({ target }) => target === 99))
  })

  it('gives an outcome to a probe whose namespace was deleted meanwhile', async (t) => {
    const apart = createLab({ namespaces: 2 })
    const [from, to] = apart.namespaces as [Namespace, Namespace]
    const { prober, send, results } = probing(t)
    const netns = await enter(prober, from.path, { ...echo, timeoutMs: 300 })
    send({ netns, target: 1, address: to.ipv4 }, { netns, target: 2, address: to.ipv4, delayMs: 400 })
    await arrived(() => results.length === 1)
    assert.equal(results[0]!.outcome, ProbeOutcome.reply)
    await apart.close()
    await arrived(() => results.length === 2)
    assert.notEqual(results[1]!.outcome, ProbeOutcome.reply)
    prober.release(netns)
  })

  it('charges no probe with an error that was left with the socket', async (t) => {
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path)
    await ask({ netns, address: server.ipv4 })
    try {
      execFileSync('nsenter', [`--net=${client.path}`, 'ss', '-K', '-w', '-a'], { stdio: 'pipe' })
    } catch {
      return t.skip('this kernel cannot abort raw sockets (ss -K)')
    }
    for (const { outcome, errno } of await ask({ netns, address: server.ipv4 }, { netns, address: server.ipv4 }))
      assert.deepEqual([outcome, errno], [ProbeOutcome.reply, 0])
  })

  it('shares a namespace with another prober and with ping', async (t) => {
    const [one, two] = [probing(t), probing(t)]
    const ping = client.run.bind(client, ['ping', '-q', '-c', '100', '-i', '0.002', server.ipv4])
    const [a, b] = await Promise.all([enter(one.prober, client.path), enter(two.prober, client.path)])
    const many = (netns: number) =>
      Array.from({ length: 300 }, (_, i) => ({ netns, address: i % 2 ? server.ipv4 : server.ipv6, delayMs: i }))
    const asked = [one.ask(...many(a)), two.ask(...many(b))]
    assert.match(ping(), /100 received/)
    for (const results of await Promise.all(asked))
      for (const { outcome } of results) assert.equal(outcome, ProbeOutcome.reply)
    for (const { prober } of [one, two])
      assert.deepEqual(prober.counters(), { late: 0, duplicate: 0, foreign: 0, clockSteps: 0 })
  })

  it('takes an error that quotes no more than RFC 792 asks', async (t) => {
    await answering(t, server, 'quote8')
    t.after(() => server.sysctl('net.ipv4.icmp_echo_ignore_all', 0))
    t.after(() => server.sysctl('net.ipv6.icmp.echo_ignore_all', 0))
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path)
    const [v4, v6] = await ask({ netns, address: server.ipv4 }, { netns, address: server.ipv6 })
    assert.deepEqual([v4!.outcome, v4!.icmpType, v4!.icmpCode], [ProbeOutcome.unreachable, 3, 1])
    assert.deepEqual([v6!.outcome, v6!.icmpType, v6!.icmpCode], [ProbeOutcome.unreachable, 1, 3])
  })
})
