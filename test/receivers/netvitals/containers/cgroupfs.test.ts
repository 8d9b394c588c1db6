import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { lstatSync } from 'node:fs'
import { test } from 'node:test'
import { checkMount, findCgroupMount, walkCgroups } from '../../../../src/receivers/netvitals/containers/cgroupfs.ts'
import { cgroupsMissing, createCgroups } from './cgroups.ts'

const skip = cgroupsMissing()

test('the mount found is the whole cgroup2 hierarchy', { skip }, () => {
  const mount = findCgroupMount()
  assert.equal(mount.partial, false)
  assert.equal(lstatSync(mount.root, { bigint: true }).ino, 1n)
})

test('a walk meets every cgroup once, parents first, as find does', { skip }, (t) => {
  const cgroups = createCgroups(t)
  cgroups.make('a/b/c')
  cgroups.make('a/d')
  cgroups.make('e')
  const root = `${cgroups.mount.root}${cgroups.base}`
  const walked = [...walkCgroups(root)]
  const { stdout } = spawnSync('find', [root, '-type', 'd', '-printf', '%i /%P\\n'], { encoding: 'utf8' })
  assert.deepEqual(walked.map(({ id, path }) => `${id} ${path}`).sort(), stdout.trim().split('\n').sort())
  const paths = walked.map(({ path }) => path)
  for (const path of paths.slice(1)) {
    const parent = path.slice(0, path.lastIndexOf('/')) || '/'
    assert.ok(paths.indexOf(parent) < paths.indexOf(path), `${parent} before ${path}`)
  }
})

test("the walk's ids are those by which the kernel knows a process' cgroup", { skip }, (t) => {
  const cgroups = createCgroups(t)
  const id = cgroups.make('own')
  const path = `${cgroups.base}/own`
  const script = `echo $$ > ${cgroups.mount.root}${path}/cgroup.procs && grep ^0:: /proc/self/cgroup`
  const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
  assert.equal(stdout.trim(), `0::${path}`)
  const found = [...walkCgroups(cgroups.mount.root)].find((directory) => directory.id === id)
  assert.equal(found?.path, path)
})

test('what is no cgroup2 file system is no mount', () => {
  assert.equal(checkMount('/proc'), undefined)
  assert.equal(checkMount('/nonexistent'), undefined)
})

test('what is mounted within the hierarchy is not walked: its inodes are no cgroup ids', { skip }, (t) => {
  const cgroups = createCgroups(t)
  cgroups.make('net_cls')
  cgroups.make('beside')
  const root = `${cgroups.mount.root}${cgroups.base}`
  const module = new URL('../../../../src/receivers/netvitals/containers/cgroupfs.ts', import.meta.url).href
  const print = `import('${module}').then((m) => console.log([...m.walkCgroups('${root}')].map((each) => each.path).sort().join()))`
  const script = `mount -t tmpfs none ${root}/net_cls && mkdir ${root}/net_cls/inside && exec "$@"`
  const args = ['--mount', '--propagation=private', 'sh', '-c', script, 'sh', process.execPath, '-e', print]
  const { stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' })
  assert.equal(stdout.trim(), '/,/beside', stderr)
})
