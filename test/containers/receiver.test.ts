import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Agent, agentUnavailable, startAgent } from '../kernel/agent.ts'
import { sumPoints } from '../kernel/points.ts'
import { createDocker, createPodman, type Engine, missing } from './lab.ts'

const ENGINES = { docker: createDocker, podman: createPodman }
const CONNECTIONS = 50

for (const runtime of ['docker', 'podman'] as const) {
  describe(`traffic of real ${runtime} containers`, {
    skip: agentUnavailable() ?? missing(runtime),
    timeout: 180_000,
  }, () => {
    let engine: Engine
    let agent: Agent
    before(async () => {
      engine = await ENGINES[runtime]()
      agent = await startAgent()
    })
    after(async () => {
      await agent?.stop()
      await engine?.stop()
    })

    const connects = (batch: Awaited<ReturnType<Agent['collect']>>, id: string, direction: string) =>
      sumPoints(batch, {
        metric: 'container.net.tcp.successful_connects',
        resource: { 'container.id': id, 'container.runtime.name': runtime },
        point: { direction, 'destination.port': 8080 },
      })

    test('is counted under the container that dialled and the one that answered', async () => {
      const server = await engine.run({ command: ['httpd', '-f', '-p', '8080'] })
      // Docker's share a bridge; podman's stand without a network, so a client dials from within.
      const client = runtime === 'docker' ? await engine.run() : server
      const address = runtime === 'docker' ? await addressOf(engine, server) : '127.0.0.1'
      const loop = `i=0; while [ $i -lt ${CONNECTIONS} ]; do wget -q -O /dev/null http://${address}:8080/nothing; i=$((i+1)); done; true`
      await engine.exec(client, ['sh', '-c', loop])
      const batch = await agent.collect()
      assert.equal(connects(batch, client.id, 'outbound'), CONNECTIONS)
      assert.equal(connects(batch, server.id, 'inbound'), CONNECTIONS)
      if (client !== server) {
        assert.equal(connects(batch, client.id, 'inbound'), 0)
        assert.equal(connects(batch, server.id, 'outbound'), 0)
      }
    })
  })
}

async function addressOf(engine: Engine, container: Awaited<ReturnType<Engine['run']>>): Promise<string> {
  const interfaces = await engine.exec(container, ['ip', '-o', 'addr'])
  const address = /inet (10\.77\.\d+\.\d+)\//.exec(interfaces)?.[1]
  assert.ok(address, interfaces)
  return address
}
