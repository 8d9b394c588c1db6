import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '../e2e/child.ts'
import { type Agent, agentUnavailable, startAgent } from '../kernel/agent.ts'
import { pointsOf, sumPoints } from '../kernel/points.ts'
import { createDocker, createPodman, type Engine, IMAGE, type LabContainer, missing } from './lab.ts'

const ENGINES = { docker: createDocker, podman: createPodman }
const CONNECTS = 'container.net.tcp.successful_connects'
const CONNECTIONS = 20

/** Once within the container; nobody answers at that path, which is an answer. */
const dial = (address: string, times = CONNECTIONS) => [
  ...['sh', '-c'],
  `i=0; while [ $i -lt ${times} ]; do wget -q -O /dev/null http://${address}/nothing; i=$((i+1)); done; true`,
]

for (const runtime of ['docker', 'podman'] as const) {
  describe(`containers of a real ${runtime}, by its API`, {
    skip: agentUnavailable() ?? missing(runtime),
    timeout: 240_000,
  }, () => {
    let engine: Engine
    let agent: Agent
    before(async () => {
      engine = await ENGINES[runtime]()
      agent = await startAgent({
        containers: {
          runtimes: [{ type: runtime, socket: engine.socket }],
          exclude: [{ names: ['unwanted-*'] }],
        },
      })
    })
    after(async () => {
      await agent?.stop()
      await engine?.stop()
    })

    /** The resource of a container, once it is exported. */
    const resourceOf = ({ id }: LabContainer) =>
      eventually(`${id} is exported`, async () => {
        const batch = await agent.collect()
        return batch.find(({ resource }) => resource.attributes['container.id'] === id)?.resource.attributes
      })

    /** Serves itself and dials itself, so that it has both directions on any network. */
    async function busy(...options: string[]): Promise<LabContainer> {
      const container = await engine.run({ options, command: ['httpd', '-f', '-p', '8080'] })
      await engine.exec(container, dial('127.0.0.1:8080'))
      return container
    }

    test('have the name, the image and the labels that they were given', async () => {
      const container = await busy(
        ...['--network', 'none', '--name', 'shop-front-1'],
        ...['--label', 'com.docker.compose.project=shop', '--label', 'com.docker.compose.service=front'],
      )
      const attributes = await resourceOf(container)
      assert.equal(attributes['container.name'], 'shop-front-1')
      assert.equal(String(attributes['container.image.name']).replace(/^localhost\//, ''), IMAGE)
      assert.equal(attributes['container.runtime.name'], runtime)
      assert.equal(attributes['service.name'], 'front')
      assert.equal(attributes['service.namespace'], 'shop')
      assert.equal(attributes['service.instance.id'], container.id)
    })

    test('are their own service where no label names one, and are counted from their first connection', async () => {
      const container = await busy('--network', 'none', '--name', 'plain')
      const attributes = await resourceOf(container)
      assert.equal(attributes['service.name'], 'plain')
      const batch = await agent.collect()
      for (const direction of ['outbound', 'inbound']) {
        const filter = { metric: CONNECTS, resource: { 'container.name': 'plain' }, point: { direction } }
        assert.equal(sumPoints(batch, filter), CONNECTIONS, direction)
      }
    })

    test('that lived a moment have their name all the same', async () => {
      const id = await engine.command([
        ...['create', '--network', 'none', '--name', 'brief', IMAGE],
        ...['sh', '-c', 'httpd -p 8080; wget -q -O /dev/null http://127.0.0.1:8080/nothing; true'],
      ])
      await engine.command(['start', '--attach', id])
      const batch = await eventually('it is exported', async () => {
        const batch = await agent.collect()
        return sumPoints(batch, { metric: CONNECTS, resource: { 'container.id': id } }) === 2 ? batch : undefined
      })
      const [point] = pointsOf(batch, { metric: CONNECTS, resource: { 'container.id': id } })
      assert.equal(point!.resource['container.name'], 'brief')
      await engine.command(['rm', id])
    })

    test('have no series at all where they are excluded by name', async () => {
      const unwanted = await busy('--network', 'none', '--name', 'unwanted-1')
      const wanted = await busy('--network', 'none', '--name', 'wanted-1')
      await resourceOf(wanted)
      for (let cycles = 0; cycles < 3; cycles++) {
        const batch = await agent.collect()
        assert.equal(
          batch.some(({ resource }) => resource.attributes['container.id'] === unwanted.id),
          false,
        )
      }
    })
  })
}

describe('Docker networks', { skip: agentUnavailable() ?? missing('docker'), timeout: 240_000 }, () => {
  let engine: Engine
  let agent: Agent
  before(async () => {
    engine = await createDocker({ daemon: ['--iptables=true'] })
    agent = await startAgent({
      containers: { runtimes: [{ type: 'docker', socket: engine.socket }] },
      destinations: { translation: { node_namespaces: [`/proc/${engine.sandbox.pid}/ns/net`] } },
    })
    await engine.command(['network', 'create', '--subnet', '10.77.3.0/24', 'shop'])
  })
  after(async () => {
    await agent?.stop()
    await engine?.stop()
  })

  const address = (name: string) =>
    engine.command(['inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name])

  /** Its outbound connections, by what was dialled and what answered. */
  const reached = (name: string) =>
    eventually(`the connections of ${name} are exported`, async () => {
      const batch = await agent.collect()
      const points = pointsOf(batch, {
        metric: CONNECTS,
        resource: { 'container.name': name },
        point: { direction: 'outbound', 'destination.port': (port) => port === 8080 || port === 18_080 },
      })
      const found = [...points].map(({ attributes: of, value }) => [
        `${of['destination.address']}:${of['destination.port']}`,
        `${of['network.peer.address']}:${of['network.peer.port']}`,
        value,
      ])
      return found.length > 0 ? found : undefined
    })

  test('a user-defined bridge, where containers find each other by name', async () => {
    await engine.run({ options: ['--network', 'shop', '--name', 'backend'], command: ['httpd', '-f', '-p', '8080'] })
    const client = await engine.run({ options: ['--network', 'shop', '--name', 'frontend'] })
    await engine.exec(client, dial('backend:8080'))
    const end = `${await address('backend')}:8080`
    assert.match(end, /^10\.77\.3\./)
    assert.deepEqual(await reached('frontend'), [[end, end, CONNECTIONS]])
  })

  test('a published port: what was dialled, and the container that answered', async () => {
    await engine.run({
      options: ['--publish', '10.77.2.1:18080:8080', '--name', 'published'],
      command: ['httpd', '-f', '-p', '8080'],
    })
    // From another bridge Docker's firewall forbids it.
    const client = await engine.run({ options: ['--network', 'host', '--name', 'caller'] })
    await engine.exec(client, dial('10.77.2.1:18080'))
    const answered = `${await address('published')}:8080`
    assert.match(answered, /^10\.77\.2\./)
    assert.deepEqual(await reached('caller'), [['10.77.2.1:18080', answered, CONNECTIONS]])
  })
})
