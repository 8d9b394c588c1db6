import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { stampOf, watchFiles } from '../../src/commands/watch.ts'
import { eventually } from '../e2e/child.ts'

const INTERVAL_MS = 20
/** Long enough for several looks. */
const QUIET_MS = 200

describe('a watched file', () => {
  let directory: string
  let path: string
  let changes: string[][]
  let stop: () => void

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'netvitals-'))
    path = join(directory, 'netvitals.yaml')
    changes = []
  })
  afterEach(() => {
    stop()
    rmSync(directory, { recursive: true })
  })

  /** Begins to watch the file as it is now, and looks at least once. */
  async function watch(): Promise<void> {
    const files = new Map([[path, await stampOf(path)]])
    /** What a reload does, whether it goes well or not: it reads the files anew. */
    const onChange = async (changed: readonly string[]) => {
      changes.push([...changed])
      for (const each of changed) files.set(each, await stampOf(each))
    }
    stop = watchFiles({ files: () => files, onChange, intervalMs: INTERVAL_MS })
    await sleep(QUIET_MS)
  }

  const change = () => eventually('a change', () => changes.length > 0 || undefined, 5_000)

  it('is quiet as long as nothing happens', async () => {
    writeFileSync(path, 'a')
    await watch()
    assert.deepEqual(changes, [])
  })

  it('is told of once when it is edited in place', async () => {
    writeFileSync(path, 'a')
    await watch()
    writeFileSync(path, 'b')
    await change()
    await sleep(QUIET_MS)
    assert.deepEqual(changes, [[path]])
  })

  it('is told of when an editor replaces it by rename', async () => {
    writeFileSync(path, 'a')
    await watch()
    writeFileSync(`${path}~`, 'b')
    renameSync(`${path}~`, path)
    await change()
  })

  it('is told of when the symlink that leads to it is swapped, as Kubernetes does it', async () => {
    const version = (name: string, text: string) => {
      mkdirSync(join(directory, name))
      writeFileSync(join(directory, name, 'netvitals.yaml'), text)
      symlinkSync(name, join(directory, '..data_tmp'))
      renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
    }
    version('..1', 'a')
    symlinkSync('..data/netvitals.yaml', path)
    await watch()
    version('..2', 'a')
    await change()
    assert.deepEqual(changes, [[path]])
  })

  it('is told of once when it goes, and once when it is back', async () => {
    writeFileSync(path, 'a')
    await watch()
    rmSync(path)
    await change()
    await sleep(QUIET_MS)
    writeFileSync(path, 'b')
    await eventually('it is back', () => changes.length === 2 || undefined, 5_000)
  })

  it('is not told of while it is still being written', async () => {
    writeFileSync(path, 'a')
    await watch()
    for (let n = 0; n < 30; n++) {
      writeFileSync(path, String(n))
      await sleep(INTERVAL_MS / 4)
    }
    await change()
    await sleep(QUIET_MS)
    assert.equal(changes.length, 1)
  })

  it('is told of when it changed before the first look', async () => {
    writeFileSync(path, 'a')
    const files = new Map([[path, await stampOf(path)]])
    writeFileSync(path, 'b')
    stop = watchFiles({ files: () => files, onChange: (paths) => changes.push([...paths]), intervalMs: INTERVAL_MS })
    await change()
    await sleep(QUIET_MS)
    assert.equal(changes.length, 1, 'told once, read or not')
  })

  it('is not told of after the end', async () => {
    writeFileSync(path, 'a')
    await watch()
    stop()
    writeFileSync(path, 'b')
    await sleep(QUIET_MS)
    assert.deepEqual(changes, [])
  })
})
