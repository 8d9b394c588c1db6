import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { cgroupPathOf } from '../containers/sandbox.ts'
import { eventually } from '../e2e/child.ts'
import { buildCollector } from '../e2e/collector.ts'
import { STACK_TRACE } from '../e2e/program.ts'
import { total } from '../e2e/received.ts'
import { type Cluster, createCluster, noCluster } from './cluster.ts'
import { type DeployedNetvitals, deployNetvitals } from './netvitals.ts'
import { containerIdOf, deployWorkload, type Pod, type Workload } from './workload.ts'

/** By their bits. @see include/uapi/linux/capability.h */
const CAPABILITIES = { NET_ADMIN: 12, NET_RAW: 13, SYS_PTRACE: 19, SYS_ADMIN: 21, PERFMON: 38, BPF: 39 }
const CONNECTS = 'container.net.tcp.successful_connects'

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
    const config = { receivers: { netvitals: { collection_interval: '1s' } } }
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
    const { client, servers, clusterIp } = workload
    const caller = { 'container.id': containerIdOf(client, 'caller') }
    await eventually('the client calls the Service', () => {
      const dialled = { ...caller, direction: 'outbound', 'destination.address': clusterIp, 'destination.port': 80 }
      return total(netvitals.received(client.spec.nodeName), CONNECTS, dialled) > 10 || undefined
    })
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

/** The container's one process, by the host's number: it shares the node's process namespace, so it is not a number 1. */
function processOf(id: string): string {
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && cgroupPathOf(name)?.endsWith(`/${id}`))
  if (pid === undefined) throw new Error(`no process of ${id}`)
  return pid
}
