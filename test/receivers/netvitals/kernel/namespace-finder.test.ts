import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import {
  createNamespaceFinder,
  type OpenedNamespace,
} from '../../../../src/receivers/netvitals/kernel/namespace-finder.ts'
import { cgroup2Mount, createLab, labUnavailable } from '../../../kernel/lab.ts'

const skip = labUnavailable() ?? false

function lab(t: TestContext) {
  const made = createLab({ namespaces: 1 })
  t.after(() => made.close())
  const [namespace] = made.namespaces
  const inode = statSync(namespace!.path).ino
  const container = made.container('docker')
  async function process() {
    const child = made.spawn(namespace!, container, ['sh', '-c', 'echo in; exec cat'])
    await new Promise((resolve) => child.stdout!.once('data', resolve))
    return child
  }
  return { namespace: namespace!, inode, container, process }
}

async function describeOpened(opened: OpenedNamespace | undefined) {
  if (!opened) return undefined
  const { ino } = await opened.handle.stat()
  await opened.handle.close()
  return { ino, net: opened.net }
}

describe('a network namespace is found by its inode', { skip }, () => {
  it("through the container's own processes, without a look at any other", async (t) => {
    const { inode, container, process } = lab(t)
    const child = await process()
    const finder = createNamespaceFinder({ cgroupRoot: cgroup2Mount(), now: () => Number.NEGATIVE_INFINITY })
    const opened = await describeOpened(await finder.open(inode, container.cgroup))
    assert.equal(opened?.ino, inode)
    assert.match(opened?.net ?? '', /^\/proc\/\d+\/net$/)
    assert.ok(opened?.net === `/proc/${child.pid}/net`, `${opened?.net} is the one process`)
  })

  it("through its processes, wherever their cgroup's mount is", async (t) => {
    const { inode, process } = lab(t)
    const child = await process()
    const finder = createNamespaceFinder({ cgroupRoot: undefined })
    assert.deepEqual(await describeOpened(await finder.open(inode, '/docker/x')), {
      ino: inode,
      net: `/proc/${child.pid}/net`,
    })
  })

  it('by its name where no process is in it', async (t) => {
    const { inode } = lab(t)
    const finder = createNamespaceFinder({ cgroupRoot: cgroup2Mount() })
    assert.deepEqual(await describeOpened(await finder.open(inode)), { ino: inode, net: undefined })
  })

  it('and not when it is gone, nor looked for more often than once a second', async (t) => {
    const { inode, namespace, process } = lab(t)
    let nowMs = 0
    const finder = createNamespaceFinder({ cgroupRoot: undefined, now: () => nowMs })
    assert.equal(await finder.open(1), undefined)
    const child = await process()
    nowMs = 900
    const early = await describeOpened(await finder.open(inode))
    assert.equal(early?.net, undefined, 'the process is newer than the last look')
    nowMs = 60_000
    assert.equal(await finder.open(1), undefined)
    assert.equal((await describeOpened(await finder.open(inode)))?.net, `/proc/${child.pid}/net`)
    child.stdin!.end()
    await new Promise((resolve) => child.once('exit', resolve))
    const named = await describeOpened(await finder.open(inode))
    assert.deepEqual(named, { ino: inode, net: undefined }, namespace.name)
  })
})

it('a /proc that is not there finds nothing', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'nv-proc-'))
  t.after(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, '1'), '')
  const finder = createNamespaceFinder({ cgroupRoot: directory, procPath: directory })
  assert.equal(await finder.open(4711, '/docker/x'), undefined)
})
