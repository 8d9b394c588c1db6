import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import type { ContainerIdentity, PodIdentity } from '../../../../src/kubernetes/index.ts'
import {
  createKubernetesSource,
  type KubernetesPods,
  type KubernetesSource,
  keepOf,
} from '../../../../src/receivers/netvitals/containers/kubernetes-source.ts'
import { parsePath } from '../../../../src/receivers/netvitals/containers/parse-path.ts'

const UID = '0f3d3c63-2a5f-4f4a-9c54-0d2a8e0a1b2c'
const ID = 'a'.repeat(64)
const CONTAINER = parsePath(`/kubepods/burstable/pod${UID}/${ID}`)
const SANDBOX = parsePath(`/kubepods/burstable/pod${UID}/${'b'.repeat(64)}`)
const POD = parsePath(`/kubepods/burstable/pod${UID}`)

const pod: PodIdentity = {
  ...{ podName: 'web-a', namespace: 'shop', podUid: UID, labels: { app: 'web' }, annotations: {}, nodeName: 'n1' },
  ...{ hostNetwork: false, owner: { kind: 'Deployment', name: 'web' }, complete: true },
}
const container: ContainerIdentity = { ...pod, containerName: 'main', image: 'example/main:1' }

const named = {
  source: 'kubernetes',
  pod: {
    ...{ name: 'web-a', namespace: 'shop', uid: UID, labels: { app: 'web' }, annotations: {}, nodeName: 'n1' },
    owner: { kind: 'Deployment', name: 'web' },
  },
}

describe('the Kubernetes API as a source of identities', () => {
  let containers: Map<string, ContainerIdentity>
  let pods: Map<string, PodIdentity>
  let listener: Parameters<KubernetesPods['onChange']>[0]
  let source: KubernetesSource
  let told: string[]

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] })
    containers = new Map()
    pods = new Map()
    told = []
    source = createKubernetesSource({ patienceMs: 2_000 })
    source.onChange?.((ids) => told.push(...ids))
    source.use({
      byContainerId: (id) => containers.get(id),
      byPodUid: (uid) => pods.get(uid),
      onChange(of) {
        listener = of
        return () => {}
      },
    })
  })
  afterEach(() => {
    source.close()
    mock.timers.reset()
  })

  it('may know what is in a pod, and nothing before a cluster is used', () => {
    assert.ok([CONTAINER, SANDBOX, POD].every(source.mayKnow))
    assert.ok(!source.mayKnow(parsePath(`/docker/${ID}`)))
    assert.ok(!source.mayKnow(parsePath('/system.slice/nginx.service')))
    assert.ok(!createKubernetesSource({ patienceMs: 1 }).mayKnow(CONTAINER))
  })

  it('tells of a container all that its pod says', async () => {
    containers.set(ID, container)
    assert.deepEqual(await source.lookup(CONTAINER), {
      ...{ source: 'kubernetes', image: 'example/main:1' },
      pod: { ...named.pod, containerName: 'main' },
    })
  })

  it("tells of a pod's own cgroup at once", async () => {
    pods.set(UID, pod)
    assert.deepEqual(await source.lookup(POD), named)
  })

  it('waits with what is no container of the status: it may be one soon', async () => {
    pods.set(UID, pod)
    assert.equal(await source.lookup(CONTAINER), undefined)
    containers.set(ID, container)
    listener({ containerIds: [ID], addresses: [] })
    assert.deepEqual(told, [ID])
    assert.equal((await source.lookup(CONTAINER))?.pod?.containerName, 'main')
    mock.timers.tick(200_000)
    assert.deepEqual(told, [ID], 'and waits no more')
  })

  it('takes it for the sandbox when the time is over', async () => {
    pods.set(UID, pod)
    assert.equal(await source.lookup(SANDBOX), undefined)
    mock.timers.tick(1_999)
    assert.equal(await source.lookup(SANDBOX), undefined)
    assert.deepEqual(told, [])
    mock.timers.tick(1)
    assert.deepEqual(told, [SANDBOX.id])
    assert.deepEqual(await source.lookup(SANDBOX), named)
  })

  it('waits for the workload, then tells what it has, and the workload when it comes', async () => {
    containers.set(ID, { ...container, owner: { kind: 'ReplicaSet', name: 'web-1' }, complete: false })
    assert.equal(await source.lookup(CONTAINER), undefined)
    mock.timers.tick(2_000)
    assert.deepEqual((await source.lookup(CONTAINER))?.pod?.owner, { kind: 'ReplicaSet', name: 'web-1' })
    containers.set(ID, container)
    listener({ containerIds: [ID], addresses: [] })
    assert.deepEqual(told, [ID, ID])
    assert.deepEqual((await source.lookup(CONTAINER))?.pod?.owner, { kind: 'Deployment', name: 'web' })
  })

  it('forgets whom it waited for and nobody asked about again', async () => {
    pods.set(UID, pod)
    await source.lookup(CONTAINER)
    mock.timers.tick(2_000)
    mock.timers.tick(120_000)
    assert.equal(await source.lookup(CONTAINER), undefined, 'it waits from the beginning')
  })

  it('knows nothing of a pod that the API has not told of', async () => {
    assert.equal(await source.lookup(CONTAINER), undefined)
  })
})

describe('what is kept of pods', () => {
  it('is what names services, what becomes an attribute, and what filters ask for', () => {
    const match = { namespaces: [], names: [], images: [], units: [], cgroups: [] }
    const { keepLabel, keepAnnotation } = keepOf({
      pod_labels: ['team'],
      pod_annotations: ['example.com/owner'],
      include: [{ ...match, pod_labels: { tier: '*' } }],
      exclude: [{ ...match, pod_labels: { noisy: 'true' } }],
    })
    const kept = (keep: (key: string) => boolean, ...keys: string[]) => keys.filter(keep)
    assert.deepEqual(
      kept(keepLabel, 'app.kubernetes.io/instance', 'app.kubernetes.io/name', 'team', 'tier', 'noisy', 'app', 'uid'),
      ['app.kubernetes.io/instance', 'app.kubernetes.io/name', 'team', 'tier', 'noisy'],
    )
    assert.deepEqual(
      kept(keepAnnotation, 'resource.opentelemetry.io/service.name', 'example.com/owner', 'kubectl.kubernetes.io/x'),
      ['resource.opentelemetry.io/service.name', 'example.com/owner'],
    )
  })
})
