import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { config } from '../../../../src/receivers/netvitals/config.ts'

const problems = (probes: unknown) => {
  const result = config.safeParse({ probes })
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('::')}: ${message}`)
}

describe('the settings of probes', () => {
  it('have defaults that fit each other', () => {
    const { probes, latency } = config.parse({})
    assert.deepEqual(probes, {
      enabled: true,
      interval: 15_000,
      timeout: 1_000,
      linger: 60_000,
      payload_size: 32,
      ttl: 64,
      dscp: 0,
      include: [],
      exclude: [],
      max_targets_per_container: 100,
      max_rate: 500,
      report_unanswered: 'auto',
    })
    assert.deepEqual(latency, { on_loss: 'nan' })
  })

  it('refuse an interval that is not longer than the timeout, and name both', () => {
    for (const probes of [{ interval: '1s' }, { timeout: '15s' }, { interval: '2s', timeout: '3s' }]) {
      const [problem, ...more] = problems(probes)
      assert.match(problem!, /^probes::timeout: must be below probes::interval \(\d+s\), got \d+s$/)
      assert.deepEqual(more, [])
    }
    assert.deepEqual(problems({ interval: '1s', timeout: '999ms' }), [])
  })

  it('refuse an interval below one second', () => {
    assert.deepEqual(problems({ interval: '999ms', timeout: '100ms' }), [
      'probes::interval: must be at least 1s, got 999ms',
    ])
  })

  it('take report_unanswered as a word or as YAML has booleans', () => {
    for (const [given, meant] of [
      ['auto', 'auto'],
      [true, 'true'],
      [false, 'false'],
      ['true', 'true'],
    ] as const)
      assert.equal(config.parse({ probes: { report_unanswered: given } }).probes.report_unanswered, meant)
    assert.equal(problems({ report_unanswered: 'never' }).length, 1)
    assert.equal(problems({ report_unanswered: 1 }).length, 1)
  })

  const refused: Record<string, unknown>[] = [
    { ttl: 0 },
    { ttl: 256 },
    { dscp: 64 },
    { payload_size: 4 },
    { max_targets_per_container: 0 },
    { max_rate: 0 },
    { include: ['10.0.0.0'], exclude: ['10.0.0.1/8'] },
    { linger: '-1s' },
    { intervall: '15s' },
  ]
  for (const probes of refused)
    it(`refuse ${JSON.stringify(probes)}`, () => {
      assert.equal(problems(probes).length, 1)
    })
})
