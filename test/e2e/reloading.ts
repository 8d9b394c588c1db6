import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, eventually, startChild } from './child.ts'
import { ROOT } from './program.ts'

const INSPECTED = join(import.meta.dirname, 'testdata', 'inspected.ts')

/** A configuration in a file of its own, and the program that runs it; `testdata/inspected.ts`, to look into. */
export function createConfigFile() {
  const directory = mkdtempSync(join(tmpdir(), 'netvitals-'))
  const path = join(directory, 'netvitals.yaml')
  return {
    directory,
    path,
    write: (config: unknown) => writeFileSync(path, JSON.stringify(config)),
    start: (...args: string[]): Child =>
      startChild(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', '--expose-gc', INSPECTED, '--config', path, ...args],
        { cwd: ROOT, env: { NO_COLOR: '1' } },
      ),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  }
}

/** How often stderr has this text. */
export const said = (program: Child, text: string): number => program.stderr().split(text).length - 1

export const RELOADED = 'Configuration reloaded'
export const NOT_RELOADED = 'Configuration not reloaded'

/** SIGHUP, until the new configuration runs; rejects when it does not. */
export async function reload(program: Child): Promise<void> {
  const before = said(program, RELOADED)
  program.signal('SIGHUP')
  await eventually(`reload ${before + 1}`, () => {
    if (said(program, NOT_RELOADED) > 0) throw new Error(program.stderr())
    return said(program, RELOADED) > before || undefined
  })
}

/** What a process holds: descriptors, bytes of live objects, and what keeps its event loop alive, by kind. */
export interface Holding {
  readonly fds: number
  readonly heapUsed: number
  readonly resources: Readonly<Record<string, number>>
}

export async function holding(program: Child): Promise<Holding> {
  const all = () => program.stdout().match(/^holds .*$/gm) ?? []
  const before = all().length
  program.signal('SIGUSR2')
  const line = await eventually('what it holds', () => all()[before])
  return JSON.parse(line.slice('holds '.length))
}
