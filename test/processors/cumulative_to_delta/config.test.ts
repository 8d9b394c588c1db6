import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRegistry } from '../../../src/component/registry.ts'
import { loadConfig, renderConfig } from '../../../src/config/index.ts'

const registry = createRegistry()

function load(settings: string, type = 'cumulative_to_delta', warn?: (message: string) => void) {
  const text = `{receivers: {netvitals: }, processors: {${type}: ${settings}}, exporters: {debug: },
    service: {pipelines: {metrics: {receivers: [netvitals], processors: [${type}], exporters: [debug]}}}}`
  return loadConfig({ uris: [`yaml:${text}`], registry, ...(warn === undefined ? {} : { warn }) })
}

describe("the cumulative_to_delta processor's settings", () => {
  it("have the Collector's defaults", async () => {
    const { processors } = renderConfig(await load(''), { durations: 'text' }) as {
      processors: Record<string, unknown>
    }
    const matching = { metrics: [], match_type: '', metric_types: [] }
    assert.deepEqual(processors.cumulative_to_delta, {
      max_staleness: '1h0m0s',
      initial_value: 'auto',
      include: matching,
      exclude: matching,
    })
  })

  it('are found by the older name, with a warning that names the new word', async () => {
    const warnings: string[] = []
    await load('', 'cumulativetodelta', (message) => warnings.push(message))
    assert.deepEqual(warnings, ['"cumulativetodelta" is an older name: write "cumulative_to_delta" in processors'])
  })

  for (const settings of [
    '{max_staleness: 0, initial_value: drop}',
    '{include: {metrics: [a, b], match_type: strict}, exclude: {metrics: ["b.*"], match_type: regexp}}',
    '{include: {metric_types: [Sum, HISTOGRAM, exponentialhistogram]}}',
    '{include: {metrics: ["(?i)^(?P<x>a)$"], match_type: regexp, regexp: {cacheenabled: true}}}',
  ]) {
    it(`may be ${settings}`, async () => void (await load(settings)))
  }

  const PLACE = 'processors::cumulative_to_delta'
  const refused: [settings: string, message: string][] = [
    ['{include: {metrics: [a]}}', `${PLACE}: match_type must be set if metrics are supplied`],
    ['{exclude: {metrics: [a]}}', `${PLACE}: match_type must be set if metrics are supplied`],
    ['{exclude: {match_type: strict}}', `${PLACE}: metrics must be supplied if match_type is set`],
    ['{include: {match_type: strict, metrics: }}', `${PLACE}: metrics must be supplied if match_type is set`],
    [
      '{include: {metric_types: [gauge]}, exclude: {metric_types: [sum]}}',
      `${PLACE}: found invalid metric type in include.metric_types: gauge. ` +
        'Valid values are [exponentialhistogram histogram sum]',
    ],
    ['{initial_value: maybe}', "'initial_value' unknown initial_value: maybe"],
    ['{max_staleness: -1s}', `${PLACE}::max_staleness: must be at least 0s, got -1s`],
    [
      '{include: {metrics: ["a("], match_type: regexp}}',
      `${PLACE}::include::metrics::0: invalid pattern "a(": Unterminated group`,
    ],
    [
      '{exclude: {metrics: [a, "[[:alpha:]]"], match_type: regexp}}',
      `${PLACE}::exclude::metrics::1: invalid pattern "[[:alpha:]]": write [a-z] for a class such as [:lower:]`,
    ],
    ['{include: {metrics: ["\\\\Aa"], match_type: regexp}}', 'invalid pattern "\\Aa": Invalid escape'],
    ['{max_stale: 1h}', "'cumulativetodeltaprocessor.Config' has invalid keys: max_stale"],
    ['{include: {metric: [a]}}', "'include' has invalid keys: metric"],
  ]
  for (const [settings, message] of refused) {
    it(`are refused: ${settings}`, async () => {
      await assert.rejects(load(settings), (error: Error) => {
        assert.ok(error.message.includes(message), error.message)
        return true
      })
    })
  }
})
