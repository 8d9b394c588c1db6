import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createDecisions, type DecisionsOptions } from '../../../../src/receivers/netvitals/containers/decisions.ts'
import type { Identity, IdentitySource } from '../../../../src/receivers/netvitals/containers/identity.ts'
import { parsePath } from '../../../../src/receivers/netvitals/containers/parse-path.ts'
import type { Container } from '../../../../src/receivers/netvitals/containers/types.ts'

const path = parsePath(`/docker/${'a1'.repeat(32)}`)
const WAIT_MS = 3_000

/** Decides of containers that are all there, with what one source tells. */
function deciding(
  t: TestContext,
  { tells, filter }: { tells?: Identity | 'nothing'; filter?: DecisionsOptions['filter'] } = {},
) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_800_000_000_000 })
  const identified: Container[] = []
  const source: IdentitySource = {
    name: 'docker',
    mayKnow: ({ id }) => tells !== undefined && id !== undefined,
    lookup: async () => (tells === 'nothing' ? undefined : tells),
    close() {},
  }
  const decisions = createDecisions({
    describing: { host: { name: 'node-1' } },
    filter,
    sources: () => [source],
    resolveTimeoutMs: WAIT_MS,
    identify: (_, container) => identified.push(container) > 0,
    report: (...what) => assert.fail(what.join(' ')),
    now: () => Date.now(),
  })
  t.after(() => decisions.stop())
  return { decisions, identified }
}

const named = (name: string): Identity => ({ source: 'docker', name })
const isWeb: DecisionsOptions['filter'] = (_, identity) => identity?.name === 'web'
const answered = () => new Promise<void>((resolve) => setImmediate(resolve))

test('what nobody may know more of is decided by its path, at once', (t) => {
  const { decisions } = deciding(t)
  const { unsureUntilMs, undecided, excluded } = decisions.begin(path)
  assert.deepEqual([unsureUntilMs, undecided, excluded], [undefined, undefined, undefined])
  assert.equal(decisions.pending(), 0)
})

test('what is not wanted by its path alone, and cannot be known better, is excluded at once', (t) => {
  const { decisions } = deciding(t, { filter: isWeb })
  const { undecided, excluded } = decisions.begin(path)
  assert.deepEqual([undecided, excluded], [undefined, true])
})

test('a name that may come is worth waiting for, and is told with who said it', async (t) => {
  const { decisions, identified } = deciding(t, { tells: named('web') })
  assert.equal(decisions.begin(path).unsureUntilMs, Date.now() + WAIT_MS)
  decisions.ask(path)
  await answered()
  assert.deepEqual(
    identified.map(({ attributes, unsureUntilMs }) => [attributes['container.name'], unsureUntilMs]),
    [['web', undefined]],
  )
  assert.equal(decisions.sourceOf(path.key), 'docker')
  decisions.end(path.key)
  assert.equal(decisions.sourceOf(path.key), undefined)
})

for (const [name, excluded] of [
  ['web', undefined],
  ['other', true],
] as const)
  test(`whether "${name}" is wanted is decided by its name, once`, async (t) => {
    const { decisions, identified } = deciding(t, { tells: named(name), filter: isWeb })
    assert.equal(decisions.begin(path).undecided, true)
    decisions.ask(path)
    await answered()
    t.mock.timers.tick(WAIT_MS)
    assert.deepEqual(
      identified.map((container) => [container.excluded, container.undecided]),
      [[excluded, undefined]],
    )
  })

test('without a name it is decided in time by the path, before its first export stops waiting', async (t) => {
  const { decisions, identified } = deciding(t, { tells: 'nothing', filter: isWeb })
  const { unsureUntilMs } = decisions.begin(path)
  decisions.ask(path)
  await answered()
  t.mock.timers.tick(WAIT_MS - 1)
  assert.equal(identified.length, 0)
  t.mock.timers.tick(1)
  assert.equal(identified[0]?.excluded, true)
  assert.ok(Date.now() < unsureUntilMs!)
})

test('nothing is decided any more once it is stopped', (t) => {
  const { decisions, identified } = deciding(t, { tells: 'nothing', filter: isWeb })
  decisions.begin(path)
  decisions.stop()
  t.mock.timers.tick(WAIT_MS)
  assert.equal(identified.length, 0)
})
