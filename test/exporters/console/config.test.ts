import assert from 'node:assert/strict'
import { test } from 'node:test'
import { config, toThresholds } from '../../../src/exporters/console/config.ts'
import { DEFAULT_THRESHOLDS } from '../../../src/links/index.ts'

test('the defaults are those of the links', () => {
  const parsed = config.parse({})
  assert.deepEqual([parsed.group_by, parsed.rows, parsed.color], ['workload', 0, 'auto'])
  assert.deepEqual(toThresholds(parsed), DEFAULT_THRESHOLDS)
})

test('every threshold is a setting', () => {
  const parsed = config.parse({
    thresholds: {
      failed_ratio: 0.9,
      refused_ratio: 0.8,
      lossy_ratio: 0.7,
      lossy_min_segments: 6,
      lossy_min_retransmits: 5,
      lossy_min_probes: 4,
      slow: { node: '1ms', cluster: '2ms', private: '3ms', external: '1s' },
    },
  })
  assert.deepEqual(toThresholds(parsed), {
    failedRatio: 0.9,
    refusedRatio: 0.8,
    lossyRatio: 0.7,
    lossyMinSegments: 6,
    lossyMinRetransmits: 5,
    lossyMinProbes: 4,
    slowMs: { node: 1, cluster: 2, private: 3, external: 1000 },
  })
})

const REFUSED: [object, string][] = [
  [{ group_by: 'pod' }, 'group_by: invalid value: "pod"'],
  [{ rows: -1 }, 'rows: must be at least 0, got -1'],
  [{ color: true }, "color: expected type 'string', got unconvertible type 'bool'"],
  [{ interval: '5s' }, ': has invalid keys: interval'],
  [{ thresholds: { lossy_ratio: 2 } }, 'thresholds.lossy_ratio: must be at most 1, got 2'],
  [{ thresholds: { slow: { node: -1 } } }, 'thresholds.slow.node: must be at least 0s, got '],
  [{ thresholds: { slow: { moon: '1s' } } }, 'thresholds.slow: has invalid keys: moon'],
]
for (const [value, message] of REFUSED) {
  test(`refuses ${JSON.stringify(value)}`, () => {
    const { error } = config.safeParse(value)
    const [issue, ...rest] = error?.issues ?? []
    assert.equal(rest.length, 0)
    assert.ok(`${issue?.path.join('.')}: ${issue?.message}`.startsWith(message), JSON.stringify(issue))
  })
}
