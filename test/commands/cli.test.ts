import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { COMMANDS } from '../../src/commands/flags.ts'
import { cli } from '../support/cli.ts'

const VALID = 'test/config/testdata/valid.yaml'
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

describe('the command line', { concurrency: 2 }, () => {
  const cases: [what: string, args: string[], code: number, stdout: RegExp, stderr: RegExp][] = [
    ['--version', ['--version'], 0, new RegExp(`^netvitals version ${version}\n$`), /^$/],
    ['-v', ['-v'], 0, new RegExp(`^netvitals version ${version}\n$`), /^$/],
    ['validate of a valid file', ['validate', `--config=${VALID}`], 0, /^$/, /^$/],
    ['validate without --config', ['validate'], 1, /^$/, /^Error: at least one config flag must be provided\n/],
    [
      'a file that is not there',
      ['--config=nope.yaml'],
      1,
      /^$/,
      /^Error: failed to get config: cannot resolve the configuration: cannot retrieve the configuration: unable to read the file file:nope.yaml: open nope.yaml: no such file or directory\n/,
    ],
    ['--set without =', ['--set=key:name'], 1, /^$/, /^Error: .*missing equal sign\n/],
    ['an unknown flag', ['--cofnig=x'], 1, /^$/, /^Error: unknown flag: --cofnig\n {4}did you mean --config\?\n$/],
    ['a flag without its value', ['--config'], 1, /^$/, /^Error: flag needs an argument: --config\n/],
    ['an unknown command', ['valdiate'], 1, /^$/, /^Error: unknown command "valdiate" for "netvitals"\n/],
    ['a surplus argument', ['validate', 'x.yaml'], 1, /^$/, /^Error: unknown argument "x.yaml" for "validate"\n/],
    ['a flag of another command', ['validate', '--watch'], 1, /^$/, /^Error: unknown flag: --watch\n/],
    ['an unknown shorthand', ['-x'], 1, /^$/, /^Error: unknown shorthand flag: 'x' in -x\n/],
    [
      'a boolean flag with another value',
      ['run', '--watch=maybe'],
      1,
      /^$/,
      /^Error: invalid argument "maybe" for "--watch" flag: strconv.ParseBool: parsing "maybe": invalid syntax\n/,
    ],
    ['a boolean flag that is turned off', ['--version=false', '--version'], 0, /^netvitals version /, /^$/],
    ['help', ['help'], 0, /^netvitals: /, /^$/],
    [
      'featuregate of one',
      ['featuregate', 'confmap.enableMergeAppendOption'],
      0,
      /^Feature: .*\nEnabled: false\n/,
      /^$/,
    ],
    [
      'featuregate with that one on',
      ['featuregate', '--feature-gates=confmap.enableMergeAppendOption'],
      0,
      /confmap\.enableMergeAppendOption +true/,
      /^$/,
    ],
    ['an unknown format of doctor', ['doctor', '-o', 'xml'], 1, /^$/, /^Error: unrecognized output format: xml\n/],
    ['an invalid URI', ['validate', '--config=s_3:x'], 1, /^$/, /^Error: invalid uri: "s_3:x"\n/],
    ['an unknown scheme', ['validate', '--config=ftp:x'], 1, /^$/, /^Error: unsupported scheme on URI "ftp:x"\n/],
  ]
  for (const [what, args, code, stdout, stderr] of cases) {
    it(`answers ${what}`, async () => {
      const result = await cli(args)
      assert.equal(result.code, code)
      assert.match(result.stdout, stdout)
      assert.match(result.stderr, stderr)
    })
  }

  it('has a help that fits a screen', async () => {
    const { code, stdout } = await cli(['--help'])
    assert.equal(code, 0)
    const lines = stdout.trimEnd().split('\n')
    assert.ok(lines.length <= 24 && lines.every((line) => line.length <= 80), stdout)
    for (const word of [...Object.keys(COMMANDS), '--config', '--set', '--watch', '--feature-gates', '--version'])
      assert.ok(word === 'help' || stdout.includes(word), word)
  })

  it('applies --set after every --config, wherever it stands', async () => {
    const set = '--set=processors.batch.timeout=nonsense'
    const { code, stderr } = await cli(['validate', set, `--config=${VALID}`])
    assert.equal(code, 1)
    assert.match(stderr, /'timeout' time: invalid duration/)
  })

  it('appends lists where the gate is on', async () => {
    const more = `--config=yaml:{exporters: {debug/2: }, service: {pipelines: {metrics: {exporters: [debug/2]}}}}`
    const args = ['print-config', `--config=${VALID}`, more]
    const replaced = await cli(args)
    assert.match(replaced.stdout, /exporters:\n +- debug\/2\n/)
    const appended = await cli([...args, '--feature-gates=confmap.enableMergeAppendOption'])
    assert.match(appended.stdout, /exporters:\n +- \w+\n(?: +- \S+\n)* +- debug\/2\n/)
    assert.notEqual(replaced.stdout, appended.stdout)
  })

  it('takes a setting from the environment', async () => {
    const config = `--config=yaml:processors::batch::send_batch_size: \${env:BATCH}`
    const right = await cli(['validate', `--config=${VALID}`, config], { env: { BATCH: '100' } })
    assert.equal(right.code, 0, right.stderr)
    const wrong = await cli(['validate', `--config=${VALID}`, config], { env: { BATCH: 'many' } })
    assert.match(wrong.stderr, /'send_batch_size' expected type 'uint32', got unconvertible type 'string'/)
  })
})
