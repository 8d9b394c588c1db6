import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  type Container,
  type ContainersOptions,
  createContainers,
} from '../../../../src/receivers/netvitals/containers/index.ts'
import { cgroupsMissing, createCgroups } from './cgroups.ts'

const ID_A = 'a1'.repeat(32)
const ID_B = 'b2'.repeat(32)
const HOST = { name: 'node-1', id: '0123456789abcdef0123456789abcdef' }
const skip = cgroupsMissing()

interface Watched {
  readonly ended: Container[]
  readonly resolved: [bigint, Container][]
  readonly reports: [string, string | undefined][]
}

/** Real cgroups, real mount; what is told is kept. */
async function started(t: TestContext, options: ContainersOptions = {}) {
  const seen: Watched = { ended: [], resolved: [], reports: [] }
  const report = (status: string, detail?: string) => void seen.reports.push([status, detail])
  const containers = createContainers({ host: HOST, report, ...options })
  t.after(() => containers.stop())
  containers.onEnd((container) => seen.ended.push(container))
  containers.onResolved((id, container) => seen.resolved.push([id, container]))
  await containers.start()
  return { containers, ...seen }
}

/** A host without cgroup2: only the records tell of cgroups. */
function mountinfo(t: TestContext, lines: string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'netvitals-mountinfo-'))
  t.after(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'mountinfo'), `${lines.join('\n')}\n`)
  return join(directory, 'mountinfo')
}
const V1_LINES = [
  '24 30 0:22 / /proc rw - proc proc rw',
  '32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
  '33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
]

/** However slow this machine is, a look sees everything. */
const timeless = () => 0

async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpMs = Date.now() + 5000
  while (!condition()) {
    assert.ok(Date.now() < giveUpMs, `gave up waiting until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('start finds the containers that are there, nested cgroups included', { skip }, async (t) => {
  const cgroups = createCgroups(t)
  const own = cgroups.make(`docker/${ID_A}`)
  const nested = cgroups.make(`docker/${ID_A}/app/worker`)
  const parent = cgroups.make('docker')
  const { containers, reports } = await started(t)
  assert.equal(containers.byCgroup(own).id, ID_A)
  assert.equal(containers.byCgroup(own).runtime, 'docker')
  assert.equal(containers.byCgroup(own).key, `${cgroups.base}/docker/${ID_A}`)
  assert.equal(containers.byCgroup(nested), containers.byCgroup(own))
  assert.equal(containers.byCgroup(parent).key, 'host')
  assert.equal(containers.byCgroup(1n).key, 'host', 'the root cgroup')
  assert.equal(containers.byCgroup(0n).key, 'host', 'no cgroup at all')
  assert.deepEqual(reports, [['ok', undefined]])
})

test('an id whose record was lost is found at once', { skip }, async (t) => {
  const cgroups = createCgroups(t)
  const { containers, resolved } = await started(t, { now: timeless })
  const id = cgroups.make(`docker/${ID_A}/nested`)
  assert.equal(containers.byCgroup(id).id, ID_A)
  assert.deepEqual(resolved, [], 'there was no wrong answer to correct')
})

test('an id that may not be looked for at once is host until the walk finds it, and whoever asked is told', {
  skip,
}, async (t) => {
  const cgroups = createCgroups(t)
  const { containers, resolved } = await started(t)
  containers.byCgroup(cgroups.make(`docker/${ID_A}`))
  const second = cgroups.make(`docker/${ID_B}`)
  const service = cgroups.make('system.slice')
  assert.equal(containers.byCgroup(second).key, 'host', 'a second look so soon is refused')
  assert.equal(containers.byCgroup(service).key, 'host')
  await until(() => resolved.length > 0, 'the walk has found it')
  assert.deepEqual(
    resolved.map(([id, container]) => [id, container.id]),
    [[second, ID_B]],
    'and nothing is told of what really is the host',
  )
  assert.equal(containers.byCgroup(second).id, ID_B)
})

test('a record that comes after the question corrects the answer', { skip }, async (t) => {
  const { containers, resolved } = await started(t)
  const id = 987_654_321_000n
  assert.equal(containers.byCgroup(id).key, 'host')
  containers.cgroupCreated(id, `/docker/${ID_A}`)
  assert.equal(containers.byCgroup(id).id, ID_A)
  assert.deepEqual(
    resolved.map(([resolvedId, container]) => [resolvedId, container.id]),
    [[id, ID_A]],
  )
})

test('a path that the record cut within an id is read from the hierarchy', { skip }, async (t) => {
  const cgroups = createCgroups(t)
  const { containers, resolved } = await started(t, { now: timeless })
  const deep = `${'d'.repeat(200)}/${'e'.repeat(230)}/docker`
  const id = cgroups.make(`${deep}/${ID_A}`)
  const cut = `${cgroups.base}/${deep}/${ID_A}`.slice(0, 511)
  assert.ok(!cut.includes(ID_A) && cut.includes('/docker/a1'), cut)
  containers.cgroupCreated(id, cut)
  assert.equal(containers.byCgroup(id).id, ID_A)
  assert.deepEqual(resolved, [])
})

test('a walk after a loss ends what went unseen and begins what came unseen', { skip }, async (t) => {
  const cgroups = createCgroups(t)
  const first = cgroups.make(`docker/${ID_A}`)
  const { containers, ended } = await started(t)
  assert.equal(containers.byCgroup(first).id, ID_A)
  cgroups.remove(`docker/${ID_A}`)
  const second = cgroups.make(`docker/${ID_B}`)
  await Promise.all([containers.resync(), containers.resync()])
  assert.deepEqual(
    ended.map(({ id }) => id),
    [ID_A],
  )
  assert.equal(containers.byCgroup(second).id, ID_B)
  await containers.resync()
  assert.equal(ended.length, 1)
})

test('a part of the hierarchy is said to be one, and ends nothing outside of it', { skip }, async (t) => {
  const cgroups = createCgroups(t)
  const inside = cgroups.make(`docker/${ID_A}`)
  const { containers, ended, reports } = await started(t, { cgroupRoot: `${cgroups.mount.root}${cgroups.base}/` })
  containers.cgroupCreated(55_555_555n, `/docker/${ID_B}`)
  await containers.resync()
  assert.equal(containers.byCgroup(inside).id, ID_A)
  assert.equal(containers.byCgroup(55_555_555n).id, ID_B)
  assert.deepEqual(ended, [])
  assert.equal(reports.length, 1)
  assert.match(reports[0]![1]!, /shows only a part of the cgroup2 hierarchy.*set containers::cgroup_root/)
})

test('a container ends once, and its ids are answered for a while longer', async (t) => {
  let clock = 0
  const { containers, ended } = await started(t, {
    mountinfoPath: mountinfo(t, V1_LINES),
    now: () => clock,
    lingerMs: 4,
  })
  containers.cgroupCreated(10n, `/docker/${ID_A}`)
  containers.cgroupCreated(11n, `/docker/${ID_A}/nested`)
  const container = containers.byCgroup(11n)
  containers.cgroupRemoved(11n)
  assert.deepEqual(ended, [], 'a nested cgroup is not the container')
  containers.cgroupRemoved(10n)
  containers.cgroupRemoved(10n)
  assert.deepEqual(ended, [container])
  assert.equal(containers.byCgroup(10n), container)
  assert.equal(containers.byCgroup(11n), container)
  clock = 5
  await until(() => containers.byCgroup(10n).key === 'host', 'the ids are forgotten')
})

test('a container of which only nested cgroups were seen ends with the last of them', async (t) => {
  const { containers, ended } = await started(t, { mountinfoPath: mountinfo(t, V1_LINES) })
  containers.cgroupCreated(10n, `/docker/${ID_A}/one`)
  containers.cgroupCreated(11n, `/docker/${ID_A}/two`)
  containers.cgroupRemoved(10n)
  assert.equal(ended.length, 0)
  containers.cgroupRemoved(11n)
  assert.equal(ended.length, 1)
})

test('a service that restarts is a new container of the same identity, also when its end was lost', async (t) => {
  const { containers, ended } = await started(t, { mountinfoPath: mountinfo(t, V1_LINES) })
  containers.cgroupCreated(10n, '/system.slice/nginx.service')
  const first = containers.byCgroup(10n)
  containers.cgroupCreated(20n, '/system.slice/nginx.service')
  const second = containers.byCgroup(20n)
  assert.deepEqual(ended, [first])
  assert.notEqual(first, second)
  assert.deepEqual(first.attributes, second.attributes)
  containers.cgroupRemoved(10n)
  assert.equal(ended.length, 1, 'the late record of the first ends nothing')
  assert.equal(containers.byCgroup(10n), first)
})

test('a record that comes twice, or for an id never seen, changes nothing', async (t) => {
  const { containers, ended } = await started(t, { mountinfoPath: mountinfo(t, V1_LINES) })
  containers.cgroupCreated(10n, `/docker/${ID_A}`)
  containers.cgroupCreated(10n, `/docker/${ID_A}`)
  containers.cgroupRemoved(77n)
  assert.equal(ended.length, 0)
  assert.equal(containers.byCgroup(10n).id, ID_A)
})

test('records of cgroups are taken before start too', async () => {
  const containers = createContainers({ host: HOST })
  containers.cgroupCreated(10n, `/docker/${ID_A}`)
  assert.equal(containers.byCgroup(10n).id, ID_A)
  await containers.stop()
  await containers.stop()
})

test('on a host with cgroup v1 alone no cgroup has a name, and that is said once', async (t) => {
  const { containers, reports } = await started(t, { mountinfoPath: mountinfo(t, V1_LINES) })
  assert.equal(containers.byCgroup(4711n).key, 'host')
  await containers.resync()
  assert.equal(reports.length, 1)
  assert.equal(reports[0]![0], 'down')
  assert.match(reports[0]![1]!, /found only cgroup v1 \(\/sys\/fs\/cgroup\/cpu, \/sys\/fs\/cgroup\/memory\); boot with/)
})

test('an unreadable /proc and a wrong setting are said with their remedy', async (t) => {
  const missing = await started(t, { mountinfoPath: '/nonexistent/mountinfo' })
  assert.match(
    missing.reports[0]![1]!,
    /cannot read \/nonexistent\/mountinfo \(ENOENT\).*mount \/proc or set containers::cgroup_root/,
  )
  const wrong = await started(t, { cgroupRoot: tmpdir() })
  assert.match(wrong.reports[0]![1]!, /^containers::cgroup_root: ".+" is no cgroup2 file system; write its mount point/)
  assert.equal(wrong.containers.byCgroup(4711n).key, 'host')
})

test('cgroups that come and go while the hierarchy is walked do no harm', { skip }, async (t) => {
  const cgroups = createCgroups(t)
  const { containers, reports } = await started(t)
  const walks = Array.from({ length: 20 }, async (_, i) => {
    cgroups.make(`docker/${String(i).padStart(2, '0').repeat(32)}/nested`)
    await containers.resync()
    cgroups.remove(`docker/${String(i).padStart(2, '0').repeat(32)}`)
    await containers.resync()
  })
  await Promise.all(walks)
  assert.deepEqual(reports, [['ok', undefined]])
  assert.ok(existsSync(cgroups.mount.root))
})
