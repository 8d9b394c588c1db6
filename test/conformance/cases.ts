import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ROOT } from '../support/cli.ts'

/** What a real Collector was asked, and what it said. Its folder's README explains each key. */
export interface Case {
  readonly id: string
  readonly group: string
  readonly mode: 'resolve' | 'decode' | 'collector'
  readonly config: readonly string[]
  readonly set?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly target?: string
  readonly default_scheme?: string
  readonly feature_gates?: string
  readonly expect: Expectation
  /** Of the older Collector, where it differs: meeting either is right. */
  readonly expect_v0_159?: Expectation
}

export interface Expectation {
  readonly value?: unknown
  readonly effective_config?: unknown
  readonly error?: string
  readonly validate_cmd_stderr?: string
  readonly run_cmd_stderr?: string
}

/** The folder of cases checked against real Collectors; its paths are relative to it. */
export const FOLDER = resolve(
  process.env.NETVITALS_TEST_CONFORMANCE || join(ROOT, '..', 'shared', 'conformance', 'collector'),
)

/** Why the cases can't be run; false when they can. */
export const SKIP = existsSync(join(FOLDER, 'cases.json'))
  ? false
  : `no cases at ${FOLDER}: set NETVITALS_TEST_CONFORMANCE to their folder`

export const CASES: readonly Case[] = SKIP
  ? []
  : (JSON.parse(readFileSync(join(FOLDER, 'cases.json'), 'utf8')) as { cases: Case[] }).cases

/** Runs a case in its folder and with its environment, both as they were afterwards. */
export async function inCase<T>({ env = {} }: Pick<Case, 'env'>, run: () => Promise<T>): Promise<T> {
  const folder = process.cwd()
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const)
  process.chdir(FOLDER)
  Object.assign(process.env, env)
  try {
    return await run()
  } finally {
    process.chdir(folder)
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
