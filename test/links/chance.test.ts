import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compute, createRandom, simulate } from './chance.ts'

/** Standard deviations of a share: failed times come in runs, so those have fewer independent draws. */
const near = (seen: number, expected: number, draws: number) =>
  Math.abs(seen - expected) <= 4 * Math.sqrt((expected * (1 - expected)) / draws) + 1e-3

for (const [loss, probes] of [
  [0.01, 4_000],
  [0.1, 4_000],
  [0.3, 4_000],
] as const) {
  test(`an idle connection at ${loss * 100} % loss is NaN and failed as often as computed`, () => {
    const seen = simulate({ loss, probes, traffic: 'idle', random: createRandom(7) })
    const expected = compute(loss)
    const told = JSON.stringify({ seen, expected })
    assert.ok(near(seen.nan, expected.nan, probes), told)
    assert.ok(near(seen.twice, expected.twice, probes / 2), told)
    assert.ok(near(seen.failed, expected.failed, probes / 12), told)
  })
}

test('at 30 % loss a link with traffic is lossy, and never failed', () => {
  const seen = simulate({ loss: 0.3, probes: 1_000, traffic: 'busy', random: createRandom(7) })
  assert.equal(seen.failed, 0)
  assert.ok(seen.lossy > 0.99, JSON.stringify(seen))
})

test('the README has the computed chances', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../src/links/README.md'), 'utf8')
  for (const loss of [0.01, 0.1, 0.3]) {
    const { nan, twice, failed } = compute(loss)
    const row = [nan, twice, failed].map((share) => `${Number((share * 100).toPrecision(2))} %`)
    assert.match(readme.replace(/ +/g, ' '), new RegExp(`\\| ${row.join(' \\| ')} \\|`))
  }
})
