import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ProbeOutcome } from '../../src/receivers/netvitals/kernel/native.ts'
import { createLab, type Lab, labUnavailable, type Namespace } from '../kernel/lab.ts'
import { arrived, echo, enter, probing } from './probing.ts'
import { answering, wakeUps } from './programs.ts'

const none = { late: 0, duplicate: 0, foreign: 0, clockSteps: 0 }

describe('a prober among what it did not ask for', { skip: labUnavailable() ?? false }, () => {
  let lab: Lab
  let client: Namespace
  let server: Namespace
  before(() => {
    lab = createLab({ namespaces: 2 })
    ;[client, server] = lab.namespaces as [Namespace, Namespace]
  })
  after(() => lab.close())

  const { reply, timeout } = ProbeOutcome
  const cases: [string, string, number, typeof none][] = [
    ['a true reply, to begin with', 'reply', reply, none],
    ['a reply with another nonce', 'nonce', timeout, { ...none, foreign: 1 }],
    ['a reply that was cut off', 'short', timeout, { ...none, foreign: 1 }],
    ['a reply with another sequence number', 'sequence', timeout, { ...none, foreign: 1 }],
    ['an error about a packet to somebody else', 'misquote', timeout, { ...none, foreign: 1 }],
    ['a reply whose checksum is wrong', 'corrupt', timeout, none],
    ['a reply that comes twice', 'twice', reply, { ...none, duplicate: 1 }],
    ['a reply after the timeout', 'late', timeout, { ...none, late: 1 }],
  ]
  for (const family of ['ipv4', 'ipv6'] as const)
    for (const [name, how, outcome, counters] of cases)
      it(`judges ${name}, by ${family}`, async (t) => {
        const answer = await answering(t, server, how)
        const { prober, ask } = probing(t)
        const netns = await enter(prober, client.path)
        const [result] = await ask({ netns, address: server[family] })
        assert.equal(result!.outcome, outcome)
        const total = () => Object.values(prober.counters()).reduce((sum, each) => sum + each, 0)
        await arrived(() => total() >= Object.values(counters).reduce((sum, each) => sum + each, 0))
        assert.deepEqual(prober.counters(), counters)
        answer.child.stdin!.end()
      })

  it('sleeps through 100,000 foreign replies', async (t) => {
    for (const key of ['net.ipv4.icmp_echo_ignore_all', 'net.ipv6.icmp.echo_ignore_all']) server.sysctl(key, 0)
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path)
    for (const { outcome } of await ask({ netns, address: server.ipv4 }, { netns, address: server.ipv6 }))
      assert.equal(outcome, reply)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const before = wakeUps()
    for (const address of [server.ipv4, server.ipv6]) {
      const output = client.run(['ping', '-f', '-q', '-c', '50000', address])
      assert.match(output, /50000 received/)
    }
    assert.equal(wakeUps(), before)
    assert.deepEqual(prober.counters(), none)
    assert.equal((await ask({ netns, address: server.ipv4 }))[0]!.outcome, reply)
  })

  it('sleeps while there is nothing to do', async (t) => {
    const { prober, ask } = probing(t)
    const netns = await enter(prober, client.path, { ...echo, timeoutMs: 50 })
    await ask({ netns, address: server.ipv4 })
    await new Promise((resolve) => setTimeout(resolve, 100))
    const before = wakeUps()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    assert.equal(wakeUps(), before)
  })
})
