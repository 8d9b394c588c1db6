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
}

/** netvitals itself as a process of its own. Dispose of it (`await using`) to end it. */
export function startProgram(args: readonly string[], { wrap = [], ...options }: ProgramOptions = {}): Child {
  const [command, ...rest] = [...wrap, ...commandLine(...args)]
  // No colours and no redrawing, whatever terminal the tests have; a variable of the user's must not reach it.
  const env = { NO_COLOR: '1', OTEL_EXPORTER_OTLP_ENDPOINT: undefined, ...options.env }
  return startChild(command!, rest, { cwd: ROOT, ...options, env })
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
