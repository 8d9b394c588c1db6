import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  APPEND_LISTS,
  applyGates,
  describeGates,
  FEATURE_GATES,
  type FeatureGate,
  isEnabled,
} from '../../src/commands/feature-gates.ts'

const gate = (id: string, stage: FeatureGate['stage'], enabled: boolean): FeatureGate => ({
  ...{ id, stage, enabled },
  description: `What ${id} does.`,
  fromVersion: 'v0.1.0',
})
const GATES = [gate('a.alpha', 'Alpha', false), gate('b.stable', 'Stable', true), gate('c.gone', 'Deprecated', false)]

describe('--feature-gates', () => {
  it('turns gates on and off, the last word counts', () => {
    assert.ok(!isEnabled(applyGates([]), APPEND_LISTS))
    assert.ok(isEnabled(applyGates([APPEND_LISTS]), APPEND_LISTS))
    assert.ok(isEnabled(applyGates([`+${APPEND_LISTS}`]), APPEND_LISTS))
    assert.ok(!isEnabled(applyGates([`${APPEND_LISTS},-${APPEND_LISTS}`]), APPEND_LISTS))
    assert.ok(isEnabled(applyGates([`-${APPEND_LISTS}`, APPEND_LISTS]), APPEND_LISTS))
    assert.ok(!isEnabled(applyGates(['']), APPEND_LISTS))
  })

  for (const [flag, reason] of [
    ['nope', 'no such feature gate "nope". valid gates: [a.alpha b.stable c.gone]'],
    ['a.alpha,,b.stable', 'empty feature gate identifier at index 1'],
    ['-', 'empty feature gate identifier at index 0'],
    ['-b.stable', 'feature gate "b.stable" is stable, can not be disabled'],
    ['c.gone', 'feature gate "c.gone" is deprecated, can not be enabled'],
  ] as const) {
    it(`refuses ${flag}`, () => {
      assert.throws(() => applyGates([flag], GATES), {
        message: `invalid argument "${flag}" for "--feature-gates" flag: ${reason}`,
      })
    })
  }

  it('lists the gates in columns, or one with all that is known of it', () => {
    assert.equal(
      describeGates(GATES.slice(0, 2)),
      'ID         Enabled   Stage    Description\n' +
        'a.alpha    false     Alpha    What a.alpha does.\n' +
        'b.stable   true      Stable   What b.stable does.\n',
    )
    assert.equal(
      describeGates(GATES, 'a.alpha'),
      'Feature: a.alpha\nEnabled: false\nStage: Alpha\nDescription: What a.alpha does.\nFrom Version: v0.1.0\n',
    )
    assert.throws(() => describeGates(FEATURE_GATES, 'nope'), /^Error: feature "nope" not found$/)
  })
})
