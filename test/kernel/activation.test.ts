import assert from 'node:assert/strict'
import { readFileSync, rmdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  acceptedSince,
  type Commanded,
  inbound,
  initIsInRoot,
  procsOf,
  rootCgroup,
  startCommanded,
} from './activation-lab.ts'
import { type Agent, agentUnavailable, startAgent } from './agent.ts'
import { type Container, createLab, type Lab, labUnavailable, type Namespace } from './lab.ts'
import { pointsOf } from './points.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false
const options = { skip, timeout: 60_000 }
const nothing = { connects: 0, active: 0, received: 0, sent: 0 }
const MESSAGE = 100

/** `connects` whole exchanges, of which `active` connections are still there. */
const counted = (connects: number, active = 0) => ({
  ...{ connects, active, received: connects * MESSAGE, sent: connects * MESSAGE },
})

async function inLab(run: (lab: Lab, namespace: Namespace) => Promise<void>) {
  const lab = createLab({ namespaces: 1 })
  try {
    await run(lab, lab.namespaces[0]!)
  } finally {
    await lab.close()
  }
}

function hasMultipath(): boolean {
  try {
    return readFileSync('/proc/sys/net/mptcp/enabled', 'utf8') === '1\n'
  } catch {
    return false
  }
}

interface Scene {
  readonly lab: Lab
  readonly namespace: Namespace
  readonly agent: Agent
  readonly manager: Commanded
  readonly port: number
  /** Of which nothing is yet. */
  readonly service: Container
  /** Dials the listener. */
  readonly client: Commanded
}

/** A manager that listens while an agent runs. */
function withManager(
  run: (scene: Scene) => Promise<void>,
  { command = 'listen 127.0.0.1 0', of = (lab: Lab) => lab.container('manager') } = {},
) {
  return inLab(async (lab, namespace) => {
    const agent = await startAgent()
    await withAgent(agent, async () => {
      const manager = startCommanded(lab, namespace, of(lab), 'manager')
      const port = await manager.command(command)
      const client = startCommanded(lab, namespace, lab.container('docker'), 'dial', '127.0.0.1', String(port))
      await run({ lab, namespace, agent, manager, port, service: lab.container('docker'), client })
    })
  })
}

async function withAgent(agent: Agent, run: () => Promise<void>) {
  try {
    await run()
  } finally {
    await agent.stop()
  }
}

describe('a service whose listener was made by its manager', () => {
  for (const [family, address, made] of [
    ['IPv4', '127.0.0.1', 'before the start'],
    ['IPv6', '::1', 'after the start'],
    ['IPv4', '0.0.0.0', 'after the start'],
    ['IPv6', '::', 'before the start'],
  ] as const)
    test(`has its ${family} connections, short and kept, with a listener at ${address} from ${made}`, options, () =>
      inLab(async (lab, namespace) => {
        const manager = startCommanded(lab, namespace, lab.container('manager'), 'manager')
        const service = lab.container('docker')
        const listen = () => manager.command(`listen ${address} 0`)
        let port = made === 'before the start' ? await listen() : 0
        const agent = await startAgent({ metrics: { 'container.net.tcp.listen': { enabled: true } } })
        await withAgent(agent, async () => {
          port ||= await listen()
          const accepted = acceptedSince(namespace)
          await manager.command(`start ${procsOf(service)}`)
          const dialled = address.includes(':') ? '::1' : '127.0.0.1'
          const client = startCommanded(lab, namespace, lab.container('docker'), 'dial', dialled, String(port))
          await client.command('short 20')
          await client.command('connect 3')
          await client.command('talk')
          let batch = await agent.collect()
          assert.equal(accepted(), 23)
          assert.deepEqual(inbound(batch, port, service), counted(23, 3))
          assert.deepEqual(inbound(batch, port), nothing)
          const listening = [...pointsOf(batch, { metric: 'container.net.tcp.listen' })]
          const here = listening.filter(({ attributes }) => attributes['destination.port'] === port)
          assert.deepEqual(
            here.map(({ resource }) => resource['container.id']),
            [service.id],
          )

          await client.command('end')
          await client.command('short 10')
          await sleep(100)
          batch = await agent.collect()
          assert.equal(accepted(), 33)
          assert.deepEqual(inbound(batch, port, service), counted(33))
          assert.deepEqual(inbound(batch, port), nothing)
        })
      }),
    )

  test('has those that dual-stack listeners take over IPv4', options, () =>
    withManager(
      async ({ agent, manager, port, service, client }) => {
        await manager.command(`start ${procsOf(service)}`)
        await client.command('short 5')
        const batch = await agent.collect()
        assert.deepEqual(inbound(batch, port, service), counted(5))
        assert.deepEqual(inbound(batch, port), nothing)
      },
      { command: 'listen :: 0' },
    ),
  )

  test('has the connection that started it, however long that took, and nobody else has it meanwhile', options, () =>
    withManager(async ({ agent, manager, port, service, client }) => {
      await client.command('connect 2')
      for (let cycle = 0; cycle < 2; cycle++) {
        assert.deepEqual(inbound(await agent.collect(), port), nothing)
        await sleep(100)
      }
      await manager.command(`start ${procsOf(service)}`)
      await client.command('talk')
      const batch = await agent.collect()
      assert.deepEqual(inbound(batch, port, service), counted(2, 2))
      assert.deepEqual(inbound(batch, port), nothing)
    }),
  )

  test('passes its listener on when it is started anew in another cgroup', options, () =>
    withManager(async ({ lab, namespace, agent, manager, port, service, client }) => {
      const next = lab.container('docker')
      const accepted = acceptedSince(namespace)
      await manager.command(`start ${procsOf(service)}`)
      await client.command('short 7')
      assert.deepEqual(inbound(await agent.collect(), port, service), counted(7))
      await client.command('short 2')
      await manager.command('stop')
      rmdirSync(service.directory)
      assert.deepEqual(inbound(await agent.collect(), port, service), counted(9))
      await manager.command(`start ${procsOf(next)}`)
      await client.command('short 5')
      const batch = await agent.collect()
      assert.equal(accepted(), 14)
      assert.deepEqual(inbound(batch, port, next), counted(5))
      assert.deepEqual(inbound(batch, port), nothing)
    }),
  )

  test('has them whatever receiver follows another meanwhile, nothing lost and nothing told twice', options, () =>
    inLab(async (lab, namespace) => {
      const [service, other] = [lab.container('docker'), lab.container('docker')]
      const startManager = async (how: string) => {
        const manager = startCommanded(lab, namespace, lab.container('manager'), 'manager')
        const port = await manager.command('listen 127.0.0.1 0')
        await manager.command(how)
        const client = startCommanded(lab, namespace, lab.container('docker'), 'dial', '127.0.0.1', String(port))
        return { port, client }
      }
      const served = await startManager(`start ${procsOf(service)}`)
      const each = await startManager(`accept ${procsOf(other)}`)
      const first = await startAgent()
      await served.client.command('connect 3')
      await each.client.command('connect 2')
      for (const { client } of [served, each]) await client.command('talk')
      await first.collect()
      await served.client.command('short 6')
      const second = await startAgent({ replaces: first, limits: { max_destinations_per_container: 900 } })
      await withAgent(second, async () => {
        await served.client.command('short 4')
        for (const { client } of [served, each]) await client.command('talk')
        const batches = [first.latest(), await second.collect()]
        for (const [{ port }, container, connects, talks, active] of [
          [served, service, 13, 2 * 3 + 10, 3],
          [each, other, 2, 2 * 2, 2],
        ] as const) {
          const [before, after] = batches.map((batch) => inbound(batch, port, container))
          assert.equal(before!.connects + after!.connects, connects)
          assert.equal(before!.received + after!.received, talks * MESSAGE)
          assert.equal(after!.active, active)
          for (const batch of batches) assert.deepEqual(inbound(batch, port), nothing)
        }
      })
    }),
  )

  test('has those through a Multipath TCP listener', options, (t) => {
    if (!hasMultipath()) return t.skip('needs Multipath TCP')
    return withManager(
      async ({ agent, manager, port, service, client }) => {
        await manager.command(`start ${procsOf(service)}`)
        await client.command('short 5')
        const batch = await agent.collect()
        assert.deepEqual(inbound(batch, port, service), counted(5))
        assert.deepEqual(inbound(batch, port), nothing)
      },
      { command: 'mptcp 127.0.0.1 0' },
    )
  })
})

describe('a manager that accepts itself and hands over connections', () => {
  test("leaves each to the service that has it; who ended before anybody looked stays the manager's", options, () =>
    withManager(async ({ namespace, agent, manager, port, service, client }) => {
      await manager.command(`accept ${procsOf(service)}`)
      const accepted = acceptedSince(namespace)
      await client.command('connect 4')
      await client.command('talk')
      let batch = await agent.collect()
      assert.deepEqual(inbound(batch, port, service), counted(4, 4))
      assert.deepEqual(inbound(batch, port), nothing)

      await client.command('talk')
      await client.command('end')
      await client.command('short 10')
      await sleep(100)
      batch = await agent.collect()
      assert.equal(accepted(), 14)
      const [its, others] = [inbound(batch, port, service), inbound(batch, port)]
      assert.equal(its.connects + others.connects, 14)
      assert.equal(its.received + others.received, (2 * 4 + 10) * MESSAGE)
      assert.ok(its.received >= 2 * 4 * MESSAGE)
      assert.equal(its.active + others.active, 0)
    }),
  )
})

describe('a listener that several services hold', () => {
  test('leaves each connection to the one that has it, and guesses of none', options, () =>
    withManager(async ({ lab, agent, manager, port, service, client }) => {
      const services = [service, lab.container('docker')]
      for (const each of services) await manager.command(`start ${procsOf(each)}`)
      await client.command('connect 8')
      await client.command('talk')
      let batch = await agent.collect()
      const sum = (of: readonly (Container | undefined)[], what: 'active' | 'connects' | 'received') =>
        of.reduce((total, each) => total + inbound(batch, port, each)[what], 0)
      assert.equal(sum(services, 'active'), 8)
      assert.equal(sum(services, 'connects'), 8)
      assert.deepEqual(inbound(batch, port), nothing)
      await client.command('short 6')
      await sleep(100)
      batch = await agent.collect()
      assert.equal(sum([...services, undefined], 'connects'), 14)
      assert.equal(sum([...services, undefined], 'received'), 14 * MESSAGE)
    }),
  )
})

describe('where the init process is in the root cgroup', {
  skip: skip || (!initIsInRoot() && 'it has a cgroup of its own here'),
}, () => {
  test('a listener that came from there is whose alone it is', options, () =>
    withManager(
      async ({ agent, manager, port, service, client }) => {
        await manager.command(`start ${procsOf(service)}`)
        await manager.command('close')
        await client.command('short 12')
        await client.command('connect 2')
        await client.command('talk')
        const batch = await agent.collect()
        assert.deepEqual(inbound(batch, port, service), counted(14, 2))
        assert.deepEqual(inbound(batch, port), nothing)
      },
      { of: rootCgroup },
    ),
  )

  for (const [who, served] of [
    ['alone', false],
    ['with a container', true],
  ] as const)
    test(`an ordinary process there has what it listens at ${who}`, options, () =>
      withManager(
        async ({ agent, manager, port, service, client }) => {
          await manager.command(`start ${procsOf(served ? service : rootCgroup())}`)
          await client.command('short 12')
          const batch = await agent.collect()
          assert.deepEqual(inbound(batch, port), counted(12))
          assert.deepEqual(inbound(batch, port, service), nothing)
        },
        { of: rootCgroup },
      ),
    )
})
