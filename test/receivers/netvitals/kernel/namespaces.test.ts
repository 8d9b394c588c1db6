import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { eachNamespace } from '../../../../src/receivers/netvitals/kernel/namespaces.ts'

const root = process.getuid?.() === 0 ? false : 'needs root (makes network namespaces)'

interface Held {
  readonly inode: number
  readonly pid: number
  end(): Promise<void>
}

async function holder(t: TestContext, command: string, ...argv: string[]): Promise<Held> {
  const child: ChildProcess = spawn(command, [...argv, 'sh', '-c', 'echo in; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  t.after(end)
  await once(child.stdout!, 'data')
  return { inode: statSync(`/proc/${child.pid}/ns/net`).ino, pid: child.pid!, end }
}

/** Without the processes that even root may not look at here: their count is this machine's own. */
function others(failed: ReadonlyMap<string, number>): [string, number][] {
  return [...failed].filter(([code]) => code !== 'EACCES' || !unreadable())
}

const unreadable = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((name) => {
      try {
        readlinkSync(`/proc/${name}/ns/net`)
        return false
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'EACCES'
      }
    })

const own = () => statSync('/proc/self/ns/net').ino

describe('the namespaces of this host', { skip: root }, () => {
  it('are those of its processes, each once', async (t) => {
    const held = await holder(t, 'unshare', '--net')
    await holder(t, 'nsenter', `--net=/proc/${held.pid}/ns/net`)
    const inodes: number[] = []
    const { visited, failed } = await eachNamespace(async (fd) => inodes.push(fstatSync(fd).ino))
    assert.deepEqual(others(failed), [])
    assert.equal(visited, inodes.length)
    assert.equal(new Set(inodes).size, inodes.length)
    assert.ok(inodes.includes(own()))
    assert.ok(inodes.includes(held.inode))
  })

  it('are the named ones too, that no process is in', async (t) => {
    const name = `nv-${process.pid}-named`
    execFileSync('ip', ['netns', 'add', name])
    t.after(() => execFileSync('ip', ['netns', 'delete', name]))
    const { ino } = statSync(`/run/netns/${name}`)
    const inodes: number[] = []
    await eachNamespace(async (fd) => inodes.push(fstatSync(fd).ino))
    assert.equal(inodes.filter((each) => each === ino).length, 1)
  })

  it('may vanish while they are gone through', async (t) => {
    const [first, second] = [await holder(t, 'unshare', '--net'), await holder(t, 'unshare', '--net')]
    const inodes: number[] = []
    const { failed } = await eachNamespace(async (fd) => {
      const { ino } = fstatSync(fd)
      inodes.push(ino)
      if (ino === first.inode) await second.end()
      if (ino === second.inode) await first.end()
    })
    assert.equal(inodes.filter((each) => each === first.inode || each === second.inode).length, 1)
    assert.deepEqual(others(failed), [], 'that is no failure')
  })

  it('are found through another process when the first is gone', async (t) => {
    const before = await holder(t, 'unshare', '--net')
    const first = await holder(t, 'unshare', '--net')
    await holder(t, 'nsenter', `--net=/proc/${first.pid}/ns/net`)
    const inodes: number[] = []
    const { failed } = await eachNamespace(async (fd) => {
      inodes.push(fstatSync(fd).ino)
      if (inodes.at(-1) === before.inode) await first.end()
    })
    assert.equal(inodes.filter((each) => each === first.inode).length, 1)
    assert.deepEqual(others(failed), [])
  })

  it('count as failed by code where the process may not look', async (t) => {
    process.seteuid!(65534)
    t.after(() => process.seteuid!(0))
    const { failed } = await eachNamespace(async () => {})
    process.seteuid!(0)
    assert.ok((failed.get('EACCES') ?? 0) >= 1, JSON.stringify([...failed]))
  })

  it('count as failed by the code of what the visit throws, and the others are visited', async (t) => {
    const held = await holder(t, 'unshare', '--net')
    const inodes: number[] = []
    const { visited, failed } = await eachNamespace(async (fd) => {
      const { ino } = fstatSync(fd)
      if (ino === held.inode) throw Object.assign(new Error('no'), { code: 'ERR_SETNS_PERMISSION' })
      inodes.push(ino)
    })
    assert.deepEqual(others(failed), [['ERR_SETNS_PERMISSION', 1]])
    assert.equal(visited, inodes.length)
    assert.ok(inodes.includes(own()))
  })

  it('are closed again after their visit', async () => {
    const fds: number[] = []
    await eachNamespace(async (fd) => {
      fds.push(fd)
      assert.match(readlinkSync(`/proc/self/fd/${fd}`), /^net:|^\/run\//)
    })
    for (const fd of new Set(fds)) assert.throws(() => fstatSync(fd), { code: 'EBADF' })
  })
})

describe('a /proc that cannot be read', () => {
  it('counts as failed', async () => {
    const { failed } = await eachNamespace(async () => {}, '/proc/self/status')
    assert.equal(failed.get('ENOTDIR'), 1)
  })

  it('is nothing when it is not there', async () => {
    const { failed } = await eachNamespace(async () => {}, '/proc/none')
    assert.deepEqual([...failed], [])
  })
})
