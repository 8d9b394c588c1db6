import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { parsePath } from '../../../../../src/receivers/netvitals/containers/parse-path.ts'
import { createCriSource } from '../../../../../src/receivers/netvitals/containers/runtimes/cri.ts'
import { listen, serveCri, socketDirectory } from '../runtime-servers.ts'

const ID = 'a1'.repeat(32)
const SANDBOX_ID = 'b2'.repeat(32)
const UID = '2942c55e-c9cb-428a-93f4-eaf89c1f3ce0'
const inPod = (id: string) => parsePath(`/kubepods/burstable/pod${UID}/${id}`)

const kubelet = {
  'io.kubernetes.pod.name': 'web-7bf4bb8464-x2x2x',
  'io.kubernetes.pod.namespace': 'shop',
  'io.kubernetes.pod.uid': UID,
}
const sandbox = {
  id: SANDBOX_ID,
  metadata: { name: 'web-7bf4bb8464-x2x2x', namespace: 'shop', uid: UID },
  labels: { ...kubelet, app: 'web' },
  annotations: { team: 'blue' },
}
const container = {
  id: ID,
  podSandboxId: SANDBOX_ID,
  metadata: { name: 'nginx' },
  labels: { ...kubelet, 'io.kubernetes.container.name': 'nginx' },
  image: { image: 'sha256:0123', userSpecifiedImage: 'docker.io/library/nginx:1.27' },
}

function make(t: TestContext, timeoutMs = 20_000) {
  const socketPath = join(socketDirectory(t), 'cri.sock')
  const source = createCriSource({ socketPath, timeoutMs })
  t.after(() => source.close())
  return { socketPath, source }
}

test('CRI tells container, image, pod and the labels and annotations of the pod', async (t) => {
  const { socketPath, source } = make(t)
  await serveCri(t, socketPath, { containers: [container], sandboxes: [sandbox] })
  const found = (await source.lookup(inPod(ID)))!
  const { pod, ...rest } = found
  assert.deepEqual(rest, {
    ...{ source: 'cri', runtimeName: 'containerd', name: 'nginx', image: 'docker.io/library/nginx:1.27' },
  })
  assert.deepEqual(pod, {
    ...{ name: 'web-7bf4bb8464-x2x2x', namespace: 'shop', uid: UID, containerName: 'nginx' },
    labels: { ...kubelet, app: 'web' },
    annotations: { team: 'blue' },
  })
})

test('a sandbox is its pod, without a container name', async (t) => {
  const { socketPath, source } = make(t)
  await serveCri(t, socketPath, { containers: [container], sandboxes: [sandbox] })
  const found = await source.lookup(inPod(SANDBOX_ID))
  assert.equal(found?.pod?.name, 'web-7bf4bb8464-x2x2x')
  assert.equal(found?.pod?.labels.app, 'web')
  assert.equal(found?.pod?.containerName, undefined)
  assert.equal(found?.name, undefined)
})

test("a pod's own cgroup is found by its uid", async (t) => {
  const { socketPath, source } = make(t)
  const other = { ...sandbox, id: 'c3'.repeat(32), labels: { ...kubelet, 'io.kubernetes.pod.uid': 'other' } }
  await serveCri(t, socketPath, { sandboxes: [other, sandbox] })
  const found = await source.lookup(parsePath(`/kubepods/burstable/pod${UID}`))
  assert.equal(found?.pod?.uid, UID)
  assert.equal(found?.pod?.labels.app, 'web')
  assert.equal(await source.lookup(parsePath('/kubepods/burstable/podcafe')), undefined)
})

test("a pod that is no kubelet's is told by its metadata", async (t) => {
  const { socketPath, source } = make(t)
  const { labels: _, ...bare } = container
  await serveCri(t, socketPath, { containers: [bare], sandboxes: [{ ...sandbox, labels: {} }] })
  const { pod } = (await source.lookup(inPod(ID)))!
  assert.deepEqual(pod, {
    ...{ name: 'web-7bf4bb8464-x2x2x', namespace: 'shop', uid: UID, containerName: 'nginx' },
    ...{ labels: {}, annotations: { team: 'blue' } },
  })
})

test('an older runtime tells the image by its own name for it', async (t) => {
  const { socketPath, source } = make(t)
  const older = { ...container, image: { image: 'docker.io/library/nginx:1.27' } }
  await serveCri(t, socketPath, { containers: [older], sandboxes: [sandbox] })
  assert.equal((await source.lookup(inPod(ID)))?.image, 'docker.io/library/nginx:1.27')
})

test('what CRI does not know is nothing, and no failure', async (t) => {
  const { socketPath, source } = make(t)
  await serveCri(t, socketPath, {})
  assert.equal(await source.lookup(inPod(ID)), undefined)
})

test('a container that went between two questions is nothing', async (t) => {
  const { socketPath, source } = make(t)
  const gone = {
    ContainerStatus: (_: unknown, callback: (error: object) => void) => callback({ code: status.NOT_FOUND }),
  }
  await serveCri(t, socketPath, { containers: [container], sandboxes: [sandbox] }, gone)
  assert.equal(await source.lookup(inPod(ID)), undefined)
})

test("a containerd without CRI, as Docker's, knows nothing and is not down", async (t) => {
  const { socketPath, source } = make(t)
  const off = (_: unknown, callback: (error: object) => void) => callback({ code: status.UNIMPLEMENTED })
  await serveCri(t, socketPath, {}, { ListContainers: off })
  assert.equal(await source.lookup(inPod(ID)), undefined)
})

test('one that restarts is asked again over the same client', async (t) => {
  const { socketPath, source } = make(t, 2_000)
  const first = await serveCri(t, socketPath, { containers: [container], sandboxes: [sandbox] })
  assert.ok(await source.lookup(inPod(ID)))
  first.stop()
  rmSync(socketPath, { force: true })
  await assert.rejects(source.lookup(inPod(ID)), /cri\.sock: ListContainers: /)
  await serveCri(t, socketPath, { containers: [container], sandboxes: [sandbox] })
  const giveUpMs = Date.now() + 20_000
  for (;;) {
    try {
      assert.ok(await source.lookup(inPod(ID)))
      break
    } catch (error) {
      if (Date.now() > giveUpMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
})

test('asks what containerd, CRI-O or a kubelet made, never the rest', (t) => {
  const { source } = make(t)
  assert.ok(source.mayKnow(inPod(ID)))
  assert.ok(source.mayKnow(parsePath(`/kubepods.slice/kubepods-pod${UID.replaceAll('-', '_')}.slice/crio-${ID}.scope`)))
  assert.ok(
    source.mayKnow(parsePath(`/kubepods.slice/kubepods-pod${UID.replaceAll('-', '_')}.slice/docker-${ID}.scope`)),
    'cri-dockerd',
  )
  assert.ok(!source.mayKnow(parsePath(`/docker/${ID}`)))
  assert.ok(!source.mayKnow(parsePath('/default/web1')))
  assert.ok(!source.mayKnow(parsePath('/system.slice/nginx.service')))
})

const FAILURES: Record<string, Parameters<typeof listen>[2]> = {
  'accepts and never answers': () => {},
  'answers garbage': (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  'closes at once': (socket) => socket.destroy(),
}
for (const [name, onConnection] of Object.entries(FAILURES)) {
  test(`a runtime that ${name} is an error that says where`, async (t) => {
    const { socketPath, source } = make(t, 500)
    await listen(t, socketPath, (socket) => {
      socket.on('error', () => {}).resume()
      onConnection(socket)
    })
    await assert.rejects(source.lookup(inPod(ID)), /cri\.sock: ListContainers: /)
  })
}

test('a runtime that never answers a question it took is an error after the timeout', async (t) => {
  const { socketPath, source } = make(t, 500)
  await serveCri(t, socketPath, {}, { ListContainers: () => {} })
  await assert.rejects(source.lookup(inPod(ID)), /cri\.sock: ListContainers: 4 DEADLINE_EXCEEDED/)
})

test('closing ends the questions under way', async (t) => {
  const { socketPath, source } = make(t)
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  await serveCri(t, socketPath, {}, { ListContainers: () => resolve() })
  const lookup = source.lookup(inPod(ID))
  await asked
  source.close()
  await assert.rejects(lookup)
  await assert.rejects(source.lookup(inPod(ID)), /closed/)
})
