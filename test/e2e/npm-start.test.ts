import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Child, type Exit, eventually, startChild } from './child.ts'
import { noContainers } from './containers.ts'
import { inline, ROOT, ready } from './program.ts'

const DEBUG = inline({
  receivers: { netvitals: { collection_interval: '1s' } },
  exporters: { debug: {} },
  service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: ['debug'] } } },
})

/** npm and a shell stand between who sends a signal and who must get it, once. */
describe('npm start', { skip: noContainers() ?? false }, () => {
  let directory: string

  // The real scripts and source, but a set-up that has nothing to do: the real one may install while other tests run.
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'netvitals-npm-'))
    for (const name of ['package.json', 'dist', 'node_modules']) await symlink(join(ROOT, name), join(directory, name))
    await mkdir(join(directory, 'native'))
    await writeFile(join(directory, 'native', 'setup.mjs'), '')
  })
  after(() => rm(directory, { recursive: true, force: true }))

  const start = () =>
    startChild('npm', ['start', '--silent', '--', '--config', DEBUG], {
      cwd: directory,
      session: true,
      env: { NO_COLOR: '1' },
    })

  /** Everything that writes to its output has ended: a netvitals left behind shows as a timeout. */
  async function ended(npm: Child): Promise<Exit> {
    await eventually('npm and netvitals have ended', () => !npm.running() || undefined, 10_000)
    return npm.exit
  }

  it('ends netvitals, flushed, with npm on SIGTERM to npm, as a supervisor sends it', async () => {
    await using npm = start()
    await ready(npm)
    npm.signal('SIGTERM')
    const { code } = await ended(npm)
    assert.match(npm.stderr(), /Shutdown complete/)
    assert.equal(code, 0)
  })

  it('ends netvitals, flushed, with npm on Ctrl-C, which reaches all of them', async () => {
    await using npm = start()
    await ready(npm)
    npm.signalGroup('SIGINT')
    const { code } = await ended(npm)
    assert.match(npm.stderr(), /Shutdown complete/)
    assert.doesNotMatch(npm.stderr(), /again/)
    assert.equal(code, 0)
  })
})
