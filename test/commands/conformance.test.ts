import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { FOLDER, SKIP } from '../conformance/cases.ts'
import { cli } from '../support/cli.ts'

interface CliCase {
  readonly args?: readonly string[]
  readonly exit?: number
  readonly stdout?: string
  readonly stderr?: string
  readonly stderr_contains?: string
}

const VALID = 'test/config/testdata/valid.yaml'

/** Cases that are not asserted as they stand, by their arguments, and why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  '': 'without --config there is a table of this host to show: asserted in test/e2e/start.test.ts',
  '--config=a --config=b --set=x=1': 'an order, asserted in cli.test.ts',
  '--feature-gates=-<stable>': 'no gate here is stable: asserted with gates of its own in feature-gates.test.ts',
}

/** What stands for a file or a text that a case only describes. */
function concrete(args: readonly string[]): string[] {
  return args.map((arg) => {
    if (arg === '--config=ok.yaml' || arg === '--config=x') return `--config=${VALID}`
    return arg.includes('|') ? arg.slice(0, arg.indexOf('|')) : arg
  })
}

const cases: CliCase[] = SKIP ? [] : JSON.parse(readFileSync(join(FOLDER, 'cli.json'), 'utf8'))

describe("the Collector's command line", { skip: SKIP, concurrency: 2 }, () => {
  for (const { args, exit, stdout, stderr, stderr_contains: contains } of cases) {
    if (args === undefined) continue
    const line = args.join(' ')
    const given = concrete(args)
    it(`${line || 'no arguments'}`, { skip: DIFFERENT[line] ?? false }, async () => {
      // Where only a flag is given, a run would follow: the mistake comes first.
      const result = await cli(given)
      assert.equal(result.code, exit, result.stderr)
      if (stderr !== undefined) assert.ok(result.stderr.startsWith(stderr), result.stderr)
      if (contains !== undefined) assert.ok(result.stderr.includes(contains), result.stderr)
      if (stdout === '') assert.equal(result.stdout, '')
      if (stdout?.startsWith('<name> version')) assert.match(result.stdout, /^\S+ version \S+\n$/)
      if (stdout?.startsWith('table: ')) assert.match(result.stdout, /^ID +Enabled +Stage +Description\n/)
      if (stdout?.startsWith('YAML: ')) assert.match(result.stdout, /^buildinfo:\n {4}command: \S+\n/)
    })
  }

  it('has cases', () => assert.ok(cases.length >= 15))
})
