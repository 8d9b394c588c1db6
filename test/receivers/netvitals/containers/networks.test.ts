import assert from 'node:assert/strict'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Container, createContainers } from '../../../../src/receivers/netvitals/containers/index.ts'
import { networkId } from '../../../../src/receivers/netvitals/containers/networks.ts'
import { createProc, HOST_NET, viewOf } from './proc.ts'

const A = 'a1'.repeat(32)
const B = 'b2'.repeat(32)
const PAUSE = 'f0'.repeat(32)
const UID = '2942c55e-c9cb-428a-93f4-eaf89c1f3ce0'
const POD = `/kubepods/burstable/pod${UID}`
const SLICE = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice`
test('a network namespace is of the container in it, and that of init is the host', (t) => {
  const proc = createProc(t)
  proc.add(100, { network: 7, cgroup: `/docker/${A}` })
  proc.add(101, { network: 7, cgroup: `/docker/${A}/nested` })
  proc.add(102, { network: HOST_NET, cgroup: `/docker/${B}` })
  proc.add(103, { network: 8, cgroup: '/system.slice/private.service' })
  assert.deepEqual(proc.networks(), {
    [HOST_NET]: '/',
    7: `/docker/${A}`,
    8: '/system.slice/private.service',
  })
})

test('the namespace of a pod is of its one container, for pause opens no sockets', (t) => {
  const proc = createProc(t)
  proc.add(100, { network: 7, cgroup: `${POD}/${PAUSE}`, comm: 'pause' })
  assert.equal(proc.networks()[7], POD, 'until there is one')
  proc.add(101, { network: 7, cgroup: `${POD}/${A}` })
  assert.equal(proc.networks()[7], `${POD}/${A}`)
  proc.add(102, { network: 7, cgroup: `${POD}/${B}` })
  assert.equal(proc.networks()[7], POD, 'two: nobody knows whose a socket is')
})

for (const [layout, first, second, pod] of [
  ['systemd', `${SLICE}/cri-containerd-${A}.scope`, `${SLICE}/cri-containerd-${B}.scope`, SLICE],
  [
    'a systemd kubelet over a cgroupfs containerd',
    `/system.slice/containerd.service/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice:cri-containerd:${A}`,
    `/system.slice/containerd.service/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice:cri-containerd:${B}`,
    `/system.slice/containerd.service/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice`,
  ],
] as const) {
  test(`a pod is told by its containers with ${layout}`, (t) => {
    const proc = createProc(t)
    proc.add(100, { network: 7, cgroup: first })
    proc.add(101, { network: 7, cgroup: second })
    assert.equal(proc.networks()[7], pod)
  })
}

test('of containers that share one, it is of the one that made it', (t) => {
  const proc = createProc(t)
  proc.add(1000, { network: 7, cgroup: `/docker/${B}` })
  proc.add(200, { network: 7, cgroup: `/docker/${A}` })
  assert.equal(proc.networks()[7], `/docker/${A}`)
})

test('a path from within a cgroup namespace is read without what is above it', (t) => {
  const proc = createProc(t)
  proc.add(100, { network: 7, cgroup: `/../../docker/${A}` })
  assert.equal(proc.networks()[7], `/docker/${A}`)
})

test('a process that goes while it is looked at, or may not be looked at, is passed over', (t) => {
  const proc = createProc(t)
  mkdirSync(join(proc.root, '100'))
  proc.add(101, { network: 7, cgroup: `/docker/${A}` })
  rmSync(join(proc.root, '101/cgroup'))
  assert.deepEqual(proc.networks(), { [HOST_NET]: '/', 7: '/' })
})

async function started(t: TestContext, procPath: string) {
  const reports: [string, string | undefined][] = []
  const ended: Container[] = []
  const resolved: [bigint, string | undefined][] = []
  const containers = createContainers({
    host: { name: 'node-1', id: 'f00d' },
    runtimes: [],
    ...viewOf(procPath),
    // However slow this machine is, a look sees everything.
    now: () => 0,
    report: (status, detail) => reports.push([status, detail]),
  })
  t.after(() => containers.stop())
  containers.onEnd((container) => ended.push(container))
  containers.onResolved((id, container) => resolved.push([id, container.id]))
  await containers.start()
  return { containers, reports, ended, resolved }
}

test('a host without cgroup2 has its containers by their networks, and says so once', async (t) => {
  const proc = createProc(t)
  proc.add(100, { network: 7, cgroup: `/docker/${A}` })
  const { containers, reports } = await started(t, proc.root)
  assert.equal(containers.byNetwork(), true)
  assert.equal(containers.byCgroup(networkId(7)).id, A)
  assert.equal(containers.byCgroup(networkId(HOST_NET)).key, 'host')
  assert.deepEqual([...containers.identities().bySource], [['network', 1]])
  await containers.resync()
  assert.equal(reports.length, 1)
  assert.match(reports[0]![1]!, /found only cgroup v1 .*told by their network namespaces, and those on the host's/)
})

test('a container that came after the last walk is found when it is asked for', async (t) => {
  const proc = createProc(t)
  const { containers } = await started(t, proc.root)
  proc.add(100, { network: 7, cgroup: `/docker/${A}` })
  assert.equal(containers.byCgroup(networkId(7)).id, A)
})

test('a container ends with its network, and a cgroup that a record told of does not', async (t) => {
  const proc = createProc(t)
  proc.add(100, { network: 7, cgroup: `/docker/${A}` })
  const { containers, ended } = await started(t, proc.root)
  containers.cgroupCreated(4711n, `/docker/${B}`)
  proc.end(100)
  await containers.resync()
  assert.deepEqual(
    ended.map(({ id }) => id),
    [A],
  )
  assert.equal(containers.byCgroup(4711n).id, B)
  assert.equal(containers.byCgroup(networkId(7)).id, A, 'for late events')
})

test("an inode that is another's from one walk to the next is a new container, and whoever asked is told", async (t) => {
  const proc = createProc(t)
  proc.add(100, { network: 7, cgroup: `/docker/${A}` })
  const { containers, ended, resolved } = await started(t, proc.root)
  proc.end(100)
  proc.add(101, { network: 7, cgroup: `/docker/${B}` })
  await containers.resync()
  assert.equal(containers.byCgroup(networkId(7)).id, B)
  assert.deepEqual(
    ended.map(({ id }) => id),
    [A],
  )
  assert.deepEqual(resolved, [[networkId(7), B]])
})

test('an inode that comes back after its end is a container that begins again', async (t) => {
  const proc = createProc(t)
  proc.add(100, { network: 7, cgroup: `/docker/${A}` })
  const { containers, ended } = await started(t, proc.root)
  const first = containers.byCgroup(networkId(7))
  proc.end(100)
  await containers.resync()
  proc.add(102, { network: 7, cgroup: `/docker/${A}` })
  await containers.resync()
  const second = containers.byCgroup(networkId(7))
  assert.equal(second.id, A)
  assert.notEqual(second, first)
  assert.equal(ended.length, 1)
})

test('a container with several networks is one, however often it is looked at, until the last of them goes', async (t) => {
  const proc = createProc(t)
  for (const network of [7, 8, 9]) proc.add(93 + network, { network, cgroup: `/docker/${A}` })
  const { containers, ended, resolved } = await started(t, proc.root)
  const container = containers.byCgroup(networkId(7))
  for (let walks = 0; walks < 3; walks++) await containers.resync()
  for (const network of [7, 8, 9]) assert.equal(containers.byCgroup(networkId(network)), container)
  assert.deepEqual([ended, resolved], [[], []])
  proc.end(100)
  proc.end(102)
  await containers.resync()
  assert.deepEqual(ended, [])
  proc.end(101)
  await containers.resync()
  assert.deepEqual(ended, [container])
})

test('a hundred networks that come and go leave nothing behind, whether their numbers are given out again or not', async (t) => {
  const proc = createProc(t)
  proc.add(10, { network: 7, cgroup: `/docker/${A}` })
  const { containers, ended } = await started(t, proc.root)
  const before = containers.identities()
  const ids = Array.from({ length: 100 }, (_, i) => i.toString(16).padStart(64, '0'))
  for (const first of [1_000, 1_000, 2_000]) {
    for (const [i, id] of ids.entries()) proc.add(100 + i, { network: first + i, cgroup: `/docker/${id}` })
    await containers.resync()
    assert.equal(containers.identities().bySource.get('network'), 1 + ids.length)
    for (const i of ids.keys()) proc.end(100 + i)
    await containers.resync()
    assert.deepEqual(containers.identities(), before)
  }
  assert.deepEqual(
    ended.map(({ id }) => id),
    [...ids, ...ids, ...ids],
  )
})
