import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { agentUnavailable } from '../kernel/agent.ts'
import { type Child, eventually, startChild } from './child.ts'
import { inline, ready, STACK_TRACE, startProgram } from './program.ts'

/** netvitals into `head -n 1`, which is gone after the first line. */
interface Piped extends AsyncDisposable {
  readonly program: Child
  readonly head: Child
  readonly directory: string
}

function startPiped(argsIn: (directory: string) => readonly string[]): Piped {
  const directory = mkdtempSync(join(tmpdir(), 'netvitals-pipe-'))
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  const head = startChild('head', ['-n', '1', pipe])
  const program = startProgram(argsIn(directory), {
    wrap: ['sh', '-c', 'pipe=$1; shift; exec "$@" >"$pipe"', 'sh', pipe],
  })
  return {
    program,
    head,
    directory,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([program.stop(), head.stop()])
      rmSync(directory, { recursive: true })
    },
  }
}

function configuration(exporters: Readonly<Record<string, object>>): string {
  return inline({
    receivers: { netvitals: { collection_interval: '1s' } },
    exporters,
    service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: Object.keys(exporters) } } },
  })
}

describe('a reader that has seen enough', { skip: agentUnavailable() ?? false, concurrency: 2 }, () => {
  for (const [what, args] of [
    ['the table', []],
    ['what the debug exporter writes', ['--config', configuration({ debug: { use_internal_logger: false } })]],
  ] as const)
    it(`of ${what} ends the program, with 0`, async () => {
      await using piped = startPiped(() => args)
      const { program, head } = piped
      assert.equal((await head.exit).code, 0)
      assert.notEqual(head.stdout(), '')
      await eventually('it ends by itself', () => !program.running() || undefined, 60_000)
      assert.deepEqual([(await program.exit).code, (await program.exit).signal], [0, null])
      assert.match(program.stderr(), /nobody reads it any more[\s\S]*Shutdown complete/)
      assert.doesNotMatch(program.stderr(), STACK_TRACE)
    })

  it('of one exporter is nothing to the others', async () => {
    const fileIn = (directory: string) => join(directory, 'metrics.txt')
    await using piped = startPiped((directory) => [
      '--config',
      configuration({ console: {}, debug: { use_internal_logger: false, output_paths: [fileIn(directory)] } }),
    ])
    const { program, directory } = piped
    await ready(program)
    await program.output(/nobody reads it any more/)
    const { size } = statSync(fileIn(directory))
    await eventually('the other goes on', () => statSync(fileIn(directory)).size > size || undefined)
    assert.ok(program.running())
    assert.equal((await program.stop()).code, 0)
  })
})
