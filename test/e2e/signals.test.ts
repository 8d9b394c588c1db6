import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { agentUnavailable } from '../kernel/agent.ts'
import { type Child, eventually } from './child.ts'
import { ready, STACK_TRACE, startProgram } from './program.ts'
import { createConfigFile, holding, NOT_RELOADED, RELOADED, reload, said } from './reloading.ts'

function config(changes: { receiver?: object; exporters?: object; telemetry?: object } = {}) {
  const { receiver = {}, exporters = { debug: {} }, telemetry = {} } = changes
  return {
    receivers: { netvitals: { collection_interval: '1s', ...receiver } },
    exporters,
    service: {
      pipelines: { metrics: { receivers: ['netvitals'], exporters: Object.keys(exporters) } },
      telemetry,
    },
  }
}

/** The debug exporter shows every batch. */
async function dataFlow(program: Child): Promise<void> {
  const cycles = said(program, 'resource metrics')
  await eventually('data flow', () => said(program, 'resource metrics') > cycles + 1 || undefined)
}

describe('SIGHUP', { skip: agentUnavailable() ?? false, concurrency: 2 }, () => {
  for (const [what, changed, reason] of [
    ['a key that does not exist', config({ receiver: { colection_interval: '2s' } }), /colection_interval/],
    ['text that is no configuration', 'nonsense', /cannot be used as a Conf/],
    [
      'an exporter that cannot start',
      config({ exporters: { debug: {}, 'debug/x': { output_paths: ['/nowhere/x'] } } }),
      /debug\/x/,
    ],
    [
      'a log that cannot be opened',
      config({ telemetry: { logs: { output_paths: ['/nowhere/log'] } } }),
      /\/nowhere\/log/,
    ],
  ] as const) {
    it(`with ${what}: the running one goes on and says why`, async () => {
      using file = createConfigFile()
      file.write(config())
      await using program = file.start()
      await ready(program)
      await program.output(/resource metrics/)
      file.write(changed)
      program.signal('SIGHUP')
      await program.output(new RegExp(`\\terror\\t${NOT_RELOADED}.*`))
      const line = program
        .stderr()
        .split('\n')
        .find((each) => each.includes(NOT_RELOADED))!
      assert.match(line, reason)
      await dataFlow(program)
      file.write(config({ receiver: { collection_interval: '2s' } }))
      program.signal('SIGHUP')
      await program.output(new RegExp(RELOADED))
      assert.equal((await program.stop()).code, 0)
      assert.equal(said(program, '\terror\t'), 1, program.stderr())
      assert.doesNotMatch(program.stderr(), STACK_TRACE)
    })
  }

  it('with the same configuration: nothing is touched', async () => {
    using file = createConfigFile()
    file.write(config())
    await using program = file.start()
    await ready(program)
    await reload(program)
    assert.match(program.stderr(), /Configuration reloaded\t\{"kept":2,"started":0,"stopped":0\}/)
    assert.equal((await program.stop()).code, 0)
  })

  it('with other kernel settings: the programs are attached anew', async () => {
    using file = createConfigFile()
    file.write(config())
    await using program = file.start()
    await ready(program)
    file.write(config({ receiver: { kernel: { ring_size: '4MiB' } } }))
    await reload(program)
    assert.equal(said(program, 'tracing TCP connections'), 2)
    await dataFlow(program)
    assert.equal((await program.stop()).code, 0)
  })

  it('with other kernel settings that the kernel refuses: the programs stay attached', async () => {
    using file = createConfigFile()
    file.write(config())
    await using program = file.start()
    await ready(program)
    const { fds } = await holding(program)
    // Enough to read the file again, too few for maps and programs.
    execFileSync('prlimit', [`--pid=${program.pid}`, `--nofile=${fds + 4}:`])
    file.write(config({ receiver: { kernel: { ring_size: '4MiB' } } }))
    program.signal('SIGHUP')
    await program.output(new RegExp(`\\terror\\t${NOT_RELOADED}.*Too many open files`))
    execFileSync('prlimit', [`--pid=${program.pid}`, `--nofile=${fds + 1000}:`])
    await dataFlow(program)
    program.signal('SIGHUP')
    await program.output(new RegExp(RELOADED))
    await dataFlow(program)
    assert.equal((await program.stop()).code, 0)
    assert.doesNotMatch(program.stderr(), STACK_TRACE)
  })

  it('changes the level and the files of the log, and opens the files anew', async () => {
    using file = createConfigFile()
    const log = join(file.directory, 'log')
    const logs = { level: 'debug', output_paths: ['stderr', log] }
    file.write(config({ telemetry: { logs } }))
    await using program = file.start()
    await ready(program)
    renameSync(log, `${log}.1`)
    await reload(program)
    file.write(config({ telemetry: { logs: { level: 'error' } } }))
    program.signal('SIGHUP')
    await eventually('the last word', () => said(program, 'hangup') === 2 || undefined)
    assert.match(readFileSync(log, 'utf8'), /Configuration reloaded/)
    assert.doesNotMatch(readFileSync(`${log}.1`, 'utf8'), /Configuration reloaded/)
    assert.equal((await program.stop()).code, 0)
    assert.equal(said(program, 'Shutdown complete'), 0)
  })

  it('before everything is ready is not lost, and several at once are not one each', async () => {
    using file = createConfigFile()
    file.write(config())
    await using program = file.start()
    await program.output(/Starting netvitals/)
    program.signal('SIGHUP')
    await program.output(new RegExp(RELOADED))
    const before = said(program, RELOADED)
    for (let n = 0; n < 20; n++) program.signal('SIGHUP')
    await eventually('reloads', () => said(program, RELOADED) > before || undefined)
    assert.equal((await program.stop()).code, 0)
    assert.ok(said(program, RELOADED) < before + 20)
  })

  it('and SIGTERM during the reload: it stops within 5 s', async () => {
    using file = createConfigFile()
    file.write(config())
    await using program = file.start()
    await ready(program)
    file.write(config({ receiver: { kernel: { ring_size: '4MiB' } } }))
    program.signal('SIGHUP')
    await program.output(/hangup/)
    const begin = Date.now()
    const { code, signal } = await program.stop()
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, program.stderr())
    assert.ok(Date.now() - begin < 5_000)
    assert.doesNotMatch(program.stderr(), STACK_TRACE)
  })

  it('without --config ends the program: there is nothing to read again, and the terminal is gone', async () => {
    await using program = startProgram([])
    await ready(program)
    program.signal('SIGHUP')
    assert.equal((await program.exit).code, 0)
    assert.match(program.stderr(), /"signal":"hangup"/)
  })
})

describe('--watch', { skip: agentUnavailable() ?? false, concurrency: 2 }, () => {
  it('notices a mounted ConfigMap that is swapped, and a file that it refers to', async () => {
    using file = createConfigFile()
    const mount = join(file.directory, 'mount')
    let version = 0
    /** As the kubelet does: a new folder, and a symlink that is replaced by rename. */
    const publish = (content: unknown) => {
      const folder = `..${++version}`
      mkdirSync(join(mount, folder), { recursive: true })
      writeFileSync(join(mount, folder, 'netvitals.yaml'), JSON.stringify(content))
      symlinkSync(folder, join(mount, '..data_tmp'))
      renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
    }
    const interval = join(file.directory, 'interval')
    writeFileSync(interval, '1s')
    const referring = config({ receiver: { collection_interval: `\${file:${interval}}` } })
    publish(config())
    symlinkSync('..data/netvitals.yaml', join(mount, 'netvitals.yaml'))
    await using program = startProgram(['--config', join(mount, 'netvitals.yaml'), '--watch'])
    await ready(program)
    const reloads = (count: number) =>
      eventually(`reload ${count}`, () => said(program, RELOADED) === count || undefined)

    publish(referring)
    await reloads(1)
    writeFileSync(interval, '2s')
    await reloads(2)
    publish({ ...referring, receivers: 'nonsense' })
    await program.output(new RegExp(NOT_RELOADED))
    publish(config({ receiver: { collection_interval: '3s' } }))
    await reloads(3)
    assert.equal((await program.stop()).code, 0)
    assert.equal(said(program, '\terror\t'), 1, program.stderr())
  })
})
