import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { IdentitySource } from '../../../../src/receivers/netvitals/containers/identity.ts'
import {
  type Container,
  type ContainersOptions,
  createContainers,
} from '../../../../src/receivers/netvitals/containers/index.ts'
import { listen, serveCri, serveDocker, socketDirectory, until } from './runtime-servers.ts'

const HOST = { name: 'node-1', id: 'f00d' }
const idOf = (n: number) => n.toString(16).padStart(64, '0')
const inspect = (name: string) => ({ Name: `/${name}`, Config: { Image: 'nginx:1', Labels: {} } })
const UID = '2942c55e-c9cb-428a-93f4-eaf89c1f3ce0'

/** Without a hierarchy: cgroups are told of as the kernel does. */
function make(t: TestContext, options: ContainersOptions) {
  const reports: string[] = []
  const identified: Container[] = []
  const containers = createContainers({
    host: HOST,
    reportRuntime: (part, status, detail = '') => reports.push(`${part}: ${status} ${detail}`.trim()),
    ...options,
  })
  containers.onIdentified((_, now) => identified.push(now))
  t.after(() => containers.stop())
  const nameOf = (id: bigint) => containers.byCgroup(id).attributes['container.name']
  return { containers, reports, identified, nameOf }
}

test('every container of a thousand that are there at the start gets its name, few are asked for at once', async (t) => {
  const socket = join(socketDirectory(t), 'docker.sock')
  let asking = 0
  let most = 0
  const known = new Map(Array.from({ length: 1_000 }, (_, n) => [idOf(n + 1), inspect(`web-${n + 1}`)]))
  await serveDocker(t, socket, known, (_, response) => {
    most = Math.max(most, ++asking)
    response.on('finish', () => asking--)
  })
  const { containers, nameOf, reports } = make(t, { runtimes: [{ type: 'docker', socket }] })
  for (let n = 1; n <= 1_000; n++) containers.cgroupCreated(BigInt(n), `/docker/${idOf(n)}`)
  assert.equal(containers.identities().pending, 0, 'nothing happens on the path of events')
  await until(() => containers.identities().bySource.get('docker') === 1_000, 'all have their names')
  for (let n = 1; n <= 1_000; n++) assert.equal(nameOf(BigInt(n)), `web-${n}`)
  assert.ok(most <= 9, `${most} at once`)
  assert.deepEqual(reports, [])
})

test('one that accepts and never answers holds up nobody else, and is told of once', async (t) => {
  const directory = socketDirectory(t)
  const [hung, podman, cri] = ['docker', 'podman', 'cri'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]
  let connections = 0
  await listen(t, hung, (socket) => {
    connections++
    socket.on('error', () => {}).resume()
  })
  await serveDocker(t, podman, new Map([[idOf(1), inspect('db')]]))
  await serveCri(t, cri, {
    containers: [{ id: idOf(2), podSandboxId: idOf(3), metadata: { name: 'nginx' } }],
    sandboxes: [{ id: idOf(3), metadata: { name: 'web-x2', namespace: 'shop', uid: UID } }],
  })
  const { containers, nameOf, reports } = make(t, {
    runtimes: [
      { type: 'docker', socket: hung },
      { type: 'podman', socket: podman },
      { type: 'cri', socket: cri },
    ],
  })
  for (let n = 100; n < 130; n++) containers.cgroupCreated(BigInt(n), `/docker/${idOf(n)}`)
  const began = performance.now()
  containers.cgroupCreated(1n, `/machine.slice/libpod-${idOf(1)}.scope`)
  containers.cgroupCreated(2n, `/kubepods/pod${UID}/cri-containerd-${idOf(2)}`)
  containers.cgroupCreated(3n, '/system.slice/nginx.service')
  assert.equal(containers.byCgroup(100n).id, idOf(100), 'what its path tells is there at once')
  assert.equal(containers.byCgroup(3n).attributes['service.name'], 'nginx')
  await until(() => nameOf(1n) === 'db' && nameOf(2n) === 'nginx', 'the others are known')
  assert.ok(performance.now() - began < 1_900, 'before the timeout of the one that hangs')
  // Its own timeout is 2 s.
  await until(() => reports.length > 0, 'it is told of')
  assert.match(reports[0]!, /^docker .+\/docker: down .+: no answer within 2000 ms$/)
  const asked = connections
  assert.ok(asked <= 8, `${asked} connections`)
  containers.cgroupCreated(4n, `/docker/${idOf(4)}`)
  await new Promise((resolve) => setTimeout(resolve, 500))
  assert.equal(connections, asked, 'it is left alone for a while')
  assert.equal(reports.length, 1)
  assert.equal(containers.identities().pending, 31)
})

test('one that restarts is told of twice, and all that waited for it get their names', async (t) => {
  const socket = join(socketDirectory(t), 'docker.sock')
  const known = new Map(Array.from({ length: 40 }, (_, n) => [idOf(n + 1), inspect(`web-${n + 1}`)]))
  const first = await serveDocker(t, socket, known)
  const { containers, nameOf, reports, identified } = make(t, { runtimes: [{ type: 'docker', socket }] })
  containers.cgroupCreated(1n, `/docker/${idOf(1)}`)
  await until(() => nameOf(1n) === 'web-1', 'the first is known')
  first.stop()
  for (let n = 2; n <= 40; n++) containers.cgroupCreated(BigInt(n), `/docker/${idOf(n)}`)
  await until(() => reports.length === 1, 'it is told to be down')
  assert.match(reports[0]!, /^docker .+: down .+(ENOENT|ECONNREFUSED)/)
  await serveDocker(t, socket, known)
  await until(() => containers.identities().bySource.get('docker') === 40, 'all have their names')
  assert.deepEqual(reports.slice(1), [`docker ${socket}: ok`])
  assert.equal(identified.length, 40, 'each was told of once')
})

test('a socket that appears late is found, and asked for all that nobody knew', async (t) => {
  const hostRoot = socketDirectory(t)
  const { containers, nameOf, reports } = make(t, { hostRoot })
  for (let n = 1; n <= 3; n++) containers.cgroupCreated(BigInt(n), `/docker/${idOf(n)}`)
  assert.equal(containers.byCgroup(1n).unsureUntilMs, undefined, 'nobody is there who might tell')
  assert.deepEqual(containers.identities(), { bySource: new Map([['path', 3]]), pending: 0 })
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  mkdirSync(join(hostRoot, 'run'))
  await serveDocker(t, join(hostRoot, 'run/docker.sock'), new Map([1, 2, 3].map((n) => [idOf(n), inspect(`web-${n}`)])))
  await until(() => containers.identities().bySource.get('docker') === 3, 'they have their names')
  assert.equal(nameOf(3n), 'web-3')
  assert.deepEqual(reports, [], 'that it was not there is no failure')
  containers.cgroupCreated(4n, `/docker/${idOf(4)}`)
  assert.ok(containers.byCgroup(4n).unsureUntilMs! > Date.now(), 'from now on names are waited for')
})

test('the name of a container that ended is still found, and not asked for ever', async (t) => {
  const socket = join(socketDirectory(t), 'docker.sock')
  const { asked } = await serveDocker(t, socket, new Map([[idOf(1), inspect('job')]]))
  const { containers, nameOf } = make(t, { runtimes: [{ type: 'docker', socket }], resolveTimeoutMs: 100 })
  containers.cgroupCreated(1n, `/docker/${idOf(1)}`)
  containers.cgroupRemoved(1n)
  containers.cgroupCreated(2n, `/docker/${idOf(2)}`)
  await until(() => asked.length === 2, 'both were asked for')
  containers.cgroupRemoved(2n)
  await until(() => nameOf(1n) === 'job', 'it has its name after its end')
  assert.deepEqual(containers.identities(), { bySource: new Map(), pending: 0 })
})

test('a container that is there again under its path is asked for anew', async (t) => {
  const socket = join(socketDirectory(t), 'docker.sock')
  const known = new Map([[idOf(1), inspect('before')]])
  await serveDocker(t, socket, known)
  const { containers, nameOf } = make(t, { runtimes: [{ type: 'docker', socket }] })
  containers.cgroupCreated(1n, `/docker/${idOf(1)}`)
  await until(() => nameOf(1n) === 'before', 'the first has its name')
  containers.cgroupRemoved(1n)
  known.set(idOf(1), inspect('after'))
  containers.cgroupCreated(2n, `/docker/${idOf(1)}`)
  await until(() => nameOf(2n) === 'after', 'the second has its own')
  assert.equal(nameOf(1n), 'before')
})

test('what one said is not taken back for what another says, only for what a better one says', async (t) => {
  const socket = join(socketDirectory(t), 'docker.sock')
  await serveDocker(t, socket, new Map([[idOf(1), inspect('k8s_nginx_web')]]))
  let change: (ids: readonly string[]) => void = () => {}
  let name: string | undefined
  let lookups = 0
  const cluster: IdentitySource = {
    name: 'kubernetes',
    mayKnow: () => true,
    async lookup() {
      lookups++
      return name === undefined ? undefined : { source: 'kubernetes', name }
    },
    onChange: (listener) => {
      change = listener
    },
    close() {},
  }
  const { containers, nameOf } = make(t, { runtimes: [{ type: 'docker', socket }], sources: [cluster] })
  containers.cgroupCreated(1n, `/docker/${idOf(1)}`)
  await until(() => nameOf(1n) === 'k8s_nginx_web', 'the second knows it')
  name = 'nginx'
  change([idOf(1)])
  await until(() => nameOf(1n) === 'nginx', 'the first knows it too')
  name = undefined
  const before = lookups
  change([idOf(1)])
  await until(() => lookups > before, 'the first is asked again')
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.equal(nameOf(1n), 'nginx', 'a pod that the API no longer has still has its name')
})

test("nested cgroups have their container's name, those that came before it too", async (t) => {
  const socket = join(socketDirectory(t), 'docker.sock')
  await serveDocker(t, socket, new Map([[idOf(1), inspect('web')]]))
  const { containers, nameOf } = make(t, { runtimes: [{ type: 'docker', socket }] })
  containers.cgroupCreated(1n, `/docker/${idOf(1)}`)
  containers.cgroupCreated(2n, `/docker/${idOf(1)}/init`)
  await until(() => nameOf(2n) === 'web', 'it has its name')
  containers.cgroupCreated(3n, `/docker/${idOf(1)}/late`)
  assert.equal(containers.byCgroup(3n), containers.byCgroup(1n))
})

test('nothing is asked, and nothing told, once it is stopped', async (t) => {
  const socket = join(socketDirectory(t), 'docker.sock')
  let open = 0
  await listen(t, socket, (connection) => {
    open++
    connection.on('error', () => {}).on('close', () => open--)
    connection.resume()
  })
  const { containers, reports, identified } = make(t, {
    runtimes: [{ type: 'docker', socket }],
    filter: () => false,
    resolveTimeoutMs: 200,
  })
  for (let n = 1; n <= 20; n++) containers.cgroupCreated(BigInt(n), `/docker/${idOf(n)}`)
  await until(() => open === 8, 'it asks')
  await containers.stop()
  await until(() => open === 0, 'its connections are closed')
  await new Promise((resolve) => setTimeout(resolve, 600))
  assert.equal(open, 0)
  assert.deepEqual([reports, identified], [[], []])
})
