import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CliOptions, cli } from '../support/cli.ts'

const entry = 'test/commands/testdata/program.ts'
const READY = 'Everything is ready'

/** A configuration of the tests' own components, and what is to be changed in it. */
function configOf(...changes: string[]): string[] {
  const base = [
    'receivers::script: ',
    'exporters::memory: ',
    'service::pipelines::metrics: {receivers: [script], exporters: [memory]}',
  ]
  return [...base, ...changes].map((yaml) => `--config=yaml:${yaml}`)
}

function signalWhenReady(signal: NodeJS.Signals): CliOptions {
  let sent = false
  return {
    entry,
    onStderr(text, child) {
      if (sent || !text.includes(READY)) return
      sent = true
      child.kill(signal)
    },
  }
}

describe('netvitals run', { concurrency: 2 }, () => {
  for (const [signal, name] of [
    ['SIGTERM', 'terminated'],
    ['SIGINT', 'interrupt'],
  ] as const) {
    it(`flushes and exits 0 on ${signal}`, async () => {
      const { code, stderr, elapsedMs } = await cli(configOf(), signalWhenReady(signal))
      assert.equal(code, 0, stderr)
      const said = [READY, 'Received signal from OS', 'Starting shutdown...', 'Shutdown complete.']
      assert.deepEqual(
        said.filter((text) => !stderr.includes(text)),
        [],
      )
      assert.match(stderr, new RegExp(`"signal":"${name}"`))
      assert.ok(elapsedMs < 5000, `${elapsedMs} ms`)
    })
  }

  it('ends within 5 s of the signal when a component never stops, and says which', async () => {
    let signalledAt = 0
    const { code, stderr } = await cli(configOf('exporters::memory::stop_after: 1h'), {
      entry,
      onStderr(text, child) {
        if (signalledAt > 0 || !text.includes(READY)) return
        signalledAt = performance.now()
        child.kill('SIGTERM')
      },
    })
    const took = performance.now() - signalledAt
    assert.equal(code, 0, stderr)
    assert.match(stderr, /Not waiting any longer.*"component":"memory"/)
    assert.ok(took < 5000, `${took} ms`)
  })

  for (const [what, stop, gapMs, expected] of [
    ['exits at once with 1 on a second signal', 'stop_after: 1s', 400, 1],
    ['takes a signal that comes twice, as a Ctrl-C under npm does, for one', 'stop_after: 1s', 50, 0],
    ['and when the shutdown is busy for longer than that lasts', 'stop_busy: 1s', 50, 0],
  ] as const) {
    it(what, async () => {
      let signalled = false
      const { code, stderr, elapsedMs } = await cli(configOf(`exporters::memory::${stop}`), {
        entry,
        onStderr(text, child) {
          if (signalled || !text.includes(READY)) return
          signalled = true
          child.kill('SIGTERM')
          setTimeout(() => child.kill('SIGTERM'), gapMs)
        },
      })
      assert.equal(code, expected, stderr)
      assert.equal(/SIGTERM again/.test(stderr), expected === 1)
      assert.equal(/Shutdown complete/.test(stderr), expected === 0)
      assert.ok(elapsedMs < 10_000, `${elapsedMs} ms`)
    })
  }

  it('exits 1 with the reason when a component cannot start', async () => {
    const { code, stderr } = await cli(configOf('receivers::script::start: throw'), { entry })
    assert.equal(code, 1)
    assert.match(stderr, /^Error: failed to start "script" receiver: no device$/m)
  })

  it('exits 1 with the reason when a component cannot be created', async () => {
    const { code, stderr } = await cli(configOf('exporters::memory::create: throw'), { entry })
    assert.equal(code, 1)
    assert.match(stderr, /^Error: failed to create "memory" exporter: no memory$/m)
  })

  it('exits 1 with the reason when a component fails to stop', async () => {
    const { code, stderr } = await cli(configOf('exporters::memory::stop_after: -1s'), signalWhenReady('SIGTERM'))
    assert.equal(code, 1)
    assert.match(stderr, /^Error: failed to shut down "memory" exporter: disk full$/m)
  })

  for (const [start, reason] of [
    ['fatal', 'device gone'],
    ['uncaught', 'unexpected error, terminating: .*JSON'],
    ['rejection', 'unexpected error, terminating: nobody listens'],
  ] as const) {
    it(`stops in order and exits 1 after an error of kind "${start}"`, async () => {
      const { code, stderr } = await cli(configOf(`receivers::script::start: ${start}`), { entry })
      assert.equal(code, 1, stderr)
      assert.match(stderr, new RegExp(reason))
      assert.match(stderr, /Shutdown complete/)
      assert.doesNotMatch(stderr, /\n\s+at /, 'a stack trace')
    })
  }

  it('logs as service::telemetry::logs says', async () => {
    const { stderr } = await cli(
      configOf('service::telemetry::logs: {encoding: json, level: INFO, initial_fields: {site: north}}'),
      signalWhenReady('SIGTERM'),
    )
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.ok(lines.every((line) => line.site === 'north' && line.level === 'info' && line.ts && line.msg))
  })

  it('warns of an older name and names the new one, and of a variable that is not set', async () => {
    const { code, stderr } = await cli(
      configOf('exporters::ram: ', `receivers::script::deliver: \${env:NETVITALS_NOT_SET}`),
      signalWhenReady('SIGTERM'),
    )
    assert.equal(code, 0, stderr)
    assert.match(stderr, /warn\t"ram" is an older name: write "memory" in exporters/)
    assert.match(stderr, /warn\tConfiguration references unset environment variable NETVITALS_NOT_SET/)
  })

  it('logs its first line within 3 s', async () => {
    let firstLineMs = 0
    const begin = performance.now()
    await cli(configOf(), {
      ...signalWhenReady('SIGTERM'),
      onStderr(text, child) {
        firstLineMs ||= performance.now() - begin
        if (text.includes(READY)) child.kill('SIGTERM')
      },
    })
    assert.ok(firstLineMs < 3000, `${firstLineMs} ms`)
  })
})
