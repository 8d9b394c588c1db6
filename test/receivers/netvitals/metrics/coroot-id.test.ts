import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeContainer } from '../../../../src/receivers/netvitals/containers/describe.ts'
import type { Identity } from '../../../../src/receivers/netvitals/containers/identity.ts'
import { parsePath } from '../../../../src/receivers/netvitals/containers/parse-path.ts'
import { corootContainerId } from '../../../../src/receivers/netvitals/metrics/coroot-id.ts'

const ID = '63425c4a8b4291744a79dd9011fddc7a1f8ffda61f65d72196aa01d00cae2e2d'
const UID = '2942c55e-c9cb-428a-93f4-eaf89c1f3ce0'
const USER = '/user.slice/user-1000.slice/user@1000.service'
const host = { name: 'node-1', id: 'f00d' }
const IN_POD = `/kubepods/burstable/pod${UID}/${ID}`

function idOf(path: string, identity?: Identity): string {
  const { attributes, key } = describeContainer(parsePath(path), { host }, identity)
  return corootContainerId(attributes, key)
}

const BY_PATH: [string, string][] = [
  [`/docker/${ID}`, `/docker/${ID}`],
  [`/machine.slice/libpod-${ID}.scope`, `/docker/${ID}`],
  [`/system.slice/nginx.service/libpod-payload-${ID}`, `/docker/${ID}`],
  [`/default/${ID}`, `/docker/${ID}`],
  ['/default/web1', '/docker/web1'],
  [IN_POD, `/k8s/${UID}/${ID}`],
  [`/kubepods/burstable/pod${UID}`, `/k8s/${UID}`],
  ['/system.slice/docker.service', '/system.slice/docker.service'],
  ['/system.slice/nginx.service/worker', '/system.slice/nginx.service'],
  ['/runtime.slice/kubelet.service', '/runtime.slice/kubelet.service'],
  ['/azure.slice/waagent.service', '/azure.slice/waagent.service'],
  ['/api.service', '/api.service'],
  ['/system.slice/fsck@dev-disk\\x2droot.service', '/system.slice/fsck@dev-disk-root.service'],
  ['/system.slice/system-postgresql.slice/postgresql@9.4-main.service', '/system.slice/postgresql@9.4-main.service'],
  [`${USER}/app.slice/syncthing.service`, `${USER}/app.slice/syncthing.service`],
  ['/lxc/mysql-primary-db', '/lxc/mysql-primary-db'],
  ['/lxc.payload.web1', '/lxc/web1'],
  ['/machine.slice/systemd-nspawn@web1.service', '/machine.slice/systemd-nspawn@web1.service'],
  ['/', '/host'],
]
for (const [path, expected] of BY_PATH) {
  test(`Coroot's container_id of ${path} is ${expected}`, () => assert.equal(idOf(path), expected))
}

const pod = (name: string, containerName?: string): Identity => ({
  source: 'cri',
  pod: { name, namespace: 'default', labels: {}, annotations: {}, ...(containerName && { containerName }) },
})

test('a container of a pod is known by namespace, pod and its own name', () => {
  assert.equal(
    idOf(IN_POD, pod('front-end-58987ffbcd-2w9gz', 'front-end')),
    '/k8s/default/front-end-58987ffbcd-2w9gz/front-end',
  )
})

test("a pod's sandbox is known by its pod", () => {
  assert.equal(idOf(IN_POD, pod('front-end-58987ffbcd-2w9gz')), '/k8s/default/front-end-58987ffbcd-2w9gz')
})

test("all runs of a CronJob are one, by the API's word or by its pods' names", () => {
  const run = pod('backup-29123456-7xk2p', 'dump')
  assert.equal(idOf(IN_POD, run), '/k8s-cronjob/default/backup/dump')
  const owned: Identity = { ...run, pod: { ...run.pod!, name: 'odd', owner: { kind: 'CronJob', name: 'backup' } } }
  assert.equal(idOf(IN_POD, owned), '/k8s-cronjob/default/backup/dump')
})

test('a container of Docker or Podman is known by its name', () => {
  assert.equal(idOf(`/docker/${ID}`, { source: 'docker', name: 'web' }), '/docker/web')
  assert.equal(idOf(`/machine.slice/libpod-${ID}.scope`, { source: 'podman', name: 'db' }), '/docker/db')
})

test('a task of a Swarm service is known by stack, service and number', () => {
  const name = 'shop_web.2.xk4a1r0m2y9l6w3n8q7t5v0bc'
  const labels = { 'com.docker.stack.namespace': 'shop', 'com.docker.swarm.service.name': 'shop_web' }
  assert.equal(idOf(`/docker/${ID}`, { source: 'docker', name, labels }), '/swarm/shop/web/2')
  assert.equal(
    idOf(`/docker/${ID}`, {
      source: 'docker',
      name: name.slice(5),
      labels: { 'com.docker.swarm.service.name': 'web' },
    }),
    '/swarm/_/web/2',
  )
})

test("the program's own overflow has the program's name", () => {
  assert.equal(corootContainerId({ 'service.name': 'netvitals', 'service.instance.id': 'f00d' }, ''), '/netvitals')
})
