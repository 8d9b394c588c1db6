import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type Keep,
  trimEndpointSlice,
  trimNode,
  trimOwner,
  trimPod,
  trimService,
} from '../../src/kubernetes/objects.ts'
import { named, readRecorded } from './recorded.ts'

const ALL: Keep = { label: () => true, annotation: () => true }
const at = (time: string) => Date.parse(`2026-11-28T${time}Z`)
const { pods, services, endpointslices, nodes, replicasets, jobs } = readRecorded()
const pod = (name: string) => trimPod(named(pods, name), ALL)!

describe('a pod', () => {
  it('is this much of what the API server tells', () => {
    assert.deepEqual(pod('web-5c8f55f57d-j9fg6'), {
      uid: 'b0fc0ce3-c656-452f-9e9a-ac9557f8ed2a',
      name: 'web-5c8f55f57d-j9fg6',
      namespace: 'default',
      labels: { app: 'web', 'pod-template-hash': '5c8f55f57d' },
      annotations: {},
      nodeName: 'n1',
      hostNetwork: false,
      controller: {
        kind: 'ReplicaSet',
        name: 'web-5c8f55f57d',
        uid: named(replicasets, 'web').metadata.uid,
        group: 'apps',
      },
      addresses: ['10.244.1.2'],
      heldFromMs: at('08:50:36'),
      containers: [
        {
          name: 'server',
          image: 'localhost/busybox:1',
          ids: [pod('web-5c8f55f57d-j9fg6').containers[0]!.ids[0]],
        },
      ],
    })
    assert.match(pod('web').containers[0]!.ids[0]!, /^[0-9a-f]{64}$/)
  })

  it("has no address of its own on the host's network", () => {
    const { hostNetwork, addresses, containers } = pod('netvitals')
    assert.deepEqual([hostNetwork, addresses], [true, []])
    assert.deepEqual(
      containers.map(({ name }) => name),
      ['netvitals', 'otel-collector'],
    )
  })

  it('that came to its end had its address until its last container ended', () => {
    assert.equal(pod('once').endedMs, at('08:54:19'))
    assert.equal(pod('web').endedMs, undefined)
  })

  it('has the ids of what crashed before too', () => {
    const ids = pod('crasher').containers[0]!.ids.map((id) => id.slice(0, 12))
    assert.deepEqual(ids, ['92246eb041d6', 'e33749f4a9dd'])
    assert.equal(pod('crasher').heldFromMs, at('08:54:17'))
  })

  it('keeps the labels and annotations that are asked for', () => {
    const raw = { metadata: { uid: 'u', name: 'p', labels: { a: '1', b: '2' }, annotations: { c: '3', d: 4 } } }
    const { labels, annotations } = trimPod(raw, { label: (key) => key === 'b', annotation: () => true })!
    assert.deepEqual([labels, annotations], [{ b: '2' }, { c: '3' }])
  })

  it('that is static has the uid of its cgroups beside that of the API', () => {
    const metadata = {
      ...{ uid: 'mirror', name: 'etcd-n1', annotations: { 'kubernetes.io/config.hash': 'f00d' } },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'node', controller: true }],
    }
    const { localUid, controller } = trimPod({ metadata }, ALL)!
    assert.equal(localUid, 'f00d')
    assert.deepEqual(controller, { kind: 'Node', name: 'n1', uid: 'node', group: '' })
  })

  it('with two families has both addresses', () => {
    const status = { podIP: '10.1.0.5', podIPs: [{ ip: '10.1.0.5' }, { ip: 'FD00:0:0::5' }] }
    assert.deepEqual(trimPod({ metadata: { uid: 'u', name: 'p' }, status }, ALL)!.addresses, ['10.1.0.5', 'fd00::5'])
  })

  it('that is only planned has nothing but its name', () => {
    const { addresses, heldFromMs, containers } = trimPod({ metadata: { uid: 'u', name: 'p' } }, ALL)!
    assert.deepEqual([addresses, heldFromMs, containers], [[], undefined, []])
  })

  for (const [what, raw] of [
    ['nothing', {}],
    ['metadata of another type', { metadata: 'x' }],
    ['a uid of another type', { metadata: { uid: 7, name: 'p' } }],
    ['no name', { metadata: { uid: 'u' } }],
  ] as const) {
    it(`with ${what} is none`, () => assert.equal(trimPod(raw, ALL), undefined))
  }

  it('whose parts are of other types is what is left', () => {
    const status = {
      podIPs: 'x',
      containerStatuses: [null, 3, { name: 'c', containerID: 9 }],
      phase: {},
      conditions: {},
    }
    const raw = { metadata: { uid: 'u', name: 'p', labels: [], ownerReferences: {} }, spec: [], status }
    assert.deepEqual(trimPod(raw, ALL), {
      ...{ uid: 'u', name: 'p', namespace: '', labels: {}, annotations: {}, hostNetwork: false, addresses: [] },
      containers: [{ name: 'c', ids: [] }],
    })
  })
})

describe('a Service', () => {
  it('has its ClusterIP, ports and node ports', () => {
    const { name, namespace, clusterIps, externalIps, ports, nodePorts } = trimService(named(services, 'web-node'))!
    assert.deepEqual([name, namespace], ['web-node', 'default'])
    assert.deepEqual([clusterIps, externalIps, ports, nodePorts], [['10.96.227.138'], [], [8080], [30880]])
  })

  it('without a ClusterIP has none', () => {
    assert.deepEqual(trimService(named(services, 'collectors'))!.clusterIps, [])
  })

  it("has its external addresses and its load balancer's", () => {
    const spec = {
      clusterIPs: ['10.96.0.9', 'FD00::9'],
      externalIPs: ['203.0.113.7'],
      ports: [{ port: 53, protocol: 'UDP' }],
    }
    const status = { loadBalancer: { ingress: [{ ip: '198.51.100.1' }, { hostname: 'lb.example' }] } }
    const service = trimService({ metadata: { uid: 'u', name: 's' }, spec, status })!
    assert.deepEqual(service.clusterIps, ['10.96.0.9', 'fd00::9'])
    assert.deepEqual(service.externalIps, ['203.0.113.7', '198.51.100.1'])
    assert.deepEqual(service.ports, [])
  })
})

describe('an EndpointSlice', () => {
  it('has the pods behind its Service', () => {
    const { serviceName, ports, endpoints } = trimEndpointSlice(named(endpointslices, 'web-shsxb'))!
    assert.deepEqual([serviceName, ports], ['web', [9000, 8080]])
    assert.deepEqual(endpoints[0], {
      addresses: ['10.244.1.2'],
      pod: { uid: 'b0fc0ce3-c656-452f-9e9a-ac9557f8ed2a', name: 'web-5c8f55f57d-j9fg6', namespace: 'default' },
    })
  })

  it('made by hand has addresses alone', () => {
    assert.deepEqual(trimEndpointSlice(named(endpointslices, 'kubernetes'))!.endpoints, [{ addresses: ['10.99.0.1'] }])
  })

  it('of host names has none', () => {
    const raw = { metadata: { uid: 'u', name: 's' }, addressType: 'FQDN', endpoints: [{ addresses: ['a.example'] }] }
    assert.deepEqual(trimEndpointSlice(raw)!.endpoints, [])
  })
})

it('a node has its addresses, not its name, and the network of its pods', () => {
  assert.deepEqual(trimNode(named(nodes, 'n2')), {
    ...{ uid: named(nodes, 'n2').metadata.uid, name: 'n2', addresses: ['10.99.0.12'], podCidrs: ['10.244.2.0/24'] },
  })
})

it('a ReplicaSet and a Job name who made them', () => {
  const deployment = trimOwner(named(replicasets, 'client'), 'ReplicaSet')!.controller
  assert.deepEqual([deployment?.kind, deployment?.name], ['Deployment', 'client'])
  // `kubectl create job --from` makes the CronJob its controller.
  const cronJob = trimOwner(named(jobs, 'once'), 'Job')!.controller
  assert.deepEqual([cronJob?.kind, cronJob?.name], ['CronJob', 'nightly'])
})
