import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch } from '../../src/component/types.ts'
import { noCertificates } from '../e2e/certificates.ts'
import { eventually } from '../e2e/child.ts'
import { type ApiServer, createApiServer } from '../kubernetes/api-server.ts'
import { kubeconfigOf, PATHS } from '../kubernetes/recorded.ts'
import { endpointSlice, node, type PodOptions, pod, replicaSet } from '../kubernetes/small-cluster.ts'
import { type Agent, agentUnavailable, startAgent } from './agent.ts'
import { type Container, createLab, type Lab, labUnavailable, type Namespace } from './lab.ts'
import { pointsOf } from './points.ts'
import { type Program, startProgram } from './programs.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? (await noCertificates()) ?? false
const CONNECTS = 'container.net.tcp.successful_connects'
const ACTIVE = 'container.net.tcp.active_connections'
const PORT = 8080
/** A change is looked at soon after it is heard of, and once more when its second is over. */
const SETTLED_MS = 2_500

/** A client's pod and two servers' pods of one Deployment, each in a namespace and cgroup of its own. */
describe('pods and their connections', { skip }, () => {
  let server: ApiServer
  let directory: string
  let lab: Lab
  let agent: Agent
  let client: Program
  let servers: Program[]
  const down: string[] = []

  before(async () => {
    server = await createApiServer()
    directory = mkdtempSync(join(tmpdir(), 'netvitals-naming-'))
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  })
  beforeEach(async () => {
    down.length = 0
    lab = createLab({ namespaces: 3 })
    const [west, ...east] = lab.namespaces as [Namespace, Namespace, Namespace]
    client = startProgram(lab, west, lab.container('kubepods'), 'drive')
    servers = east.map((namespace) => startProgram(lab, namespace, lab.container('kubepods'), 'serve'))
    for (const each of servers) await each.listen(`port=${PORT} family=4`)
    server.set(PATHS.nodes, [node('n1', '192.0.2.1')])
    server.set(PATHS.replicasets, [replicaSet('web'), replicaSet('client')])
    const web = servers.map((each, i) => podOf(each, { name: `web-${'ab'[i]}`, deployment: 'web' }))
    server.set(PATHS.endpointslices, [endpointSlice('web', PORT, web)])
    server.set(PATHS.pods, [podOf(client, { name: 'client-a', deployment: 'client' }), ...web])
    const kubeconfig = join(directory, 'config')
    writeFileSync(kubeconfig, JSON.stringify(kubeconfigOf(server)))
    agent = await startAgent({
      kubernetes: { kubeconfig },
      onDown: (part, detail) => down.push(`${part}: ${detail}`),
      probes: { interval: '1s', timeout: '500ms' },
    })
    for (const path of Object.values(PATHS))
      await eventually(`${path} is watched`, () => server.watching(path) > 0 || undefined)
  })
  afterEach(async () => {
    await agent?.stop()
    await lab.close()
    await server.reset()
  })

  const uidOf = ({ cgroup }: Container) => basename(dirname(cgroup)).slice('pod'.length)

  const podOf = ({ container, namespace }: Program, options: PodOptions) =>
    pod({ uid: uidOf(container), address: namespace.ipv4, containerId: container.id, ...options })

  /** Values of a metric's points by `<pod of the container> <attribute> ...`. */
  function values(batch: Batch, metric: string, ...attributes: string[]): Record<string, number> {
    return Object.fromEntries(
      [...pointsOf(batch, { metric })]
        .filter(({ resource }) => resource['k8s.namespace.name'] === 'shop')
        .map((point) => [
          [point.resource['k8s.pod.name'], ...attributes.map((name) => point.attributes[name] ?? '-')].join(' '),
          point.value,
        ]),
    )
  }

  const to = (of: Program) => `connect to=${of.namespace.ipv4}:${PORT}`

  it('are named at both ends: by the pod that answers, and by the workload that calls', {
    timeout: 60_000,
  }, async () => {
    await client.command(`${to(servers[0]!)} n=5 end=client_fin`)
    await client.command(`${to(servers[1]!)} n=3 end=client_fin`)
    const batch = await agent.collect()
    const both = ['direction', 'k8s.dst.name', 'k8s.dst.owner.name', 'k8s.dst.service.name', 'destination.scope']
    assert.deepEqual(values(batch, CONNECTS, ...both, 'k8s.src.owner.name', 'source.scope'), {
      'client-a outbound web-a web web cluster - -': 5,
      'client-a outbound web-b web web cluster - -': 3,
      'web-a inbound - - - cluster client cluster': 5,
      'web-b inbound - - - cluster client cluster': 3,
    })
    for (const { resource } of pointsOf(batch, { metric: CONNECTS, resource: { 'k8s.pod.name': 'client-a' } })) {
      assert.equal(resource['k8s.deployment.name'], 'client')
      assert.equal(resource['k8s.container.name'], 'main')
      assert.equal(resource['service.name'], 'client')
      assert.equal(resource['container.image.name'], 'example/main:1')
    }
    assert.deepEqual(down, [])
  })

  it('are not taken for those of a pod that has their address later', { timeout: 90_000 }, async () => {
    const [first] = servers as [Program]
    await client.command(`${to(first)} n=2 end=more`)
    const names = async (metric: string) => values(await agent.collect(), metric, 'k8s.dst.name')
    assert.deepEqual(await names(ACTIVE), { 'client-a web-a': 2, 'web-a -': 2 })
    server.event(PATHS.pods, 'DELETED', podOf(first, { name: 'web-a', deployment: 'web' }))
    await sleep(SETTLED_MS)
    const next = { name: 'other-a', uid: 'another', containerId: 'c'.repeat(64), startedMs: Date.now() }
    server.event(PATHS.pods, 'ADDED', podOf(first, next))
    await sleep(SETTLED_MS)
    await client.command(`${to(first)} n=3 end=more`)
    const active = await names(ACTIVE)
    assert.equal(active['client-a web-a'], 2)
    assert.equal(active['client-a other-a'], 3)
    const latency = async () => Object.keys(await names('container.net.latency'))
    await eventually('the probe is of the new one alone', async () => {
      return (await latency()).join() === 'client-a other-a' || undefined
    })
  })

  it('keep their names while the API server is away or answers nonsense', { timeout: 60_000 }, async () => {
    await client.command(`${to(servers[0]!)} n=2 end=client_fin`)
    await agent.collect()
    for (const answer of ['', '{"items": 5', '<html>']) {
      server.gate = (_asked, response) => {
        if (answer === '') response.destroy()
        else response.end(answer)
        return true
      }
      for (const path of Object.values(PATHS)) server.endWatches(path)
      await sleep(300)
      await client.command(`${to(servers[0]!)} n=2 end=client_fin`)
    }
    const batch = await agent.collect()
    assert.deepEqual(values(batch, CONNECTS, 'k8s.dst.name', 'k8s.src.owner.name'), {
      'client-a web-a -': 8,
      'web-a - client': 8,
    })
    assert.match(down.join('\n'), /^kubernetes: names are as old as this: \w+ as of [^\n]*$/)
  })
})
