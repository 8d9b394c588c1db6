import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { advance, type Standing, UNKNOWN } from '../../src/links/hysteresis.ts'
import type { Verdict } from '../../src/links/judge.ts'
import { compareStatus, isBad, LINK_STATUSES, type LinkStatus } from '../../src/links/types.ts'

/** Statuses shown after each of these rounds. */
function shown(verdicts: readonly LinkStatus[], from: Standing = UNKNOWN): LinkStatus[] {
  let standing = from
  return verdicts.map((status, round) => {
    standing = advance(standing, { status, reason: isBad(status) ? `${status} ${round}` : '' })
    return standing.status
  })
}

const CASES: [what: string, verdicts: string, shown: string][] = [
  ['a bad status takes two rounds', 'ok failed failed', 'ok ok failed'],
  ['the first round is no exception', 'failed failed', 'idle failed'],
  ['a first round in which data passed is ok until the second', 'lossy lossy', 'ok lossy'],
  ['single bad rounds show nothing', 'ok failed ok failed ok lossy ok', 'ok ok ok ok ok ok ok'],
  ['a bad status is left after three good rounds', 'failed failed ok ok ok', 'idle failed failed failed ok'],
  ['two good rounds are not enough', 'slow slow ok ok slow ok ok ok', 'ok slow slow slow slow slow slow ok'],
  ['two different bad rounds show the milder', 'ok failed slow', 'ok ok slow'],
  ['getting worse takes two rounds', 'slow slow failed failed', 'ok slow slow failed'],
  [
    'getting better takes three, to the worst of them',
    'failed failed slow lossy slow slow slow',
    'idle failed failed failed lossy lossy slow',
  ],
  ['ok shows at once, idle after three silent rounds', 'ok idle idle idle ok', 'ok ok ok idle ok'],
  [
    'silence between bad rounds clears nothing',
    'failed idle failed idle idle idle failed',
    'idle idle failed failed failed failed failed',
  ],
  ['silence counts as no good round', 'failed failed ok ok idle ok', 'idle failed failed failed failed ok'],
]
for (const [what, verdicts, expected] of CASES) {
  test(what, () => {
    assert.equal(shown(verdicts.split(' ') as LinkStatus[]).join(' '), expected)
  })
}

test('answered probes alone end a bad status, break a row of bad rounds, and make nothing ok', () => {
  const answered = { status: 'ok', reason: '', quiet: true } as const
  const failed = { status: 'failed', reason: 'no answer' } as const
  const after = (...verdicts: Verdict[]) => verdicts.reduce((standing, verdict) => advance(standing, verdict), UNKNOWN)
  assert.equal(after(answered, answered).status, 'idle')
  assert.equal(after(failed, answered, failed).status, 'idle')
  assert.equal(after(failed, failed, answered, answered).status, 'failed')
  assert.equal(after(failed, failed, answered, answered, answered).status, 'ok')
  const data = { status: 'ok', reason: '' } as const
  assert.equal(after(data, answered, answered, answered).status, 'idle', 'three rounds without traffic')
})

test('after twelve silent rounds a bad status is history', () => {
  const silence = Array<LinkStatus>(12).fill('idle')
  assert.deepEqual(shown(['failed', 'failed', ...silence]).slice(-2), ['failed', 'idle'])
  assert.deepEqual(shown(['failed', ...silence, 'failed']).at(-1), 'idle')
})

test('the reason is that of the newest round that was as bad as what is shown', () => {
  let standing = UNKNOWN
  const reasons = (['lossy', 'failed', 'ok', 'lossy', 'ok', 'ok', 'ok'] as const).map((status, round) => {
    standing = advance(standing, { status, reason: isBad(status) ? `round ${round}` : '' })
    return standing.reason
  })
  assert.deepEqual(reasons, ['', 'round 1', 'round 1', 'round 3', 'round 3', 'round 3', ''])
})

test('whatever happens, a status changes for the worse after two such rounds and for the better after three', () => {
  const anyStatus = fc.constantFrom(...LINK_STATUSES.filter((status) => status !== 'idle'))
  fc.assert(
    fc.property(fc.array(anyStatus, { maxLength: 40 }), (verdicts) => {
      const statuses = shown(verdicts)
      for (const [round, status] of statuses.entries()) {
        const before = statuses[round - 1] ?? 'ok'
        if (before === 'idle' || status === 'idle' || status === before) continue
        const rounds = compareStatus(status, before) < 0 ? 2 : 3
        const evidence = verdicts.slice(Math.max(0, round + 1 - rounds), round + 1)
        const sameSide = (verdict: LinkStatus) => compareStatus(verdict, before) * compareStatus(status, before) > 0
        assert.equal(evidence.length, rounds)
        assert.ok(evidence.every(sameSide), `${before} to ${status} on ${evidence}`)
      }
    }),
  )
})
