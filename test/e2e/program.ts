import { join } from 'node:path'
import { type Child, type ChildOptions, startChild } from './child.ts'

export const ROOT = join(import.meta.dirname, '..', '..')

/** The command that `npm start` runs, by this very Node. */
export function commandLine(...args: string[]): string[] {
  return [process.execPath, '--disable-warning=ExperimentalWarning', join(ROOT, 'src', 'main.ts'), ...args]
}

export interface ProgramOptions extends ChildOptions {
  /** A command that runs the program, e.g. setpriv with its flags. */
  readonly wrap?: readonly string[]
  /** As the user nobody, with these flags of setpriv. */
  readonly nobody?: readonly string[]
}

/** netvitals itself as a process of its own. Dispose of it (`await using`) to end it. */
export function startProgram(args: readonly string[], { wrap = [], nobody, ...options }: ProgramOptions = {}): Child {
  const own = commandLine(...args)
  const [command, ...rest] = [...wrap, ...(nobody === undefined ? own : asNobody(own, nobody))]
  // No colours and no redrawing, whatever terminal the tests have; a variable of the user's must not reach it.
  const env = { NO_COLOR: '1', OTEL_EXPORTER_OTLP_ENDPOINT: undefined, ...options.env }
  return startChild(command!, rest, { cwd: ROOT, ...options, env })
}

/** For setpriv. It loses what startChild gave, that the child ends with its parent. */
const NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups', '--pdeathsig=KILL']
const BIND = `
  mount -t tmpfs -o mode=755 none /mnt
  mkdir /mnt/clone
  : > /mnt/node
  mount --bind "$0" /mnt/clone
  mount --bind "$1" /mnt/node
  shift
  cd /mnt/clone
  exec "$@"
`

/**
 * A command as the user nobody, with more flags of setpriv if need be. It sees the clone and Node in a place where
 * everyone may look: not where they are, if that is somebody's home.
 */
export function asNobody(command: readonly string[], flags: readonly string[] = []): string[] {
  const seen = command.map((part) => (part === process.execPath ? '/mnt/node' : part.replace(ROOT, '/mnt/clone')))
  return ['unshare', '--mount', 'sh', '-ec', BIND, ROOT, process.execPath, 'setpriv', ...NOBODY, ...flags, ...seen]
}

/** Resolves when it runs; rejects with all it said when it ends instead. */
export async function ready(program: Child): Promise<void> {
  await program.output(/Everything is ready/)
}

/** A frame of a stack: `    at name (file:line:column)`, as V8 writes it. */
export const STACK_TRACE = /^\s+at .*:\d+:\d+\)?$/m

/** A configuration of these parts, as a `--config` that needs no file. */
export function inline(config: unknown): string {
  return `yaml:${JSON.stringify(config)}`
}
