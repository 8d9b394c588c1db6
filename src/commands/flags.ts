import { parseArgs } from 'node:util'
import { nearest } from '../config/nearest.ts'
import { configError } from '../errors.ts'

export interface Flags {
  /** First word that is no flag, by the name that it has now; '' when there is none. */
  readonly command: string
  /** Words after it. */
  readonly rest: readonly string[]
  readonly config: readonly string[]
  readonly set: readonly string[]
  /** `--feature-gates`, each as written. */
  readonly featureGates: readonly string[]
  readonly watch: boolean
  /** Of print-config. */
  readonly mode: string
  readonly format: string
  readonly validate: boolean
  /** Of doctor: how it is printed. */
  readonly output: string
  readonly help: boolean
  readonly version: boolean
}

const OPTIONS = {
  config: { type: 'string', multiple: true },
  set: { type: 'string', multiple: true },
  'feature-gates': { type: 'string', multiple: true },
  watch: { type: 'boolean' },
  mode: { type: 'string' },
  format: { type: 'string' },
  validate: { type: 'boolean' },
  output: { type: 'string', short: 'o' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

type Option = keyof typeof OPTIONS

const CONFIGURED = ['config', 'set', 'feature-gates'] as const
const EVERYWHERE = ['help', 'version'] as const

/** Which flags each command takes besides those of EVERYWHERE, as the Collector has it. */
export const COMMANDS = {
  run: [...CONFIGURED, 'watch'],
  validate: CONFIGURED,
  'print-config': [...CONFIGURED, 'mode', 'format', 'validate'],
  'print-schema': [],
  components: [],
  doctor: [...CONFIGURED, 'output'],
  featuregate: ['feature-gates'],
  help: [],
} as const satisfies Record<string, readonly Option[]>

export type Command = keyof typeof COMMANDS

const ALIASES: Readonly<Record<string, Command>> = { '': 'run', 'print-initial-config': 'print-config' }

/** What strconv.ParseBool takes. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, false])),
}

/** @throws ConfigError of stage 'flags', worded as the Collector's flag library does */
export function parseFlags(argv: readonly string[]): Flags {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(spellBooleans(argv))
  } catch (error) {
    if (!('code' in (error as Error)) || (error as Error).name === 'ConfigError') throw error
    throw describe(error as NodeJS.ErrnoException)
  }
  const { values, positionals, tokens } = parsed
  const [first = '', ...rest] = positionals
  const command = ALIASES[first] ?? first
  const given = tokens.flatMap((token) => (token.kind === 'option' ? [token.name as Option] : []))
  if (Object.hasOwn(COMMANDS, command)) refuseOthers(given, COMMANDS[command as Command])
  return {
    command,
    rest,
    config: values.config ?? [],
    set: values.set ?? [],
    featureGates: values['feature-gates'] ?? [],
    watch: values.watch ?? false,
    mode: values.mode ?? 'redacted',
    format: values.format ?? 'yaml',
    validate: values.validate ?? true,
    output: values.output ?? 'table',
    help: values.help ?? false,
    version: values.version ?? false,
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    options: OPTIONS,
    allowPositionals: true,
    allowNegative: true,
    strict: true,
    tokens: true,
  })
}

/** `--watch=false` is `--no-watch` in the words of parseArgs. */
function spellBooleans(argv: readonly string[]): string[] {
  return argv.map((arg) => {
    const [, name, value] = /^--([a-z-]+)=(.*)$/s.exec(arg) ?? []
    if (name === undefined || value === undefined) return arg
    if (!Object.hasOwn(OPTIONS, name) || OPTIONS[name as Option].type !== 'boolean') return arg
    if (Object.hasOwn(BOOLEANS, value)) return BOOLEANS[value] ? `--${name}` : `--no-${name}`
    const quoted = JSON.stringify(value)
    throw configError(
      'flags',
      [],
      `invalid argument ${quoted} for "--${name}" flag: strconv.ParseBool: parsing ${quoted}: invalid syntax`,
      'write true or false',
    )
  })
}

function refuseOthers(given: readonly Option[], taken: readonly Option[]): void {
  const allowed: readonly Option[] = [...taken, ...EVERYWHERE]
  const other = given.find((name) => !allowed.includes(name))
  if (other !== undefined) throw unknownFlag(`--${other}`, allowed)
}

function unknownFlag(flag: string, known: readonly string[]): Error {
  const guess = nearest(flag.replace(/^-+/, ''), known)
  const remedy = guess === undefined ? 'see netvitals --help' : `did you mean --${guess}?`
  const shorthand = `unknown shorthand flag: '${flag[1]}' in ${flag}`
  return configError('flags', [], flag.startsWith('--') ? `unknown flag: ${flag}` : shorthand, remedy)
}

function describe({ code, message }: NodeJS.ErrnoException): Error {
  const flag = /'(-[^' ]*)/.exec(message)?.[1] ?? ''
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return unknownFlag(flag, Object.keys(OPTIONS))
  const long = /--[a-z-]+/.exec(message)?.[0] ?? flag
  return configError('flags', [], `flag needs an argument: ${long}`, `write ${long}=VALUE`)
}
