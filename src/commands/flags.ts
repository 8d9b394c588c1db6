import { parseArgs } from 'node:util'
import { nearest } from '../config/nearest.ts'
import { configError } from '../errors.ts'

export interface Flags {
  /** First word that is no flag; '' when there is none. */
  readonly command: string
  /** Words after it. */
  readonly rest: readonly string[]
  readonly config: readonly string[]
  readonly set: readonly string[]
  readonly help: boolean
  readonly version: boolean
}

const OPTIONS = {
  config: { type: 'string', multiple: true },
  set: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

/** @throws ConfigError of stage 'flags', worded as the Collector's flag library does */
export function parseFlags(argv: readonly string[]): Flags {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(argv)
  } catch (error) {
    throw describe(error as NodeJS.ErrnoException)
  }
  const { values, positionals } = parsed
  const [command = '', ...rest] = positionals
  const { config = [], set = [], help = false, version = false } = values
  return { command, rest, config, set, help, version }
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, strict: true })
}

function describe({ code, message }: NodeJS.ErrnoException): Error {
  const flag = /'(-[^' ]*)/.exec(message)?.[1] ?? ''
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const guess = nearest(flag.replace(/^-+/, ''), Object.keys(OPTIONS))
    const remedy = guess === undefined ? 'see netvitals --help' : `did you mean --${guess}?`
    return configError(
      'flags',
      [],
      flag.startsWith('--') ? `unknown flag: ${flag}` : `unknown shorthand flag: ${flag}`,
      remedy,
    )
  }
  const long = /--[a-z-]+/.exec(message)?.[0] ?? flag
  if (/does not take an argument/.test(message)) return configError('flags', [], `flag takes no value: ${long}`)
  return configError('flags', [], `flag needs an argument: ${long}`, `write ${long}=VALUE`)
}
