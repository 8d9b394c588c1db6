import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeContainer } from '../../../../src/receivers/netvitals/containers/describe.ts'
import { parsePath } from '../../../../src/receivers/netvitals/containers/parse-path.ts'
import type { Container } from '../../../../src/receivers/netvitals/containers/types.ts'
import { PATHS } from './paths.ts'

const ID = '63425c4a8b4291744a79dd9011fddc7a1f8ffda61f65d72196aa01d00cae2e2d'
const UID = '2942c55e-c9cb-428a-93f4-eaf89c1f3ce0'
const USER = '/user.slice/user-1000.slice/user@1000.service'
const host = { name: 'node-1', id: 'f00d' }
const onHost = { 'host.name': 'node-1', 'host.id': 'f00d' }
const of = (path: string, options = {}): Container => describeContainer(parsePath(path), { host, ...options })

test('a Docker container is told by its id; its service has no name yet', () => {
  const container = of(`/docker/${ID}`)
  assert.equal(container.displayName, 'docker 63425c4a8b42')
  assert.deepEqual(container.attributes, {
    'service.name': 'unknown_service',
    'service.instance.id': ID,
    'container.id': ID,
    'container.runtime.name': 'docker',
    ...onHost,
  })
})

test('a container in a pod has both ids', () => {
  const container = of(`/kubepods/burstable/pod${UID}/${ID}`)
  assert.equal(container.displayName, 'pod 2942c55e/63425c4a8b42')
  assert.deepEqual(container.attributes, {
    'service.name': 'unknown_service',
    'service.instance.id': ID,
    'container.id': ID,
    'k8s.pod.uid': UID,
    ...onHost,
  })
})

test('a systemd service is its unit on this host', () => {
  const container = of('/system.slice/system-postgresql.slice/postgresql@14-main.service')
  assert.equal(container.displayName, 'postgresql@14-main.service')
  assert.deepEqual(container.attributes, {
    'service.name': 'postgresql@14-main',
    'service.instance.id': 'f00d/postgresql@14-main.service',
    'systemd.unit': 'postgresql@14-main.service',
    ...onHost,
  })
})

test("a user's service is told from another user's and from the system's", () => {
  const container = of(`${USER}/app.slice/syncthing.service`)
  assert.equal(container.displayName, 'syncthing.service (user 1000)')
  assert.equal(container.attributes['service.name'], 'syncthing')
  assert.equal(container.attributes['service.instance.id'], 'f00d/user@1000.service/syncthing.service')
})

test('a Quadlet container has the name of its unit', () => {
  const container = of(`/system.slice/nginx.service/libpod-payload-${ID}`)
  assert.equal(container.displayName, 'podman 63425c4a8b42 (nginx.service)')
  assert.equal(container.attributes['service.name'], 'nginx')
  assert.equal(container.attributes['service.instance.id'], ID)
  assert.equal(container.attributes['systemd.unit'], 'nginx.service')
})

test('a container known by name is unique by its host and cgroup', () => {
  const container = of('/lxc.payload.web1')
  assert.equal(container.displayName, 'lxc web1')
  assert.equal(container.attributes['service.name'], 'web1')
  assert.equal(container.attributes['container.name'], 'web1')
  assert.equal(container.attributes['service.instance.id'], 'f00d/lxc.payload.web1')
  const machine = of('/machine.slice/systemd-nspawn@web1.service/payload')
  assert.equal(machine.attributes['container.runtime.name'], 'systemd-nspawn')
  assert.equal(machine.attributes['service.instance.id'], 'f00d/machine.slice/systemd-nspawn@web1.service')
})

test('the host is a service of its own, by its name where it has no id', () => {
  assert.deepEqual(of('/').attributes, { 'service.name': 'host', 'service.instance.id': 'f00d', ...onHost })
  const nameless = describeContainer(parsePath('/'), { host: { name: 'node-1' } })
  assert.deepEqual(nameless.attributes, {
    'service.name': 'host',
    'service.instance.id': 'node-1',
    'host.name': 'node-1',
  })
})

test('node and cluster are on every resource when they are known', () => {
  const container = of('/system.slice/nginx.service', { host: { ...host, nodeName: 'n1' }, clusterName: 'prod' })
  assert.equal(container.attributes['k8s.node.name'], 'n1')
  assert.equal(container.attributes['k8s.cluster.name'], 'prod')
})

test('containers and their attributes are frozen', () => {
  const container = of(`/docker/${ID}`)
  assert.ok(Object.isFrozen(container) && Object.isFrozen(container.attributes))
})

test('no two containers of the table have the same job and instance', () => {
  const containers = new Map<string, Container>()
  for (const { path } of Object.values(PATHS).flat()) {
    const container = of(path)
    // The table uses one id in many places; on a host it stands in one.
    if (container.id !== ID) containers.set(container.key, container)
  }
  const identities = [...containers.values()].filter(({ id }) => id === undefined || id.length < 64)
  const wire = identities.map(({ attributes: a }) => `${a['service.name']} ${a['service.instance.id']}`)
  assert.deepEqual(
    wire.filter((identity, i) => wire.indexOf(identity) !== i).sort(),
    // One build step, one task, one pod, one unit: each in several layouts of the table.
    [
      'containerd f00d/containerd.service',
      'pyserver 18df61c6-09fb-3b35-d2bd-03c0f17a9e8b.pyserver',
      `unknown_service f00d/${UID}`,
      `unknown_service f00d/${UID}`,
      'unknown_service n4eu0udvbz9vfzjy71jkvgkwh',
      'unknown_service n4eu0udvbz9vfzjy71jkvgkwh',
      'unknown_service n4eu0udvbz9vfzjy71jkvgkwh',
    ],
  )
})
