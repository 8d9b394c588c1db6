import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { eventually } from '../e2e/child.ts'
import { type Cluster, createCluster, noCluster } from './cluster.ts'
import { containerIdOf, deployWorkload, type Workload } from './workload.ts'

describe('the API of a real cluster', { skip: (await noCluster()) ?? false }, () => {
  let cluster: Cluster
  let workload: Workload

  before(async () => {
    cluster = await createCluster()
    workload = await deployWorkload(cluster)
  })
  after(() => cluster?.[Symbol.asyncDispose]())

  const web = { kind: 'Pod', namespace: 'default', ownerKind: 'Deployment', ownerName: 'web' }

  it('names pods, Services and nodes by address', async () => {
    const { servers, clusterIp, nodePort } = workload
    const client = workload.clients[0]!
    const { peers, podCidrs, status } = await cluster.ask({
      addresses: [
        ...servers.map(({ status }): [string, number] => [status.podIP, 8080]),
        [client.status.podIP],
        ...[[clusterIp, 80] as const, ['10.96.0.1', 443] as const, ['10.99.0.1', 6443] as const].map(
          ([address, port]): [string, number] => [address, port],
        ),
        ...cluster.nodes.map(({ address }): [string] => [address]),
        [cluster.nodes[0]!.address, nodePort],
      ],
    })
    const service = (name: string) => ({ kind: 'Service', name, namespace: 'default', serviceName: name })
    assert.deepEqual(peers, [
      ...servers.map(({ metadata }) => ({ ...web, name: metadata.name, serviceName: 'web' })),
      { ...web, name: client.metadata.name, ownerName: 'client' },
      ...[service('web'), service('kubernetes'), service('kubernetes')],
      ...cluster.nodes.map(({ name }) => ({ kind: 'Node', name })),
      service('web'),
    ])
    assert.deepEqual(
      podCidrs,
      cluster.nodes.map(({ podCidr }) => podCidr),
    )
    assert.deepEqual(
      status.map(({ failures }) => failures),
      status.map(() => 0),
    )
  })

  it('names containers by the id that stands in their cgroup', async () => {
    const client = workload.clients[0]!
    const id = containerIdOf(client, 'caller')
    const { containers } = await cluster.ask({ containerIds: [id] })
    assert.deepEqual(containers[0], {
      ...{ podName: client.metadata.name, namespace: 'default', podUid: client.metadata.uid, annotations: {} },
      ...{ labels: containers[0]?.labels, nodeName: client.spec.nodeName, hostNetwork: false, complete: true },
      ...{ owner: { kind: 'Deployment', name: 'client' }, containerName: 'caller', image: 'localhost/busybox:1' },
    })
    assert.equal(containers[0]?.labels.app, 'client')
    const node = cluster.nodes.find(({ name }) => name === client.spec.nodeName)!
    const cgroups = await node.sandbox.run(['sh', '-c', 'cat /proc/[0-9]*/cgroup 2>/dev/null; true'])
    assert.match(cgroups, new RegExp(`^0::.*/kubepods/.*/pod${client.metadata.uid}/${id}$`, 'm'))
  })

  it("gives a node its own pods, and names the other nodes' by their Services", async () => {
    const [own, other] = [...workload.servers].sort((a, b) => a.spec.nodeName.localeCompare(b.spec.nodeName))
    const { peers, containers, status } = await cluster.ask({
      ...{ mode: 'node', nodeName: own!.spec.nodeName },
      addresses: [own!, other!].map(({ status }): [string, number] => [status.podIP, 8080]),
      containerIds: [own!, other!].map((pod) => containerIdOf(pod, 'server')),
    })
    assert.deepEqual(peers, [
      { ...web, name: own!.metadata.name, serviceName: 'web' },
      { kind: 'Pod', name: other!.metadata.name, namespace: 'default', serviceName: 'web' },
    ])
    assert.equal(containers[0]?.podName, own!.metadata.name)
    assert.equal(containers[1], null)
    assert.ok(!status.some(({ resource }) => resource === 'replicasets'))
  })

  it('is asked for nothing beyond the rights in deploy/kubernetes/base/rbac.yaml', async () => {
    const file = await cluster.kubeconfigOfAgent()
    for (const mode of ['cluster', 'node'] as const) {
      const { peers, status } = await cluster.ask({
        ...{ kubeconfig: file, mode, nodeName: workload.clients[0]!.spec.nodeName },
        addresses: [[workload.clients[0]!.status.podIP]],
        containerIds: [containerIdOf(workload.clients[0]!, 'caller')],
      })
      assert.equal((peers[0] as { ownerName?: string } | null)?.ownerName, 'client', mode)
      assert.deepEqual(
        status.map(({ failures, problem }) => [failures, problem]),
        status.map(() => [0, undefined]),
        mode,
      )
    }
    const may = (...args: string[]) =>
      cluster.kubectl('auth', 'can-i', '--as=system:serviceaccount:netvitals:netvitals', '-A', ...args).then(
        () => true,
        () => false,
      )
    assert.deepEqual(
      await Promise.all([
        may('list', 'pods'),
        may('list', 'secrets'),
        may('list', 'configmaps'),
        may('delete', 'pods'),
      ]),
      [true, false, false, false],
    )
  })

  it('tells no pod by the address of one that a rollout has replaced', async () => {
    const before = workload.servers.map(({ status }) => status.podIP)
    await cluster.kubectl('rollout', 'restart', 'deployment/web')
    await cluster.rolledOut('deployment/web')
    const pods = () => cluster.get<{ items: Workload['servers'] }>('pods', '-l', 'app=web')
    const { items } = await eventually('the old ones are gone', async () => {
      const list = await pods()
      return list.items.length === workload.servers.length ? list : undefined
    })
    const addresses = [...before, ...items.map(({ status }) => status.podIP)]
    const { peers } = await cluster.ask({ addresses: addresses.map((address): [string] => [address]) })
    assert.deepEqual(
      peers.map((peer) => (peer as { name: string } | null)?.name),
      addresses.map((address) => items.find(({ status }) => status.podIP === address)?.metadata.name),
    )
  })
})
