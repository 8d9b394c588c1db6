import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Container, createContainers } from '../../../../src/receivers/netvitals/containers/index.ts'
import { networkId, walkNetworks } from '../../../../src/receivers/netvitals/containers/networks.ts'

const A = 'a1'.repeat(32)
const B = 'b2'.repeat(32)
const PAUSE = 'f0'.repeat(32)
const UID = '2942c55e-c9cb-428a-93f4-eaf89c1f3ce0'
const POD = `/kubepods/burstable/pod${UID}`
const SLICE = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice`
const HOST_NET = 4_026_531_840

interface Process {
  readonly network: number
  /** In the v1 hierarchies; the one of cgroup2 is the root, as on a host that has none mounted. */
  readonly cgroup: string
  readonly comm?: string
}

/** A /proc as the kernel writes it. */
function createProc(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'netvitals-proc-'))
  t.after(() => rmSync(root, { recursive: true }))
  const proc = {
    root,
    add(pid: number, { network, cgroup, comm = 'app' }: Process) {
      mkdirSync(join(root, `${pid}/ns`), { recursive: true })
      symlinkSync(`net:[${network}]`, join(root, `${pid}/ns/net`))
      const lines = [`12:pids:${cgroup}`, `4:cpu,cpuacct:${cgroup}`, `1:name=systemd:${cgroup}`, '0::/']
      writeFileSync(join(root, `${pid}/cgroup`), `${lines.join('\n')}\n`)
      writeFileSync(join(root, `${pid}/comm`), `${comm}\n`)
    },
    end: (pid: number) => rmSync(join(root, `${pid}`), { recursive: true }),
    networks: () =>
      Object.fromEntries(
        [...walkNetworks(root)].flatMap((each) => (each ? [[Number(each.id & 0xffff_ffffn), each.path]] : [])),
      ),
  }
  proc.add(1, { network: HOST_NET, cgroup: '/init.scope' })
  return proc
}

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
  const mountinfo = join(procPath, 'mountinfo')
  writeFileSync(mountinfo, '32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n')
  const reports: [string, string | undefined][] = []
  const ended: Container[] = []
  const resolved: [bigint, string | undefined][] = []
  const containers = createContainers({
    host: { name: 'node-1', id: 'f00d' },
    runtimes: [],
    mountinfoPath: mountinfo,
    procPath,
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
