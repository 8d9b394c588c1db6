import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { printConfig } from '../../src/commands/print-config.ts'
import { validate } from '../../src/commands/validate.ts'
import { createRegistry } from '../../src/component/registry.ts'
import { ConfigError, describeProblems } from '../../src/errors.ts'
import { differences } from '../conformance/differences.ts'
import { cli } from '../support/cli.ts'
import { type Question, REFUSED, TAKEN } from './agreement-questions.ts'
import { buildCollector } from './collector-build.ts'

const run = promisify(execFile)
const registry = createRegistry()

interface Answer {
  readonly code: number
  /** What stands after `Error: `. */
  readonly error: string
}

function urisOf({ documents }: Question, receiver: string, settings: string): string[] {
  const named = documents.map((text) =>
    text.replaceAll('RECEIVER: ', `${receiver}: ${settings}`).replaceAll('RECEIVER', receiver),
  )
  return named.map((text) => `yaml:${text}`)
}

const ofOurs = (question: Question): string[] => urisOf(question, 'netvitals', '')
const ofCollector = (question: Question): string[] => urisOf(question, 'otlp', '{protocols: {grpc: {}}}')

/** netvitals' own commands, in this process. */
async function askUs<T>({ env = {} }: Question, ask: () => Promise<T>): Promise<T | Answer> {
  Object.assign(process.env, env)
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { code: 1, error: describeProblems(error.problems, 'validate') }
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
  }
}

function askToValidate(question: Question): Promise<Answer> {
  const { set = [] } = question
  return askUs(question, async () => {
    const code = await validate({ config: ofOurs(question), set, featureGates: [], registry })
    return { code, error: '' }
  })
}

async function askCollector(
  binary: string,
  command: readonly string[],
  question: Question,
): Promise<Answer & { stdout: string }> {
  const { env = {}, set = [] } = question
  const flags = [...ofCollector(question).map((uri) => `--config=${uri}`), ...set.map((text) => `--set=${text}`)]
  const options = { env: { ...process.env, ...env }, timeout: 30_000, maxBuffer: 16 << 20 }
  try {
    const { stdout } = await run(binary, [...command, ...flags], options)
    return { code: 0, error: '', stdout }
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string }
    const text =
      /Error: (.*?)\n(?:\d{4}\/\d\d\/\d\d .*collector server run finished|Usage:|$)/s.exec(stderr)?.[1] ?? stderr
    return { code, error: once(text.trimEnd()), stdout: '' }
  }
}

/** Its main() prints the error too, after the command has. */
function once(text: string): string {
  const half = text.slice(0, (text.length - 1) / 2)
  return text === `${half}\n${half}` ? half : text
}

/** Without remedies, in any order, and without what is only there: lists of its components, its receiver's name. */
function words(text: string): string[] {
  const plain = text.replaceAll('netvitals', 'otlp').replace(/ \(valid values: \[.*?\]\)/g, '')
  return plain
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('    '))
    .sort()
}

describe('a real Collector', async () => {
  const { path: binary, skip } = await buildCollector()

  it('is asked at least 40 questions', () => assert.ok(TAKEN.length + REFUSED.length >= 40))

  describe('takes what netvitals takes, with the same values', { skip, concurrency: 2 }, () => {
    for (const question of TAKEN) {
      it(question.name, async () => {
        const theirs = await askCollector(binary!, ['print-config', '--format=json'], question)
        assert.equal(theirs.code, 0, theirs.error)
        const flags = { config: ofOurs(question), set: question.set ?? [], featureGates: [], registry, validate: true }
        const ours = await askUs(question, () => printConfig({ ...flags, mode: 'redacted', format: 'json' }))
        if (typeof ours !== 'string') assert.fail(ours.error)
        const [expected, found] = [JSON.parse(theirs.stdout), JSON.parse(ours)].map(comparable)
        assert.deepEqual(differences(expected, found), [])
      })
    }
  })

  describe('refuses what netvitals refuses, in the same words', { skip, concurrency: 2 }, () => {
    for (const question of REFUSED) {
      it(question.name, async () => {
        const theirs = await askCollector(binary!, ['validate'], question)
        const ours = await askToValidate(question)
        assert.equal(ours.code, theirs.code, `${theirs.error}\n\n${ours.error}`)
        assert.equal(ours.code, 1)
        if (question.otherWords === undefined) assert.deepEqual(words(ours.error), words(theirs.error))
        else assert.notDeepEqual(words(ours.error), words(theirs.error), 'a reason is given for words that are alike')
      })
    }
  })
})

describe('netvitals as a program ends as its commands say', { concurrency: 2 }, () => {
  // Every command of the questions runs the same way: some of each kind.
  const some = [...TAKEN, ...REFUSED].filter((_, index) => index % 9 === 0)

  it('is asked some of both', () => {
    const taken = some.filter((question) => TAKEN.includes(question)).length
    assert.ok(taken >= 3 && some.length - taken >= 3)
  })

  for (const question of some) {
    it(question.name, async () => {
      const { env = {}, set = [] } = question
      const flags = [...ofOurs(question).map((uri) => `--config=${uri}`), ...set.map((text) => `--set=${text}`)]
      const { code, stdout, stderr } = await cli(['validate', ...flags], { env: { ...env } })
      const ours = await askToValidate(question)
      assert.deepEqual([code, stderr, stdout], [ours.code, ours.code === 0 ? '' : `Error: ${ours.error}\n`, ''])
      assert.equal(code, TAKEN.includes(question) ? 0 : 1)
    })
  }
})

/** How the Collector prints an initial_value: by its number. */
const INITIAL_VALUES = ['auto', 'keep', 'drop']

/** Each has a receiver of its own. */
function comparable({ receivers: _, service, ...others }: { receivers: unknown; service: object }): unknown {
  const whole = { ...others, service: JSON.parse(JSON.stringify(service).replaceAll('"netvitals"', '"otlp"')) }
  return JSON.parse(JSON.stringify(whole), (key, value) =>
    key === 'initial_value' && typeof value === 'number' ? INITIAL_VALUES[value] : value,
  )
}
