import assert from 'node:assert/strict'
import { test } from 'node:test'
import { config } from '../../../src/exporters/debug/config.ts'

test('defaults are those of the Collector', () => {
  assert.deepEqual(config.parse({}), {
    verbosity: 'basic',
    sampling_initial: 2,
    sampling_thereafter: 1,
    use_internal_logger: true,
  })
})

test('verbosity is read in any case', () => {
  assert.equal(config.parse({ verbosity: 'Detailed' }).verbosity, 'detailed')
})

const REFUSED: [object, string][] = [
  [{ verbosity: 'foo' }, 'unknown metrics level "foo"'],
  [{ verbosity: 'none' }, 'verbosity level "None" is not supported'],
  [{ verBosity: 'basic' }, 'has invalid keys: verBosity'],
  [{ output_paths: ['stderr'] }, 'output_paths is not supported when use_internal_logger is true'],
  [
    { use_internal_logger: false, output_paths: [] },
    'output_paths must not be empty when use_internal_logger is false',
  ],
]
for (const [value, message] of REFUSED) {
  test(`refuses ${JSON.stringify(value)} as the Collector does`, () => {
    const { error } = config.safeParse(value)
    assert.deepEqual(
      error?.issues.map((issue) => issue.message),
      [message],
    )
  })
}
