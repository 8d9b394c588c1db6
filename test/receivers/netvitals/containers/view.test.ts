import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { networkId } from '../../../../src/receivers/netvitals/containers/networks.ts'
import { findView } from '../../../../src/receivers/netvitals/containers/view.ts'
import { cgroupsMissing, createCgroups } from './cgroups.ts'
import { createProc, HOST_NET, viewOf } from './proc.ts'

const skip = cgroupsMissing()

test('the whole hierarchy is seen where it is mounted', { skip }, (t) => {
  const cgroups = createCgroups(t)
  const { view, problem } = findView({})
  assert.equal(problem, undefined)
  assert.deepEqual([view?.what, view?.partial, view?.networks], [cgroups.mount.root, false, false])
  assert.ok([...view!.walk()].some((directory) => directory?.path === cgroups.base))
})

test('a directory that a setting names is seen, with a slash at its end or without, and is told to be a part', {
  skip,
}, (t) => {
  const cgroups = createCgroups(t)
  const id = cgroups.make('inside')
  const root = `${cgroups.mount.root}${cgroups.base}`
  for (const cgroupRoot of [root, `${root}//`]) {
    const { view } = findView({ cgroupRoot })
    assert.deepEqual([view?.what, view?.partial, view?.networks], [root, true, false])
    assert.deepEqual([...view!.walk()].at(-1), { id, path: '/inside' })
  }
})

test('network namespaces are seen where there is no hierarchy, and the reason is told', (t) => {
  const proc = createProc(t)
  const { view, problem } = findView(viewOf(proc.root))
  assert.deepEqual([view?.what, view?.partial, view?.networks], [proc.root, false, true])
  assert.match(problem!, /found only cgroup v1 .*: until then containers are told by their network namespaces/)
  assert.deepEqual(
    [...view!.walk()].filter((directory) => directory !== undefined),
    [{ id: networkId(HOST_NET), path: '/' }],
  )
})

test('a setting that names something else leaves nothing to be seen', (t) => {
  const { view, problem } = findView({ ...viewOf(createProc(t).root), cgroupRoot: tmpdir() })
  assert.equal(view, undefined)
  assert.match(problem!, /^containers::cgroup_root: ".+" is no cgroup2 file system.*everything is counted as host$/)
})
