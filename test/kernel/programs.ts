import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { compileProgram } from '../support/compile.ts'
import type { Container, Lab, Namespace } from './lab.ts'
import { createTallies, type Tally } from './tally.ts'

/** A running program of the workload: commands in, what it saw out. */
export interface Program {
  readonly namespace: Namespace
  readonly container: Container
  /**
   * One command (workload/main.c, words of workload/options.c); resolves when it is done, with what it counted.
   * @throws Error when something went otherwise than the command meant, or it takes more than a minute
   */
  command(line: string): Promise<Tally[]>
  /** Opens a listener of a server; 0 lets the kernel choose the port, which is returned. */
  listen(words: string): Promise<number>
  /** Everything since its start. */
  tallies(): Tally[]
}

const source = join(import.meta.dirname, 'workload')
const commandTimeoutMs = 60_000

/** Compiles the workload unless that is done already. Path of the program. */
export function buildWorkload(): string {
  return compileProgram(source)
}

export function startProgram(lab: Lab, namespace: Namespace, container: Container, role: 'serve' | 'drive'): Program {
  const child = lab.spawn(namespace, container, [buildWorkload(), role])
  const sum = createTallies()
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = []
  createInterface({ input: child.stdout! }).on('line', (line) => waiting.shift()?.resolve(line))
  let ended: Error | undefined
  child.once('exit', (code, signal) => {
    ended = new Error(`workload ${role} ended: ${signal ?? code}`)
    for (const { reject } of waiting.splice(0)) reject(ended)
  })
  child.stdin!.on('error', () => {})
  return { namespace, container, command, listen, tallies: () => sum.clone() }

  async function send(line: string): Promise<unknown> {
    const timeout = setTimeout(() => child.kill('SIGKILL'), commandTimeoutMs)
    try {
      return JSON.parse(
        await new Promise<string>((resolve, reject) => {
          if (ended) return reject(ended)
          waiting.push({ resolve, reject })
          child.stdin!.write(`${line}\n`)
        }),
      )
    } catch (error) {
      throw new Error(`"${line}": ${(error as Error).message}`)
    } finally {
      clearTimeout(timeout)
    }
  }

  async function command(line: string): Promise<Tally[]> {
    const { tallies, notes } = (await send(line)) as { tallies: Tally[]; notes: string[] }
    sum.add(tallies)
    if (notes.length > 0) throw new Error(`"${line}": ${notes.join('; ')}`)
    return tallies
  }

  async function listen(words: string): Promise<number> {
    const { port, error } = (await send(`listen ${words}`)) as { port?: number; error?: string }
    if (port === undefined) throw new Error(`"listen ${words}": ${error}`)
    return port
  }
}
