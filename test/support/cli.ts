import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning']

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly elapsedMs: number
}

export interface CliOptions {
  readonly env?: Record<string, string>
  /** The program to run instead of the real one, from the repository's root. */
  readonly entry?: string
  /** Gets the growing stderr and the process: to send a signal once something was said. */
  readonly onStderr?: (text: string, child: ChildProcess) => void
}

/** Runs netvitals as a child process, in the repository's root, for at most 20 s. */
export async function cli(args: readonly string[], options: CliOptions = {}): Promise<Finished> {
  const begin = performance.now()
  const { env = {}, entry = 'src/main.ts', onStderr } = options
  const child = spawn(process.execPath, [...NODE_FLAGS, entry, ...args], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = setTimeout(() => child.kill('SIGKILL'), 20_000)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    onStderr?.(stderr, child)
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(kill)
  return { code, signal, stdout, stderr, elapsedMs: performance.now() - begin }
}
