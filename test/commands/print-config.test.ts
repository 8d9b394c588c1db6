import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { printConfig } from '../../src/commands/print-config.ts'
import { createRegistry } from '../../src/component/registry.ts'
import { ConfigError } from '../../src/errors.ts'
import { cli } from '../support/cli.ts'
import { assertGolden } from '../support/golden.ts'

const TESTDATA = join(import.meta.dirname, 'testdata')
const INPUT = join(TESTDATA, 'print-config.yaml')
const golden = (name: string) => new URL(`testdata/${name}`, import.meta.url)

/** Every secret of the input: none may be seen unless it is asked for. */
const SECRETS = ['s3cret-token', 's3cret-key', 's3cret-ca', 's3cret-header']

const OPTIONS = {
  config: [INPUT],
  set: [],
  featureGates: [],
  registry: createRegistry(),
  mode: 'redacted',
  format: 'yaml',
  validate: true,
}

describe('print-config', () => {
  it('prints defaults too, and no secret', async () => {
    const { code, stdout, stderr } = await cli(['print-config', `--config=${INPUT}`])
    assert.equal(stderr, '')
    assert.equal(code, 0)
    assertGolden(golden('print-config.redacted.yaml.txt'), stdout)
    for (const secret of SECRETS) assert.ok(!stdout.includes(secret))
  })

  it('prints JSON, with durations as nanoseconds', async () => {
    const printed = await printConfig({ ...OPTIONS, format: 'JSON' })
    assertGolden(golden('print-config.redacted.json.txt'), printed)
  })

  it('hides a password in a URL', async () => {
    const set = ['exporters.otlp_http.endpoint=https://me:s3cret@backend:4318']
    const printed = await printConfig({ ...OPTIONS, set })
    assert.match(printed, /endpoint: "?https:\/\/me:\[REDACTED\]@backend:4318/)
    assert.ok(!printed.includes('s3cret@'))
  })

  it('prints secrets when it is asked to', async () => {
    const printed = await printConfig({ ...OPTIONS, mode: 'UNREDACTED' })
    for (const secret of SECRETS) assert.ok(printed.includes(secret), secret)
  })

  it('prints what is the same configuration again', async () => {
    const printed = await printConfig({ ...OPTIONS, mode: 'unredacted' })
    const again = await printConfig({ ...OPTIONS, config: [`yaml:${printed}`], mode: 'unredacted' })
    assert.equal(again, printed)
  })

  it('goes by its older name, as in the Collector', async () => {
    const { code, stdout } = await cli(['print-initial-config', `--config=${INPUT}`, '--format=json'])
    assert.equal(code, 0)
    assertGolden(golden('print-config.redacted.json.txt'), stdout)
  })

  const refused: [what: string, change: object, message: RegExp][] = [
    ['a mode that is not one', { mode: 'foo' }, /^invalid mode "foo": modes are: redacted, unredacted$/],
    ['a format that is not one', { format: 'toml' }, /^unrecognized print format: toml\n/],
    ['no configuration', { config: [] }, /^at least one config flag must be provided/],
    [
      'one that is wrong',
      { set: ['processors.batch.timeout=-1s'] },
      /^invalid configuration: processors::batch: timeout/,
    ],
  ]
  for (const [what, change, message] of refused) {
    it(`refuses ${what}`, () => assert.rejects(printConfig({ ...OPTIONS, ...change }), { message }))
  }

  it('prints what is wrong, only its form checked, with --validate=false', async () => {
    const set = ['processors.batch.timeout=-1s', 'service.pipelines.metrics.exporters=[nope]']
    const printed = parse(await printConfig({ ...OPTIONS, set, validate: false }))
    assert.equal(printed.processors.batch.timeout, '-1s')
    assert.deepEqual(printed.service.pipelines.metrics.exporters, ['nope'])
    const form = printConfig({ ...OPTIONS, set: ['processors.batch.timeout=soon'], validate: false })
    await assert.rejects(form, ConfigError)
  })
})

describe('an error about a secret', () => {
  const wrong: [what: string, set: string][] = [
    ['a header of the wrong type', 'exporters.otlp_grpc.headers={authorization: 987654321}'],
    ['a header that is a list', 'exporters.otlp_grpc.headers={authorization: [987654321]}'],
    ['headers that are one text', 'exporters.otlp_grpc.headers="Bearer 987654321"'],
    ['a key of the wrong type', 'exporters.otlp_grpc.tls.key_pem=987654321'],
    ['a key beside its file', 'exporters.otlp_grpc.tls={key_file: a, key_pem: "987654321"}'],
    [
      'a header of the own metrics',
      'service.telemetry.metrics.readers=[{periodic: {exporter: {otlp: {headers: {a: 987654321}}}}}]',
    ],
  ]
  for (const [what, set] of wrong) {
    it(`never repeats it: ${what}`, async () => {
      const error = await printConfig({ ...OPTIONS, set: [set] }).then(
        () => assert.fail('taken'),
        (thrown: unknown) => thrown as ConfigError,
      )
      assert.ok(error instanceof ConfigError)
      assert.ok(!JSON.stringify([error.message, error.problems, error.stack]).includes('987654321'), error.message)
    })
  }
})
