import { type ComponentRegistry, createRegistry } from '../component/registry.ts'
import { ConfigError, configError, describeProblems, reasonOf } from '../errors.ts'
import { applyGates, describeGates } from './feature-gates.ts'
import { COMMANDS, type Command, type Flags, parseFlags } from './flags.ts'
import { print } from './print.ts'
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

/** What each command does; its module is loaded when it is used. */
const ACTIONS: Readonly<Record<Command, (flags: Flags, registry: ComponentRegistry) => Promise<number>>> = {
  run: async (flags, registry) => (await import('./run.ts')).run({ ...flags, registry, version: readVersion() }),
  validate: async (flags, registry) => (await import('./validate.ts')).validate({ ...flags, registry }),
  'print-config': async (flags, registry) =>
    answer(await (await import('./print-config.ts')).printConfig({ ...flags, registry })),
  'print-schema': async (_, registry) => answer(await (await import('./print-schema.ts')).printSchema(registry)),
  components: async (_, registry) =>
    answer((await import('./components.ts')).describeComponents(registry, readVersion())),
  doctor: async (flags, registry) =>
    (await import('./doctor/index.ts')).doctor({ ...flags, registry, version: readVersion() }),
  featuregate: async ({ featureGates, rest }) => answer(describeGates(applyGates(featureGates), rest[0])),
  help: async () => answer((await import('./help.ts')).HELP),
}

async function dispatch(flags: Flags, registry: ComponentRegistry): Promise<number> {
  const { command, rest, help, version } = flags
  if (help) return ACTIONS.help(flags, registry)
  if (version) return answer(`netvitals version ${readVersion()}\n`)
  if (!Object.hasOwn(ACTIONS, command)) {
    const commands = Object.keys(COMMANDS).join(', ')
    throw configError('flags', [], `unknown command "${command}" for "netvitals"`, `commands: ${commands}`)
  }
  const [surplus] = command === 'featuregate' ? rest.slice(1) : rest
  if (surplus !== undefined && command !== 'help')
    throw configError('flags', [], `unknown argument "${surplus}" for "${command}"`, 'see netvitals --help')
  return ACTIONS[command as Command](flags, registry)
}

async function answer(text: string): Promise<number> {
  await print(text)
  return 0
}

function describeError(error: unknown, command: string): string {
  if (error instanceof ConfigError) return describeProblems(error.problems, command === 'validate' ? 'validate' : 'run')
  return reasonOf(error)
}
