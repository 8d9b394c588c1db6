import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { eventually } from '../e2e/child.ts'
import { type Agent, agentUnavailable, startAgent } from './agent.ts'
import { type Container, createLab, labUnavailable, type Namespace } from './lab.ts'
import { between, readCounters, waitQuiet } from './oracle.ts'
import { pointsOf } from './points.ts'
import { type Program, startProgram } from './programs.ts'

const CONNECTS = 'container.net.tcp.successful_connects'

interface Scene {
  readonly agent: Agent
  readonly client: Namespace
  readonly server: Namespace
  readonly container: Container
  readonly driver: Program
  /** Called on these ports, so many times each. */
  call(ports: readonly number[], times: number): Promise<void>
  /** Connects by destination, of one direction. */
  told(direction: 'outbound' | 'inbound'): Promise<Record<string, number>>
}

async function createScene(t: TestContext, destinations: object): Promise<Scene> {
  const lab = createLab({ namespaces: 2 })
  t.after(() => lab.close())
  const [client, server] = lab.namespaces as [Namespace, Namespace]
  const [container, serving] = [lab.container('docker'), lab.container('docker')]
  const serve = startProgram(lab, server, serving, 'serve')
  const driver = startProgram(lab, client, container, 'drive')
  const agent = await startAgent({ destinations, probes: { interval: '1s', timeout: '500ms' } })
  t.after(() => agent.stop())
  return {
    ...{ agent, client, server, container, driver },
    async call(ports, times) {
      for (const port of ports) {
        await serve.listen(`port=${port} family=4`)
        await driver.command(`connect to=${server.ipv4}:${port} n=${times} end=client_fin up=100`)
      }
      await waitQuiet([client, server])
    },
    async told(direction) {
      const { id } = direction === 'outbound' ? container : serving
      const points = pointsOf(await agent.collect(), { metric: CONNECTS, resource: { 'container.id': id } })
      return Object.fromEntries(
        [...points]
          .filter(({ attributes }) => attributes.direction === direction)
          .map(({ attributes: a, value }) => [`${a['destination.address']}:${a['destination.port'] ?? '*'}`, value])
          .sort(),
      )
    },
  }
}

describe('folding', { skip: labUnavailable() ?? agentUnavailable() ?? false, timeout: 120_000 }, () => {
  it('tells a network as one destination, its pings included, and counts what the kernel counts', async (t) => {
    const scene = await createScene(t, { fold: [{ name: 'shop', cidrs: ['10.0.0.0/8'] }] })
    const before = readCounters(scene.client)
    await scene.call([8080, 8081], 20)
    const [after, outbound] = [readCounters(scene.client), await scene.told('outbound')]
    assert.deepEqual(outbound, { 'shop:8080': 20, 'shop:8081': 20 })
    assert.equal(between(before, after).ActiveOpens, 40)
    await scene.driver.command(`connect to=${scene.server.ipv4}:8080 n=1 end=more`)
    const resource = { 'container.id': scene.container.id }
    const latency = await eventually('a ping', async () => {
      const [point] = pointsOf(await scene.agent.collect(), { metric: 'container.net.latency', resource })
      return point
    })
    assert.equal(latency.attributes['destination.address'], 'shop')
    assert.ok(Number(latency.value) > 0)
  })

  it("tells the ports of a file transfer's data together, at both ends", async (t) => {
    const scene = await createScene(t, { ephemeral_ports: { from: 40_000, keep: 2 } })
    const ports = Array.from({ length: 12 }, (_, i) => 40_100 + i)
    await scene.call([8080, ...ports], 3)
    const expected = { '*': 30, 8080: 3, 40100: 3, 40101: 3 }
    for (const direction of ['outbound', 'inbound'] as const) {
      const named = Object.entries(expected).map(([port, value]) => [`${scene.server.ipv4}:${port}`, value])
      assert.deepEqual(await scene.told(direction), Object.fromEntries(named.sort()))
    }
  })
})
