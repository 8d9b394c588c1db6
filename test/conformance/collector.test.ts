import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRegistry } from '../../src/component/registry.ts'
import { loadConfig, renderConfig, setToUri } from '../../src/config/index.ts'
import { resolve } from '../../src/config/resolver.ts'
import { type Tree, typedDeep } from '../../src/config/value.ts'
import { ConfigError, describeProblems } from '../../src/errors.ts'
import { CASES, type Case, type Expectation, inCase, SKIP } from './cases.ts'
import { COLLECTOR_COMPONENTS } from './components.ts'
import { differences, REASONS, reasonFor, unusedReasons } from './differences.ts'
import { decodeTarget } from './targets.ts'

const registry = createRegistry(COLLECTOR_COMPONENTS)
const SIGNALS = ['traces', 'metrics', 'logs']
const APPEND = 'confmap.enableMergeAppendOption'

type Answer = { readonly value: unknown } | { readonly error: ConfigError }

/** Asks netvitals what the Collector was asked. Anything thrown but a ConfigError fails the case. */
async function ask(item: Case): Promise<Answer> {
  try {
    return { value: await inCase(item, () => answer(item)) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { error }
  }
}

async function answer(item: Case): Promise<unknown> {
  const { mode, config, set = [], target = '', default_scheme, feature_gates } = item
  const appendLists = feature_gates === APPEND
  if (mode === 'collector') {
    const typed = await loadConfig({ uris: config, sets: set, registry, signals: SIGNALS, appendLists })
    return renderConfig(typed, { durations: 'nanoseconds' })
  }
  const scheme = default_scheme === undefined ? {} : { defaultScheme: default_scheme }
  const tree = await resolve({ uris: [...config, ...set.map(setToUri)], appendLists, ...scheme })
  return mode === 'resolve' ? typedDeep(tree) : decodeTarget(target, (tree as Tree).field)
}

/** Without our remedies, which stand on lines of their own, indented by four. */
function withoutRemedies(text: string): string[] {
  return text.split('\n').filter((line) => !line.startsWith('    '))
}

/** The Collector goes through maps in any order: lines of a message may be swapped. */
function sortedLines(text: string): string[] {
  return withoutRemedies(text.replace(/^Error: (?:invalid configuration: )?/, '')).sort()
}

function headOf(text: string): string | undefined {
  return /^Error: (?:invalid configuration: )?/.exec(text)?.[0]
}

function check(item: Case, answer: Answer, expected: Expectation): void {
  if ('value' in answer) {
    const wanted = expected.effective_config ?? expected.value
    assert.equal(expected.error, undefined, `taken: ${JSON.stringify(answer.value)}`)
    if (item.mode === 'collector') assert.deepEqual(differences(wanted, answer.value), [])
    else assert.deepEqual(JSON.parse(JSON.stringify(answer.value)), wanted)
    return
  }
  const { problems } = answer.error
  if (expected.error === undefined) assert.fail(`refused: ${describeProblems(problems, 'run')}`)
  if (expected.validate_cmd_stderr === undefined || expected.run_cmd_stderr === undefined) {
    const lines = withoutRemedies(describeProblems(problems, 'validate'))
    assert.ok(lines.join('\n').endsWith(expected.error), `${lines.join('\n')}\n\ndoes not end in\n\n${expected.error}`)
    return
  }
  for (const command of ['validate', 'run'] as const) {
    const said = `Error: ${describeProblems(problems, command)}`
    assert.equal(headOf(said), headOf(expected[`${command}_cmd_stderr`]!))
    assert.deepEqual(sortedLines(said), sortedLines(expected[`${command}_cmd_stderr`]!))
  }
}

describe('what a real Collector answered', { skip: SKIP }, () => {
  it('is known for 400 cases', () => assert.equal(CASES.length, 400))

  for (const item of CASES) {
    it(`${item.group}: ${item.id}`, async () => {
      const answer = await ask(item)
      if (reasonFor(item.id) !== undefined) {
        assert.throws(() => check(item, answer, item.expect), 'a reason is given for a case that passes')
        return
      }
      try {
        check(item, answer, item.expect)
      } catch (error) {
        if (item.expect_v0_159 === undefined) throw error
        check(item, answer, item.expect_v0_159)
      }
    })
  }

  it('differs for no reason that is not needed', () => {
    assert.ok(REASONS.length > 0)
    assert.deepEqual(unusedReasons(), [])
  })
})
