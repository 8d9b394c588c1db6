import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../e2e/child.ts'
import { buildCollector } from '../e2e/collector.ts'
import { STACK_TRACE } from '../e2e/program.ts'
import { total } from '../e2e/received.ts'
import { type Cluster, createCluster, noCluster } from './cluster.ts'
import { type DeployedNetvitals, deployNetvitals } from './netvitals.ts'
import { processOf } from './processes.ts'
import { containerIdOf, deployWorkload, type Pod, type Workload } from './workload.ts'

/** By their bits. @see include/uapi/linux/capability.h */
const CAPABILITIES = { NET_ADMIN: 12, NET_RAW: 13, SYS_PTRACE: 19, SYS_ADMIN: 21, PERFMON: 38, BPF: 39 }
const CONNECTS = 'container.net.tcp.successful_connects'
const LATENCY = 'container.net.latency'

interface DaemonSetPod {
  readonly hostPID?: boolean
  readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[]
  readonly containers: readonly { readonly name: string; readonly securityContext: Record<string, unknown> }[]
}

interface RuntimeHandler {
  readonly features?: { readonly recursiveReadOnlyMounts?: boolean }
}

const collector = await buildCollector()

describe('netvitals as a DaemonSet', { skip: (await noCluster()) ?? collector.skip ?? false }, () => {
  let cluster: Cluster
  let workload: Workload
  let netvitals: DeployedNetvitals

  before(async () => {
    cluster = await createCluster()
    workload = await deployWorkload(cluster)
    // Of the machine's other containers, which other tests may make by the thousand, nothing is wanted.
    const containers = { include: [{ namespaces: ['*'] }] }
    const config = { receivers: { netvitals: { collection_interval: '1s', containers } } }
    netvitals = await deployNetvitals(cluster, { collector: collector.path!, config })
  })
  after(() => cluster?.[Symbol.asyncDispose]())

  /** Of its first process, in the machine's /proc. */
  const proc = (pod: Pod, file: string, container = 'netvitals') =>
    readFileSync(join('/proc', processOf(containerIdOf(pod, container)), file), 'utf8')

  it('runs on every node, and says nothing of anything being down', async () => {
    assert.deepEqual(
      netvitals.pods.map(({ spec }) => spec.nodeName).sort(),
      cluster.nodes.map(({ name }) => name),
    )
    for (const pod of netvitals.pods) {
      const log = await eventually('it is ready', async () => {
        const text = await netvitals.log(pod)
        return text.includes('Everything is ready') ? text : undefined
      })
      assert.doesNotMatch(log, STACK_TRACE)
      assert.doesNotMatch(log, /\t(warn|error|fatal)\t/)
    }
  })

  it('has these capabilities and no other, and is not privileged', async () => {
    const expected = Object.values(CAPABILITIES).reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n)
    for (const pod of netvitals.pods) {
      const status = proc(pod, 'status')
      for (const set of ['CapEff', 'CapPrm', 'CapBnd']) {
        assert.equal(BigInt(`0x${new RegExp(`^${set}:\\s*(\\w+)$`, 'm').exec(status)![1]}`), expected, set)
      }
      // Filtered.
      assert.match(status, /^Seccomp:\s*2$/m)
      assert.match(proc(pod, 'status', 'otel-collector'), /^CapEff:\s*0+$/m)
    }
    const { spec } = await cluster.get<{ spec: { template: { spec: DaemonSetPod } } }>(
      'daemonset/netvitals',
      '-n',
      'netvitals',
    )
    for (const { name, securityContext } of spec.template.spec.containers) {
      assert.equal(securityContext.privileged, false, name)
      assert.equal(securityContext.readOnlyRootFilesystem, true, name)
    }
  })

  it("sees the node's processes and cgroups, which it can't write to, and no runtime's socket", async (t) => {
    const node = await cluster.get<{ status: { runtimeHandlers?: RuntimeHandler[] } }>('node', 'n1')
    const recursive = node.status.runtimeHandlers?.some(({ features }) => features?.recursiveReadOnlyMounts) ?? false
    if (!recursive) t.diagnostic('this containerd mounts only the top read-only: on a hybrid host not what is below')
    for (const pod of netvitals.pods) {
      const mounts = proc(pod, 'mountinfo').trim().split('\n')
      const optionsAt = (match: (place: string) => boolean) =>
        mounts.filter((line) => match(line.split(' ')[4]!)).map((line) => line.split(' ')[5]!.split(',')[0])
      for (const place of ['/', '/host/sys/fs/cgroup'])
        assert.deepEqual(
          optionsAt((at) => at === place),
          ['ro'],
          place,
        )
      const below = optionsAt((at) => recursive && at.startsWith('/host/'))
      assert.ok(!below.includes('rw'), mounts.join('\n'))
      assert.ok(!mounts.some((line) => /\.sock\b|\/run\/(containerd|crio|docker|podman)/.test(line)), mounts.join('\n'))
      // Its own /proc is the node's: number 1 is the node's first.
      assert.match(proc(pod, 'status'), /^NSpid:\t\d+\t\d+$/m)
    }
  })

  it('delivers over loopback what the pods of its node do, by the ids of their containers', async () => {
    const { clients, servers, clusterIp } = workload
    for (const client of clients) {
      const caller = { 'container.id': containerIdOf(client, 'caller') }
      const dialled = { ...caller, direction: 'outbound', 'destination.address': clusterIp, 'destination.port': 80 }
      await eventually(
        `${client.metadata.name} calls the Service`,
        () => total(netvitals.received(client.spec.nodeName), CONNECTS, dialled) > 10 || undefined,
      )
    }
    for (const server of servers) {
      const listening = {
        'container.id': containerIdOf(server, 'server'),
        direction: 'inbound',
        'destination.port': 8080,
      }
      await eventually(
        `${server.metadata.name} is called`,
        () => total(netvitals.received(server.spec.nodeName), CONNECTS, listening) > 10 || undefined,
      )
    }
  })

  it('names the pods of both ends, the Service that was dialled, and the workload that calls', async () => {
    const { clients, servers, clusterIp } = workload
    const pairs = clients.flatMap((client) => servers.map((server) => ({ client, server })))
    for (const { client, server } of pairs) {
      const { metadata, status } = server
      const name = client.metadata.name
      const from = { 'k8s.pod.name': name, 'k8s.deployment.name': 'client', 'k8s.node.name': client.spec.nodeName }
      const dialled = { direction: 'outbound', 'destination.address': clusterIp, 'destination.port': 80 }
      const reached = { 'network.peer.address': status.podIP, 'network.peer.port': 8080, 'k8s.dst.name': metadata.name }
      const named = { 'k8s.dst.namespace': 'default', 'k8s.dst.owner.name': 'web', 'k8s.dst.type': 'Pod' }
      const by = { 'k8s.dst.service.name': 'web', 'destination.scope': 'cluster' }
      await eventually(`${name} reaches ${metadata.name} by its Service`, () => {
        const received = netvitals.received(client.spec.nodeName)
        return total(received, CONNECTS, { ...from, ...dialled, ...reached, ...named, ...by }) > 10 || undefined
      })
    }
    for (const { metadata, spec } of servers) {
      const inbound = { 'k8s.pod.name': metadata.name, direction: 'inbound', 'destination.port': 8080 }
      const from = { 'source.scope': 'cluster', 'k8s.src.namespace': 'default', 'k8s.src.type': 'Pod' }
      const who = { 'k8s.src.owner.name': 'client', 'k8s.deployment.name': 'web', 'k8s.container.name': 'server' }
      await eventually(`${metadata.name} is called by its client`, () => {
        const received = netvitals.received(spec.nodeName)
        return total(received, CONNECTS, { ...inbound, ...from, ...who }) > 10 || undefined
      })
    }
    for (const { client, server } of pairs)
      await eventually(`${client.metadata.name} pings ${server.metadata.name} under its name`, () => {
        const latencies = netvitals
          .received(client.spec.nodeName)
          .filter(({ name, resource }) => name === LATENCY && resource['k8s.pod.name'] === client.metadata.name)
          .filter(({ attributes }) => attributes['destination.address'] === server.status.podIP)
        const names = new Set(latencies.map(({ attributes }) => attributes['k8s.dst.name']))
        return (names.size === 1 && names.has(server.metadata.name)) || undefined
      })
  })

  it('gives no series a wrong pod while the servers are replaced under traffic', async () => {
    const pods = async () => (await cluster.get<{ items: Pod[] }>('pods', '-A')).items
    /** Names of the pods that were seen with an address, and with a container. */
    const holders = new Map<string, Set<string>>()
    const remember = (items: readonly Pod[]) => {
      for (const pod of items)
        for (const key of [
          pod.status.podIP,
          ...(pod.status.containerStatuses ?? []).map(({ containerID }) => containerID),
        ])
          if (key) holders.set(key, (holders.get(key) ?? new Set()).add(pod.metadata.name))
    }
    remember(await pods())
    let done = false
    const watching = (async () => {
      while (!done) {
        remember(await pods())
        await sleep(1_000)
      }
    })()
    try {
      await cluster.kubectl('rollout', 'restart', 'deployment/web')
      await cluster.rolledOut('deployment/web')
      const old = new Set(workload.servers.map(({ metadata }) => metadata.uid))
      const { items } = await cluster.get<{ items: Pod[] }>('pods', '-l', 'app=web')
      const fresh = items.filter(({ metadata }) => !old.has(metadata.uid))
      assert.equal(fresh.length, workload.servers.length)
      for (const client of workload.clients)
        for (const { metadata } of fresh) {
          const from = { 'k8s.pod.name': client.metadata.name, direction: 'outbound' }
          const reached = { ...from, 'k8s.dst.name': metadata.name, 'k8s.dst.service.name': 'web' }
          await eventually(
            `${client.metadata.name} reaches ${metadata.name}`,
            () => total(netvitals.received(client.spec.nodeName), CONNECTS, reached) > 5 || undefined,
            60_000,
          )
        }
    } finally {
      done = true
      await watching
    }
    for (const { name } of cluster.nodes) {
      const received = netvitals.received(name)
      const answering = received
        .filter(({ attributes }) => attributes['k8s.dst.type'] === 'Pod')
        .map(({ attributes }) => [
          attributes['network.peer.address'] ?? attributes['destination.address'],
          attributes['k8s.dst.name'],
        ])
      const own = received
        .filter(({ resource }) => resource['k8s.pod.name'] !== undefined)
        .map(({ resource }) => [`containerd://${resource['container.id']}`, resource['k8s.pod.name']])
      for (const pairs of [answering, own]) {
        const known = pairs.filter(([key]) => holders.has(String(key)))
        assert.ok(known.length > 20, name)
        assert.deepEqual(
          known.filter(([key, pod]) => !holders.get(String(key))!.has(String(pod))),
          [],
        )
      }
    }
  })

  it('ends well when it is taken away', async () => {
    const [pod] = netvitals.pods
    const following = netvitals.log(pod!, 'netvitals', '--follow')
    await cluster.kubectl('delete', 'pod', '-n', 'netvitals', pod!.metadata.name)
    const log = await following
    assert.match(log, /Shutdown complete\.\s*$/)
    assert.doesNotMatch(log, STACK_TRACE)
    await cluster.rolledOut('daemonset/netvitals', 'netvitals')
  })
})
