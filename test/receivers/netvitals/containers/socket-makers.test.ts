import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createContainers } from '../../../../src/receivers/netvitals/containers/index.ts'
import { initCgroup } from '../../../../src/receivers/netvitals/containers/socket-makers.ts'

/** A /proc in which the init process is in this cgroup. */
function procWithInit(t: TestContext, cgroup: string): string {
  const proc = mkdtempSync(join(tmpdir(), 'netvitals-proc-'))
  t.after(() => rmSync(proc, { recursive: true }))
  mkdirSync(join(proc, '1'))
  writeFileSync(join(proc, '1', 'cgroup'), cgroup)
  return proc
}

function makerIn(t: TestContext, path: string, init = '0::/init.scope\n') {
  const containers = createContainers({ host: { name: 'node-1' }, runtimes: [], procPath: procWithInit(t, init) })
  containers.cgroupCreated(7n, path)
  return containers.makerOf(7n)
}

const USER = '/user.slice/user-1000.slice/user@1000.service'
const CONTAINER = `/docker/${'c3'.repeat(32)}`

describe('who makes sockets for others', () => {
  for (const path of [
    '/init.scope',
    `${USER}/init.scope`,
    '/system.slice/shop.socket',
    '/system.slice/system-shop.slice/shop@a.socket',
    `${USER}/app.slice/shop.socket`,
  ])
    it(`is the manager in ${path}`, (t) => assert.equal(makerIn(t, path), 'manager'))

  for (const path of [
    '/',
    '/system.slice',
    '/system.slice/shop.service',
    '/user.slice/user-1000.slice/session-3.scope',
    `${CONTAINER}/init.scope`,
    `${CONTAINER}/system.slice/shop.socket`,
  ])
    it(`is nobody in ${path}`, (t) => assert.equal(makerIn(t, path), 'none'))

  it('is init, and who else is in its cgroup', (t) => {
    assert.equal(makerIn(t, '/', '1:cpu:/other\n0::/\n'), 'init')
    assert.equal(makerIn(t, '/services/init', '0::/services/init\n'), 'init')
    assert.equal(makerIn(t, '/services', '0::/services/init\n'), 'none')
  })

  it('is not known of a cgroup of which nothing is', (t) => {
    const containers = createContainers({ host: { name: 'node-1' }, runtimes: [], procPath: procWithInit(t, '0::/\n') })
    assert.equal(containers.makerOf(8n), undefined)
  })
})

describe("the init process' cgroup", () => {
  it('is that of the cgroup2 hierarchy', (t) => {
    assert.equal(initCgroup(procWithInit(t, '12:pids:/a\n1:name=systemd:/b\n0::/c\n')), '/c')
  })

  it('is not known beyond a cgroup namespace, without cgroup2, or where it may not be read', (t) => {
    assert.equal(initCgroup(procWithInit(t, '0::/../../init.scope\n')), undefined)
    assert.equal(initCgroup(procWithInit(t, '1:cpu:/a\n')), undefined)
    assert.equal(initCgroup('/nowhere'), undefined)
  })
})
