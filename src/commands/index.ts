import { type ComponentRegistry, createRegistry } from '../component/registry.ts'
import { ConfigError, configError, describeProblems, reasonOf } from '../errors.ts'
import { describeComponents } from './components.ts'
import { type Flags, parseFlags } from './flags.ts'
import { HELP } from './help.ts'
import { run } from './run.ts'
import { validate } from './validate.ts'
import { readVersion } from './version.ts'

/** Arguments to exit code. Whatever goes wrong is one message after `Error: ` on stderr, never a stack trace. */
export async function main(argv: readonly string[], registry = createRegistry()): Promise<number> {
  let command = ''
  // Waiting, for a signal say, keeps no process alive, and a quiet component has no timer of its own.
  const alive = setInterval(() => {}, 2 ** 30)
  try {
    const flags = parseFlags(argv)
    command = flags.command
    return await dispatch(flags, registry)
  } catch (error) {
    process.stderr.write(`Error: ${describeError(error, command)}\n`)
    return 1
  } finally {
    clearInterval(alive)
  }
}

async function dispatch(
  { command, rest, config, set, help, version }: Flags,
  registry: ComponentRegistry,
): Promise<number> {
  if (help) return print(HELP)
  if (version) return print(`netvitals version ${readVersion()}\n`)
  const [surplus] = rest
  if (surplus !== undefined)
    throw configError('flags', [], `unknown argument "${surplus}" for "${command}"`, 'see netvitals --help')
  switch (command) {
    case '':
    case 'run':
      return run({ config, set, registry, version: readVersion() })
    case 'validate':
      return validate({ config, set, registry })
    case 'components':
      return print(describeComponents(registry, readVersion()))
    default:
      throw configError(
        'flags',
        [],
        `unknown command "${command}" for "netvitals"`,
        'commands: run, validate, components',
      )
  }
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function describeError(error: unknown, command: string): string {
  if (error instanceof ConfigError) return describeProblems(error.problems, command === 'validate' ? 'validate' : 'run')
  return reasonOf(error)
}
