import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProbeOutcome } from '../../src/receivers/netvitals/kernel/native.ts'
import { createLab, type Lab, labUnavailable, type Namespace } from '../kernel/lab.ts'
import { pingProcess } from './ping-processes.ts'
import { arrived, enter, probing } from './probing.ts'
import { answering, type Helper } from './programs.ts'

const targets = 1_000
const without = (...capabilities: string[]) => [
  ...['capsh', `--drop=${capabilities.join(',')}`, '--shell=/bin/sh', '--', '-c', 'exec "$0" "$@"'],
]

describe('a prober with the capabilities that it was left', { skip: labUnavailable() ?? false }, () => {
  let lab: Lab
  let client: Namespace
  let server: Namespace
  before(() => {
    lab = createLab({ namespaces: 2 })
    ;[client, server] = lab.namespaces as [Namespace, Namespace]
    server.run(['ip', 'route', 'replace', 'local', '10.215.0.0/16', 'dev', 'lo'])
    client.run(['ip', 'route', 'replace', '10.215.0.0/16', 'via', server.ipv4])
  })
  after(() => lab.close())

  /** The last probe that a hold waits for, of another process. */
  async function letGo(t: TestContext, answer: Helper): Promise<void> {
    const { prober, send } = probing(t)
    const netns = await enter(prober, client.path)
    send({ netns, target: 0, address: server.ipv4 })
    await answer.heard(/^let go$/)
  }

  for (const [name, under] of [
    ['all of them', []],
    ['no CAP_NET_ADMIN, which a large receive buffer takes', without('cap_net_admin')],
  ] as const)
    it(`has every reply of ${targets} that come while nobody reads, with ${name}`, async (t) => {
      const answer = await answering(t, server, `hold=${targets + 1}`)
      const { child, send, outcomes } = await pingProcess(t, client, 20_000, { under })
      send(
        Array.from({ length: targets }, (_, i) => ({
          target: i,
          address: `10.215.${i >> 8}.${i & 255}`,
          delayMs: i / 10,
        })),
      )
      await sleep(1_000)
      child.kill('SIGSTOP')
      await letGo(t, answer)
      child.kill('SIGCONT')
      await arrived(() => outcomes().length === targets, 30)
      assert.deepEqual(new Set(outcomes()), new Set([ProbeOutcome.reply]))
      answer.child.stdin!.end()
    })

  it('says EPERM of each probe without CAP_NET_RAW', async (t) => {
    const { send, results } = await pingProcess(t, client, 500, { under: without('cap_net_raw') })
    send([server.ipv4, server.ipv6].map((address, target) => ({ target, address })))
    await arrived(() => results().length === 2)
    for (const { outcome, errno } of results())
      assert.deepEqual([outcome, errno], [ProbeOutcome.error, constants.errno.EPERM])
  })
})
