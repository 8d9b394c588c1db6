import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { createContainers } from '../../src/receivers/netvitals/containers/index.ts'
import { eventually } from '../e2e/child.ts'
import { type Agent, agentUnavailable, startAgent } from '../kernel/agent.ts'
import { pointsOf, sumPoints } from '../kernel/points.ts'
import { type Containerd, createContainerd, missingContainerd, type PodOptions } from './containerd.ts'
import type { LabContainer } from './lab.ts'

const CONNECTS = 'container.net.tcp.successful_connects'
const CONNECTIONS = 20
let port = 8000

const frontEnd = (more: Partial<PodOptions> = {}): PodOptions => ({
  ...{ name: 'front-end-58987ffbcd-2w9gz', namespace: 'shop', uid: randomUUID() },
  labels: { app: 'front-end', 'app.kubernetes.io/name': 'front-end', 'pod-template-hash': '58987ffbcd' },
  annotations: { 'example.com/team': 'checkout' },
  ...more,
})

describe('pods of a real containerd, by CRI', {
  skip: agentUnavailable() ?? missingContainerd(),
  timeout: 300_000,
}, () => {
  let containerd: Containerd
  let agent: Agent
  before(async () => {
    containerd = await createContainerd()
    agent = await startAgent({
      containers: {
        runtimes: [{ type: 'cri', socket: containerd.socket }],
        pod_labels: ['app'],
        pod_annotations: ['example.com/team'],
        exclude: [{ namespaces: ['kube-*'] }, { pod_labels: { app: 'hidden' } }],
      },
      // That it is down is what one of the tests is about.
      onDown: () => {},
    })
  })
  after(async () => {
    await agent?.stop()
    await containerd?.stop()
  })

  /** Serves at a port of its own and dials it. */
  async function busy(options: PodOptions, name = 'front-end'): Promise<LabContainer> {
    const pod = await containerd.runPod(options)
    const at = String(++port)
    const container = await containerd.runContainer(pod, name, ['httpd', '-f', '-p', at])
    await dial(container, at)
    return container
  }

  const dialing = (at: string) =>
    `i=0; while [ $i -lt ${CONNECTIONS} ]; do wget -q -O /dev/null http://127.0.0.1:${at}/nothing; i=$((i+1)); done`

  async function dial(container: LabContainer, at: string): Promise<void> {
    await containerd.exec(container, ['sh', '-c', `${dialing(at)}; true`])
  }

  const resourceOf = ({ id }: LabContainer) =>
    eventually(`${id} is exported`, async () => {
      const batch = await agent.collect()
      return batch.find(({ resource }) => resource.attributes['container.id'] === id)?.resource.attributes
    })

  test('have the names that Kubernetes gave them, and the labels and annotations that were asked for', async () => {
    const pod = frontEnd()
    const container = await busy(pod)
    const attributes = await resourceOf(container)
    assert.equal(attributes['k8s.pod.name'], pod.name)
    assert.equal(attributes['k8s.pod.uid'], pod.uid)
    assert.equal(attributes['k8s.namespace.name'], 'shop')
    assert.equal(attributes['k8s.container.name'], 'front-end')
    assert.equal(attributes['k8s.deployment.name'], 'front-end')
    assert.equal(attributes['container.image.name'], containerd.image)
    assert.equal(attributes['container.runtime.name'], 'containerd')
    assert.equal(attributes['k8s.pod.label.app'], 'front-end')
    assert.equal(attributes['k8s.pod.annotation.example.com/team'], 'checkout')
    assert.equal(attributes['service.name'], 'front-end')
    assert.equal(attributes['service.namespace'], 'shop')
    assert.equal(attributes['service.instance.id'], `shop.${pod.name}.front-end`)
    assert.equal('k8s.pod.label.pod-template-hash' in attributes, false)
  })

  test('are counted from their first connection, under their name alone', async () => {
    const container = await busy(frontEnd({ name: 'counted' }))
    await resourceOf(container)
    const batch = await agent.collect()
    const points = [...pointsOf(batch, { metric: CONNECTS, point: { 'destination.port': port } })]
    assert.deepEqual([...new Set(points.map(({ resource }) => resource['k8s.pod.name']))], ['counted'])
    for (const direction of ['outbound', 'inbound']) {
      const filter = { metric: CONNECTS, resource: { 'k8s.pod.name': 'counted' }, point: { direction } }
      assert.equal(sumPoints(batch, filter), CONNECTIONS, direction)
    }
  })

  test('have several containers, each with its own series', async () => {
    const pod = await containerd.runPod(frontEnd({ name: 'two' }))
    const ports = [++port, ++port].map(String)
    for (const [index, at] of ports.entries()) {
      await dial(await containerd.runContainer(pod, `c${index}`, ['httpd', '-f', '-p', at]), at)
    }
    const instances = await eventually('both are exported', async () => {
      const points = [
        ...pointsOf(await agent.collect(), {
          metric: CONNECTS,
          resource: { 'k8s.pod.name': 'two' },
          point: { direction: 'outbound' },
        }),
      ]
      return points.length === 2 ? points.map(({ resource: of }) => of['service.instance.id']) : undefined
    })
    assert.deepEqual(instances.sort(), ['shop.two.c0', 'shop.two.c1'])
  })

  test('have no series where they are excluded by namespace or label', async () => {
    const excluded = [
      await busy(frontEnd({ name: 'system', namespace: 'kube-system' })),
      await busy(frontEnd({ name: 'hidden', labels: { app: 'hidden' } })),
    ].map(({ id }) => id)
    await resourceOf(await busy(frontEnd({ name: 'seen' })))
    const batch = await agent.collect()
    const ids = batch.map(({ resource }) => resource.attributes['container.id'])
    assert.deepEqual(
      ids.filter((id) => excluded.includes(String(id))),
      [],
    )
  })

  test('have a sandbox that is theirs', async (t) => {
    const pod = await containerd.runPod(frontEnd({ name: 'pausing' }))
    const containers = createContainers({ runtimes: [{ type: 'cri', socket: containerd.socket }] })
    t.after(() => containers.stop())
    await containers.start()
    const attributes = await eventually('the sandbox has a name', () => {
      const { attributes } = containers.byCgroup(pod.sandboxCgroupId)
      return attributes['k8s.pod.name'] === undefined ? undefined : attributes
    })
    assert.equal(attributes['container.id'], pod.sandboxId)
    assert.equal(attributes['k8s.pod.name'], 'pausing')
    assert.equal(attributes['service.instance.id'], 'shop.pausing')
    assert.equal('k8s.container.name' in attributes, false)
  })

  test('go by their path while containerd is down, and by their names from when it answers again', async () => {
    const pod = await containerd.runPod(frontEnd({ name: 'later' }))
    const at = String(++port)
    // Without containerd nothing can be started in it: it looks itself for what to do.
    const onDemand = `httpd -p ${at}; while :; do if rm /tmp/dial; then ${dialing(at)}; touch /tmp/done; fi; sleep 0.1; done`
    const container = await containerd.runContainer(pod, 'front-end', ['sh', '-c', onDemand])
    await containerd.kill()
    const downs: string[] = []
    const other = await startAgent({
      containers: { runtimes: [{ type: 'cri', socket: containerd.socket }], resolve_timeout: '100ms' },
      onDown: (part, detail) => downs.push(`${part}: ${detail}`),
    })
    /** By the name of their pod: opened in all, and open now. */
    const counted = async () => {
      const found: Record<string, number> = {}
      for (const { resource, value } of pointsOf(await other.collect(), {
        metric: CONNECTS,
        resource: { 'container.id': container.id },
        point: { direction: 'outbound' },
      }))
        found[String(resource['k8s.pod.name'] ?? resource['k8s.pod.uid'])] = value
      return Object.keys(found).length > 0 ? found : undefined
    }
    try {
      writeFileSync(`/proc/${container.pid}/root/tmp/dial`, '')
      await eventually('it dialled', () => existsSync(`/proc/${container.pid}/root/tmp/done`) || undefined)
      assert.deepEqual(await eventually('it is exported', counted), { [pod.uid]: CONNECTIONS })
      await containerd.restart()
      const before: Record<string, number>[] = []
      await eventually('it has its name', async () => {
        const found = await counted()
        if (found) before.push(found)
        return found?.later === undefined ? undefined : found
      })
      await dial(container, at)
      assert.deepEqual(await counted(), { later: CONNECTIONS })
      assert.equal(downs.filter((line) => line.includes(containerd.socket)).length, 1, downs.join('\n'))
      assert.deepEqual(before[0], { [pod.uid]: CONNECTIONS }, 'what was told before stays as it was')
    } finally {
      await other.stop()
    }
  })
})
