import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { type Change, createKubernetes, type Kubernetes, type KubernetesOptions } from '../../src/kubernetes/index.ts'
import { TIMING } from '../../src/kubernetes/reflector.ts'
import { noCertificates } from '../e2e/certificates.ts'
import { eventually } from '../e2e/child.ts'
import { type ApiServer, createApiServer, type ObjectJson, refuse } from './api-server.ts'
import { bigCluster, containerId, podAddress } from './big-cluster.ts'
import { named, PATHS, type Recorded, readRecorded, setAll } from './recorded.ts'

const SERVER_POD = '10.244.1.2'
const timing = { ...TIMING, backoffMs: 5, maxBackoffMs: 20, stableMs: 50 }

describe('a cluster', { skip: (await noCertificates()) ?? false }, () => {
  let server: ApiServer
  let kubernetes: Kubernetes
  let recorded: Recorded
  const changes: Change[] = []

  before(async () => {
    server = await createApiServer()
  })
  after(() => server[Symbol.asyncDispose]())
  beforeEach(() => {
    recorded = readRecorded()
    changes.length = 0
  })
  afterEach(async () => {
    kubernetes.stop()
    await server.reset()
  })

  async function start(options: Partial<KubernetesOptions> = {}): Promise<void> {
    kubernetes = createKubernetes({ access: server.access, timing, ...options })
    kubernetes.start()
    await kubernetes.whenSynced()
    kubernetes.onChange((change) => changes.push(change))
  }

  /** As recorded. */
  async function startRecorded(options: Partial<KubernetesOptions> = {}): Promise<void> {
    setAll(server, recorded)
    await start(options)
  }

  async function event(name: keyof typeof PATHS, type: string, object: ObjectJson): Promise<void> {
    await eventually(`${name} is watched`, () => server.watching(PATHS[name]) > 0 || undefined)
    server.event(PATHS[name], type, object)
  }

  const web = { kind: 'Pod', namespace: 'default', ownerKind: 'Deployment', ownerName: 'web' }
  const netvitals = { kind: 'Pod', namespace: 'netvitals', ownerKind: 'DaemonSet', ownerName: 'netvitals' }

  const peers: [what: string, address: string, port: number | undefined, peer: object | undefined][] = [
    ['a pod with its workload', SERVER_POD, undefined, { ...web, name: 'web-5c8f55f57d-j9fg6' }],
    ['its Service, by port', SERVER_POD, 9000, { ...web, name: 'web-5c8f55f57d-j9fg6', serviceName: 'web' }],
    ['no Service where two have the port', SERVER_POD, 8080, { ...web, name: 'web-5c8f55f57d-j9fg6' }],
    ['an IPv4-mapped address', `::ffff:${SERVER_POD}`, undefined, { ...web, name: 'web-5c8f55f57d-j9fg6' }],
    ['a Service', '10.96.185.211', 80, { kind: 'Service', name: 'web', namespace: 'default', serviceName: 'web' }],
    ['a node', '10.99.0.11', undefined, { kind: 'Node', name: 'n1' }],
    ['a node, at a port of nobody', '10.99.0.11', 10250, { kind: 'Node', name: 'n1' }],
    [
      'a pod that shares its node, by port',
      '10.99.0.11',
      8889,
      { ...netvitals, name: 'netvitals-6vjpr', serviceName: 'collectors' },
    ],
    [
      'a Service by its node port',
      '10.99.0.12',
      30880,
      { kind: 'Service', name: 'web-node', namespace: 'default', serviceName: 'web-node' },
    ],
    [
      'what an EndpointSlice made by hand points to',
      '10.99.0.1',
      6443,
      { kind: 'Service', name: 'kubernetes', namespace: 'default', serviceName: 'kubernetes' },
    ],
    ['nobody: the address of a job that has ended', '10.244.1.4', undefined, undefined],
    ['nobody: an address that no one has', '10.244.1.99', 80, undefined],
    ['nobody: what is no address', 'None', 80, undefined],
  ]
  it('names who is at an address', async () => {
    await startRecorded()
    for (const [what, address, port, peer] of peers) assert.deepEqual(kubernetes.byAddress(address, port), peer, what)
  })

  it('names a container by its id, with all that the pod says', async () => {
    await startRecorded()
    const pod = named(recorded.pods, 'client') as ObjectJson & {
      status: { containerStatuses: { containerID: string }[] }
    }
    const id = pod.status.containerStatuses[1]!.containerID.slice('containerd://'.length)
    assert.deepEqual(kubernetes.byContainerId(id), {
      ...{ podName: 'client-7bf4bb8464-xkn2p', namespace: 'default', podUid: pod.metadata.uid },
      ...{ labels: { app: 'client', 'pod-template-hash': '7bf4bb8464' }, annotations: {}, nodeName: 'n2' },
      ...{ hostNetwork: false, owner: { kind: 'Deployment', name: 'client' }, complete: true },
      ...{ containerName: 'poll', image: 'localhost/busybox:1' },
    })
    assert.equal(kubernetes.byContainerId('f'.repeat(64)), undefined)
    assert.equal(kubernetes.byPodUid(pod.metadata.uid)?.podName, 'client-7bf4bb8464-xkn2p')
    const job = kubernetes.byPodUid(named(recorded.pods, 'once').metadata.uid)
    assert.deepEqual(job?.owner, { kind: 'CronJob', name: 'nightly' })
  })

  it('knows the networks of pods, and which addresses are the own of the cluster', async () => {
    await startRecorded()
    assert.deepEqual(kubernetes.podCidrs(), ['10.244.1.0/24', '10.244.2.0/24'])
    const own = [SERVER_POD, `::ffff:${SERVER_POD}`, '10.96.0.1', '10.99.0.11', '10.244.1.4', '192.0.2.1']
    assert.deepEqual(own.map(kubernetes.isClusterAddress), [true, true, true, false, false, false])
  })

  it('asks for metadata alone where that is enough', async () => {
    const from = server.asked.length
    await startRecorded()
    const partial = server.asked
      .slice(from)
      .filter(({ headers, query }) => !query.has('watch') && headers.accept?.includes('PartialObjectMetadata'))
    assert.deepEqual(partial.map(({ path }) => path).sort(), [PATHS.replicasets, PATHS.jobs])
  })

  /** The same pod under another name, as a Deployment makes them. */
  function successor(seconds: number): ObjectJson {
    const startedAt = new Date(Date.now() + seconds * 1000).toISOString()
    const pod = structuredClone(named(readRecorded().pods, 'web-5c8f55f57d-j9fg6')) as never as {
      metadata: { name: string; uid: string }
      status: { conditions: []; containerStatuses: { containerID: string; state: unknown }[] }
    }
    Object.assign(pod.metadata, { name: 'web-5c8f55f57d-next', uid: 'next' })
    pod.status.conditions = []
    Object.assign(pod.status.containerStatuses[0]!, {
      containerID: `cri-o://${'b'.repeat(64)}`,
      state: { running: { startedAt } },
    })
    return pod as never
  }
  const nameAt = (atMs?: number) => kubernetes.byAddress(SERVER_POD, undefined, atMs)?.name

  it('does not confuse a new pod that got an old address', async () => {
    await startRecorded()
    const old = named(recorded.pods, 'web-5c8f55f57d-j9fg6')
    await event('pods', 'DELETED', old)
    await eventually('the old one is gone', () => changes.length > 0 || undefined)
    const goneMs = Date.now()
    assert.equal(kubernetes.byAddress(SERVER_POD, undefined, goneMs + 5_000), undefined)
    assert.equal(nameAt(goneMs - 60_000), old.metadata.name)

    await event('pods', 'ADDED', successor(20))
    await eventually('the new one is known', () => nameAt(Date.now() + 30_000))
    assert.equal(nameAt(Date.now() + 30_000), 'web-5c8f55f57d-next')
    assert.equal(nameAt(goneMs - 60_000), old.metadata.name)
    assert.equal(nameAt(goneMs + 10_000), undefined)
    assert.equal(kubernetes.byContainerId('b'.repeat(64))?.podName, 'web-5c8f55f57d-next')
  })

  it('gives an address to the newer pod although the end of the older has not been heard of', async () => {
    await startRecorded()
    await event('pods', 'ADDED', successor(-10))
    await eventually('the new one is known', () => nameAt() === 'web-5c8f55f57d-next' || undefined)
    assert.equal(nameAt(Date.now() - 60_000), 'web-5c8f55f57d-j9fg6')
  })

  it('takes the address from a pod when its containers have ended, though it keeps it in the API', async () => {
    await startRecorded()
    const finishedAt = new Date(Date.now() - 30_000).toISOString()
    const pod = structuredClone(named(recorded.pods, 'web-5c8f55f57d-j9fg6')) as never as {
      status: { phase: string; containerStatuses: { state: unknown }[] }
    }
    pod.status.phase = 'Failed'
    pod.status.containerStatuses[0]!.state = { terminated: { finishedAt } }
    await event('pods', 'MODIFIED', pod as never)
    await eventually('it has ended', () => changes.length > 0 || undefined)
    assert.equal(nameAt(), undefined)
    assert.equal(nameAt(Date.now() - 25_000), undefined)
    assert.equal(nameAt(Date.now() - 35_000), 'web-5c8f55f57d-j9fg6')
    assert.equal(kubernetes.isClusterAddress('10.244.1.4'), false)
  })

  it('answers for a pod that is gone, and for no longer than it lingers', async () => {
    let later = 0
    await startRecorded({ lingerMs: 60_000, now: () => Date.now() + later })
    const pod = named(recorded.pods, 'crasher')
    const ids = [
      '92246eb041d6c1ac1f1bf335b1fe1439b2697e3586ac3d9a87ddb19dabbc8deb',
      'e33749f4a9dd9da6f0323575256ffb0ae79476c720a4f63a89a32ed56361c601',
    ]
    await event('pods', 'DELETED', pod)
    await eventually('it is gone', () => changes.length > 0 || undefined)
    assert.deepEqual(changes[0], { containerIds: ids, addresses: ['10.244.1.3'] })
    for (const id of ids) assert.equal(kubernetes.byContainerId(id)?.podName, 'crasher')
    later = 61_000
    await event('pods', 'DELETED', named(recorded.pods, 'once'))
    await eventually('it is forgotten', () => kubernetes.byContainerId(ids[0]!) === undefined || undefined)
    assert.equal(kubernetes.byPodUid(pod.metadata.uid), undefined)
    assert.equal(kubernetes.byAddress('10.244.1.3', undefined, Date.now()), undefined)
  })

  it('takes back a pod that a list had missed', async () => {
    let later = 0
    await startRecorded({ lingerMs: 60_000, now: () => Date.now() + later })
    const pod = named(recorded.pods, 'web-5c8f55f57d-j9fg6')
    await event('pods', 'DELETED', pod)
    await event('pods', 'ADDED', pod)
    await eventually('it is back', () => changes.length === 2 || undefined)
    later = 100_000
    await event('pods', 'DELETED', named(recorded.pods, 'once'))
    await eventually('three changes', () => changes.length >= 3 || undefined)
    assert.equal(kubernetes.byAddress(SERVER_POD, undefined, Date.now() + later)?.ownerName, 'web')
    assert.equal(kubernetes.byPodUid(pod.metadata.uid)?.podName, pod.metadata.name)
  })

  it('tells of what may be answered otherwise, and of nothing else', async () => {
    await startRecorded()
    const pod = named(recorded.pods, 'web-5c8f55f57d-j9fg6') as ObjectJson & { status: { conditions: object[] } }
    const probed = structuredClone(pod)
    probed.status.conditions[2] = { type: 'Ready', status: 'False' }
    await event('pods', 'MODIFIED', probed)
    await event('nodes', 'MODIFIED', named(recorded.nodes, 'n1'))
    await event('endpointslices', 'MODIFIED', named(recorded.endpointslices, 'web-shsxb'))
    const labelled = structuredClone(probed)
    Object.assign(labelled.metadata, { labels: { app: 'other' } })
    await event('pods', 'MODIFIED', labelled)
    await eventually('the change', () => changes.length > 0 || undefined)
    assert.equal(changes.length, 1)
    assert.deepEqual(changes[0]!.addresses, [SERVER_POD])
    assert.equal(changes[0]!.containerIds.length, 1)

    const slice = structuredClone(named(recorded.endpointslices, 'web-shsxb')) as ObjectJson & { endpoints: object[] }
    slice.endpoints.pop()
    await event('endpointslices', 'MODIFIED', slice)
    await eventually('the change', () => changes.length > 1 || undefined)
    assert.deepEqual(changes[1], { containerIds: [], addresses: ['10.244.2.3'] })
    assert.equal(kubernetes.byAddress('10.244.2.3', 9000)?.serviceName, undefined)
  })

  it('corrects the workload when the ReplicaSet comes after its pod', async () => {
    const replicaSet = named(recorded.replicasets, 'web')
    recorded.replicasets = recorded.replicasets.filter((object) => object !== replicaSet)
    await startRecorded()
    const uid = named(recorded.pods, 'web-5c8f55f57d-j9fg6').metadata.uid
    const before = kubernetes.byPodUid(uid)
    assert.deepEqual([before?.owner?.kind, before?.complete], ['ReplicaSet', false])
    await event('replicasets', 'ADDED', replicaSet)
    await eventually('the workload', () => kubernetes.byPodUid(uid)?.complete || undefined)
    assert.deepEqual(kubernetes.byPodUid(uid)?.owner, { kind: 'Deployment', name: 'web' })
    assert.deepEqual(changes.map(({ addresses }) => addresses[0]).sort(), [SERVER_POD, '10.244.2.3'])
    // A Deployment that is deleted loses its ReplicaSet before its pods.
    await event('replicasets', 'DELETED', replicaSet)
    await event('pods', 'MODIFIED', { ...named(recorded.pods, 'web-5c8f55f57d-j9fg6'), spec: { nodeName: 'n9' } })
    await eventually('the pod has changed', () => kubernetes.byPodUid(uid)?.nodeName === 'n9' || undefined)
    assert.deepEqual(kubernetes.byPodUid(uid)?.owner, { kind: 'Deployment', name: 'web' })
  })

  it('keeps all that it knows while the server is away, and catches up', async () => {
    await startRecorded()
    for (const path of Object.values(PATHS)) await eventually('watched', () => server.watching(path) || undefined)
    server.gate = (_asked, response) => {
      response.destroy()
      return true
    }
    for (const path of Object.values(PATHS)) server.endWatches(path)
    await eventually('all are down', () => kubernetes.status().every(({ problem }) => problem) || undefined)
    for (const [what, address, port, peer] of peers) assert.deepEqual(kubernetes.byAddress(address, port), peer, what)
    server.gate = undefined
    await event('pods', 'ADDED', successor(-10))
    await eventually('the new one is known', () => nameAt() === 'web-5c8f55f57d-next' || undefined)
    await eventually(
      'all are well',
      () => kubernetes.status().every(({ problem }) => problem === undefined) || undefined,
    )
  })

  it('does without what it may not list', async () => {
    server.gate = (asked, response) => {
      if (asked.path !== PATHS.endpointslices) return false
      refuse(403, 'forbidden')(asked, response)
      return true
    }
    setAll(server, recorded)
    kubernetes = createKubernetes({ access: server.access, timing })
    kubernetes.start()
    await eventually('the pods', () => kubernetes.byAddress(SERVER_POD, 9000)?.ownerName)
    const status = kubernetes.status().find(({ resource }) => resource === 'endpointslices')
    assert.match(status?.problem ?? '', /^403 forbidden; allow list and watch of endpointslices/)
  })

  it('stops before it has started, and twice', async () => {
    kubernetes = createKubernetes({ access: server.access })
    kubernetes.stop()
    kubernetes.stop()
    await kubernetes.whenSynced()
    assert.equal(kubernetes.byAddress(SERVER_POD), undefined)
  })

  it('takes 5,000 pods of 8 kB in one list, though the server ignores its pages', async () => {
    const objects = bigCluster(5_000)
    const pods = objects[PATHS.pods]!
    for (const [path, items] of Object.entries(objects)) server.set(path, items)
    let length = 0
    server.next('list', PATHS.pods, (_asked, response) => {
      const text = JSON.stringify({ kind: 'PodList', metadata: { resourceVersion: '5' }, items: pods })
      length = text.length
      response.writeHead(200).end(text)
    })
    await start()
    assert.ok(length > 38e6, `${length} bytes`)
    for (let n = 0; n < 5_000; n += 7) {
      const peer = kubernetes.byAddress(podAddress(n), 8080)
      assert.equal(peer?.name, pods[n]!.metadata.name)
      assert.equal(peer.ownerName, `app-${Math.floor(n / 10)}`)
      assert.equal(peer.serviceName, peer.ownerName)
      assert.equal(kubernetes.byContainerId(containerId(2 * n))?.podName, peer.name)
    }
  })

  describe('seen from one node', () => {
    /** The server picks by node, and knows the single ReplicaSets and Jobs. */
    function onlyN2(answer: (object: ObjectJson | undefined) => ObjectJson | undefined = (object) => object): void {
      recorded.pods = recorded.pods.filter(({ spec }) => (spec as { nodeName: string }).nodeName === 'n2')
      server.gate = ({ path }, response) => {
        const [, kind, name] = /\/namespaces\/\w+\/(\w+)\/([\w-]+)$/.exec(path) ?? []
        if (kind === undefined) return false
        const object = answer(recorded[kind as keyof Recorded].find(({ metadata }) => metadata.name === name))
        response.writeHead(object ? 200 : 404).end(JSON.stringify(object ?? { message: 'not found' }))
        return true
      }
    }
    const node = { mode: 'node', nodeName: 'n2' } as const
    const client = () => kubernetes.byAddress('10.244.2.2')
    const resolved = () => eventually('the workload', () => client()?.ownerKind === 'Deployment' || undefined)

    it('asks for its own pods, and for their ReplicaSets alone', async () => {
      const from = server.asked.length
      onlyN2()
      await startRecorded(node)
      await resolved()
      const asked = server.asked.slice(from)
      const pods = asked.filter(({ path }) => path === PATHS.pods)
      assert.deepEqual(
        pods.map(({ query }) => query.get('fieldSelector')),
        pods.map(() => 'spec.nodeName=n2'),
      )
      assert.ok(!asked.some(({ path }) => path === PATHS.replicasets || path === PATHS.jobs))
      const single = asked.filter(({ path }) => path.includes('/namespaces/'))
      assert.deepEqual(single.map(({ path }) => path).sort(), [
        '/apis/apps/v1/namespaces/default/replicasets/client-7bf4bb8464',
        '/apis/apps/v1/namespaces/default/replicasets/web-5c8f55f57d',
      ])
    })

    it('names the rest by the EndpointSlices that they are in', async () => {
      onlyN2()
      await startRecorded(node)
      assert.deepEqual(kubernetes.byAddress(SERVER_POD, 9000), {
        ...{ kind: 'Pod', name: 'web-5c8f55f57d-j9fg6', namespace: 'default', serviceName: 'web' },
      })
      assert.deepEqual(kubernetes.byAddress('10.99.0.11', 8889), {
        ...{ kind: 'Pod', name: 'netvitals-6vjpr', namespace: 'netvitals', serviceName: 'collectors' },
      })
      assert.deepEqual(kubernetes.byAddress('10.99.0.11'), { kind: 'Node', name: 'n1' })
      assert.deepEqual([SERVER_POD, '10.99.0.11'].map(kubernetes.isClusterAddress), [true, false])
      // A pod of another node in no Service.
      assert.equal(kubernetes.byAddress('10.244.1.3'), undefined)
    })

    it('names a new pod in a slice from when it came there on', async () => {
      onlyN2()
      await startRecorded(node)
      for (const prefix of ['web-shsxb', 'web-node']) {
        const slice = structuredClone(named(recorded.endpointslices, prefix)) as ObjectJson & {
          endpoints: { targetRef: object }[]
        }
        Object.assign(slice.endpoints[0]!.targetRef, { name: 'web-next', uid: 'next' })
        await event('endpointslices', 'MODIFIED', slice)
      }
      await eventually('the new pod', () => nameAt() === 'web-next' || undefined)
      assert.equal(nameAt(Date.now() - 60_000), undefined)
    })

    it('asks again for what could not be told, and takes a ReplicaSet that is gone for the workload', async () => {
      let asked = 0
      onlyN2((object) =>
        asked++ < 3 ? ({ metadata: {} } as never) : object?.metadata.name.startsWith('client') ? object : undefined,
      )
      await startRecorded(node)
      await eventually('both', () => {
        const uids = recorded.pods.map(({ metadata }) => metadata.uid)
        return uids.every((uid) => kubernetes.byPodUid(uid)?.complete) || undefined
      })
      assert.equal(kubernetes.byAddress('10.244.2.3')?.ownerKind, 'ReplicaSet')
    })

    it('must be told which', () => {
      kubernetes = createKubernetes({ access: server.access })
      assert.throws(() => createKubernetes({ access: server.access, mode: 'node' }), /needs nodeName/)
    })
  })
})
