import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readHost } from '../../../../src/receivers/netvitals/containers/host.ts'

const MACHINE = '3d1219c7c4c5404aaa1f6d2a48adfda4'
const UUID = '4C4C4544-0051-4A10-8052-C3C04F4E3233'
const UTS_HOST = 'uts:[4026531838]'
const PID_HOST = 'pid:[4026531836]'
const env = {}

/** A root directory with these files; `uts` and `pid` are what the namespace links say. */
function root(t: TestContext, files: Record<string, string>, { uts = UTS_HOST, pid = PID_HOST } = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'netvitals-host-'))
  t.after(() => rmSync(directory, { recursive: true }))
  mkdirSync(join(directory, 'proc/self/ns'), { recursive: true })
  symlinkSync(uts, join(directory, 'proc/self/ns/uts'))
  symlinkSync(pid, join(directory, 'proc/self/ns/pid'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), `${text}\n`)
  }
  return directory
}

test('on a host: its name and machine id', (t) => {
  const files = { 'proc/sys/kernel/hostname': 'db-1', 'etc/machine-id': MACHINE, 'sys/class/dmi/id/product_uuid': UUID }
  assert.deepEqual(readHost({ root: root(t, files), env }), { name: 'db-1', id: MACHINE })
})

test("in a container that shares the host's processes: the init process' view, not the image's", (t) => {
  const files = {
    'etc/machine-id': 'f'.repeat(32),
    'proc/1/root/etc/machine-id': MACHINE,
    'proc/1/root/etc/hostname': 'node-7',
    'proc/sys/kernel/hostname': 'netvitals-x7k2p',
  }
  assert.deepEqual(readHost({ root: root(t, files, { uts: 'uts:[4026532500]' }), env }), {
    name: 'node-7',
    id: MACHINE,
  })
})

test("in a container of its own: the hardware's id and the node's name", (t) => {
  const files = {
    'etc/machine-id': 'f'.repeat(32),
    'proc/sys/kernel/hostname': 'netvitals-x7k2p',
    'sys/class/dmi/id/product_uuid': UUID,
  }
  const own = { uts: 'uts:[4026532500]', pid: 'pid:[4026532501]' }
  assert.deepEqual(readHost({ root: root(t, files, own), env: { NODE_NAME: 'node-7' } }), {
    name: 'node-7',
    id: UUID.toLowerCase(),
    nodeName: 'node-7',
  })
})

test('an id that is none is no id', (t) => {
  for (const [machine, uuid] of [
    ['uninitialized', '00000000-0000-0000-0000-000000000000'],
    ['', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'],
    ['0'.repeat(32), 'Not Specified'],
  ]) {
    const files = {
      'etc/machine-id': machine!,
      'sys/class/dmi/id/product_uuid': uuid!,
      'proc/sys/kernel/hostname': 'db-1',
    }
    assert.deepEqual(readHost({ root: root(t, files), env }), { name: 'db-1' })
  }
})

test('the D-Bus machine id stands in for a missing one', (t) => {
  const files = { 'var/lib/dbus/machine-id': MACHINE, 'proc/sys/kernel/hostname': 'db-1' }
  assert.equal(readHost({ root: root(t, files), env }).id, MACHINE)
})

test('settings go before what is found', (t) => {
  const files = { 'etc/machine-id': MACHINE, 'proc/sys/kernel/hostname': 'db-1' }
  const set = { name: 'set-name', id: 'i-0abcd1234', nodeName: 'set-node' }
  assert.deepEqual(readHost({ root: root(t, files), env: { NODE_NAME: 'node-7' }, ...set }), set)
  assert.equal(readHost({ root: root(t, files), env: { K8S_NODE_NAME: 'node-8' } }).nodeName, 'node-8')
})

test('nothing at all still gives a name', (t) => {
  const directory = root(t, {}, { uts: 'uts:[1]', pid: 'pid:[1]' })
  assert.deepEqual(readHost({ root: directory, env }), { name: hostname() })
})

test('this machine itself', { skip: !existsSync('/etc/machine-id') }, () => {
  const facts = readHost({ env })
  assert.match(facts.name, /./)
  assert.match(facts.id ?? '', /^[0-9a-f-]{32,36}$/)
})
