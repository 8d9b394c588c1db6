import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parsePath } from '../../../../../src/receivers/netvitals/containers/parse-path.ts'
import { createDockerSource } from '../../../../../src/receivers/netvitals/containers/runtimes/docker.ts'
import { listen, serveDocker, socketDirectory, until } from '../runtime-servers.ts'

const ID = 'a1'.repeat(32)
const CONTAINER = parsePath(`/docker/${ID}`)

function make(t: TestContext, timeoutMs = 20_000) {
  const socketPath = join(socketDirectory(t), 'docker.sock')
  const source = createDockerSource({ name: 'docker', socketPath, timeoutMs })
  t.after(() => source.close())
  return { socketPath, source }
}

test('Docker tells name, image and labels of a container', async (t) => {
  const { socketPath, source } = make(t)
  const labels = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web' }
  const inspect = { Id: ID, Name: '/shop-web-1', Image: 'sha256:0', Config: { Image: 'nginx:1.27', Labels: labels } }
  const { asked } = await serveDocker(t, socketPath, new Map([[ID, inspect]]))
  assert.deepEqual(await source.lookup(CONTAINER), {
    ...{ source: 'docker', runtimeName: 'docker', name: 'shop-web-1', image: 'nginx:1.27', labels },
  })
  assert.deepEqual(asked, [`/containers/${ID}/json`])
})

test('Docker tells the pod of a container that a kubelet made', async (t) => {
  const { socketPath, source } = make(t)
  const labels = {
    'io.kubernetes.pod.name': 'web-7bf4bb8464-x2',
    'io.kubernetes.pod.namespace': 'shop',
    'io.kubernetes.pod.uid': '2942c55e',
    'io.kubernetes.container.name': 'nginx',
  }
  const inspect = { Name: '/k8s_nginx_web', Config: { Image: 'nginx:1.27', Labels: labels } }
  await serveDocker(t, socketPath, new Map([[ID, inspect]]))
  const { pod } = (await source.lookup(CONTAINER))!
  assert.deepEqual(
    { ...pod, labels: undefined },
    {
      ...{ name: 'web-7bf4bb8464-x2', namespace: 'shop', uid: '2942c55e', containerName: 'nginx' },
      ...{ labels: undefined, annotations: {} },
    },
  )
  const sandbox = { ...inspect, Config: { Labels: { ...labels, 'io.kubernetes.container.name': 'POD' } } }
  await serveDocker(t, `${socketPath}2`, new Map([[ID, sandbox]]))
  const second = createDockerSource({ name: 'docker', socketPath: `${socketPath}2`, timeoutMs: 20_000 })
  assert.equal((await second.lookup(CONTAINER))?.pod?.containerName, undefined, "a pod's sandbox is its pod")
})

test('a container that Docker does not know is nothing, and no failure', async (t) => {
  const { socketPath, source } = make(t)
  await serveDocker(t, socketPath, new Map())
  assert.equal(await source.lookup(CONTAINER), undefined)
})

test('what is not as documented is taken for absent', async (t) => {
  const { socketPath, source } = make(t)
  const answers = new Map<string, unknown>()
  await serveDocker(t, socketPath, answers)
  for (const odd of [null, [], 'text', 7, {}, { Name: 5 }, { Name: '' }, { Name: '/' }]) {
    answers.set(ID, odd)
    assert.equal(await source.lookup(CONTAINER), undefined, JSON.stringify(odd))
  }
  answers.set(ID, { Name: '/web', Config: { Image: 7, Labels: { a: 'b', c: null, d: 5 } } })
  assert.deepEqual(await source.lookup(CONTAINER), {
    ...{ source: 'docker', runtimeName: 'docker', name: 'web', labels: { a: 'b' } },
  })
})

test('asks its own containers and those whose path does not tell, never the rest', (t) => {
  const { source } = make(t)
  assert.ok(source.mayKnow(CONTAINER))
  assert.ok(source.mayKnow(parsePath(`/limited/${ID}`)))
  assert.ok(!source.mayKnow(parsePath(`/machine.slice/libpod-${ID}.scope`)))
  assert.ok(!source.mayKnow(parsePath('/docker/buildkit/n4eu0udvbz9vfzjy71jkvgkwh')), 'a build step has no inspect')
  assert.ok(!source.mayKnow(parsePath('/system.slice/nginx.service')))
  assert.ok(!source.mayKnow(parsePath('/')))
})

test('an id is never a part of a path other than its own', (t) => {
  const { source } = make(t)
  assert.ok(!source.mayKnow({ key: '/x', runtime: 'docker', id: `../${'a'.repeat(61)}` }))
})

const FAILURES: Record<string, [onConnection: Parameters<typeof listen>[2], message: RegExp]> = {
  'accepts and never answers': [() => {}, /docker\.sock: GET \/containers\/a1.+: no answer within 150 ms$/],
  'answers garbage': [(socket) => socket.end('HELO smtp.example.org\r\n\r\n'), /docker\.sock: .+: Parse Error/],
  'closes at once': [(socket) => socket.destroy(), /docker\.sock: .+: (socket hang up|read ECONNRESET|write EPIPE)/],
  'dies in mid-answer': [
    (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"Name":', () => socket.destroy()),
    /docker\.sock: .+: (aborted|the answer ended early)/,
  ],
  'stops in mid-answer': [
    (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"Name":'),
    /no answer within 150 ms$/,
  ],
  'answers 500': [(socket) => socket.end('HTTP/1.1 500 no\r\ncontent-length: 2\r\n\r\n{}'), /: status 500$/],
  'answers what is no JSON': [
    (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello'),
    /: the answer is no JSON$/,
  ],
  'answers without an end': [
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      const chunk = `100000\r\n${' '.repeat(0x100000)}\r\n`
      const more = () => void (socket.destroyed || socket.write(chunk, more))
      more()
    },
    /: (more than 4194304 bytes|no answer within 150 ms)$/,
  ],
}
for (const [name, [onConnection, message]] of Object.entries(FAILURES)) {
  test(`a daemon that ${name} is an error that says where`, async (t) => {
    const { socketPath, source } = make(t, name === 'answers without an end' ? 20_000 : 150)
    await listen(t, socketPath, (socket) => {
      socket.on('error', () => {}).once('data', () => onConnection(socket))
    })
    await assert.rejects(source.lookup(CONTAINER), { message })
  })
}

test('a socket that is not there is an error that names it', async (t) => {
  const { socketPath, source } = make(t)
  await assert.rejects(source.lookup(CONTAINER), (error: Error) => error.message.startsWith(`${socketPath}: `))
})

test('closing ends the questions under way, and their connections', async (t) => {
  const { socketPath, source } = make(t)
  let open = 0
  await listen(t, socketPath, (socket) => {
    open++
    socket.resume().on('close', () => open--)
  })
  const asked = source.lookup(CONTAINER)
  await until(() => open === 1, 'it asks')
  source.close()
  await assert.rejects(asked)
  await until(() => open === 0, 'the connection is closed')
})
