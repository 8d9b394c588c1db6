import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ChildOptions {
  /** Over this process' own; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** In a session of its own, as a terminal gives one to what runs in it: signal all of it with `signalGroup`. */
  readonly session?: boolean
}

export interface Exit {
  /** null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Milliseconds since the epoch. */
  readonly atMs: number
}

export interface Child extends AsyncDisposable {
  readonly pid: number
  readonly exit: Promise<Exit>
  running(): boolean
  /** All of stdout and stderr so far. */
  stdout(): string
  stderr(): string
  /** Waits until the text of both matches; rejects with all of the output when it exits first or after `timeoutMs`. */
  output(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>
  signal(signal: NodeJS.Signals): void
  /** To every process of its session, as Ctrl-C does. */
  signalGroup(signal: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL when that took more than `timeoutMs`. Twice is fine. */
  stop(timeoutMs?: number): Promise<Exit>
}

/**
 * Starts a program that ends with this process, whatever ends this process: the kernel kills it
 * (PR_SET_PDEATHSIG), so a test that is killed leaves nothing behind.
 */
export function startChild(command: string, args: readonly string[], options: ChildOptions = {}): Child {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    detached: options.session ?? false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  const pid = child.pid
  if (pid === undefined) throw new Error(`setpriv could not be started, needed to run ${command}`)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const killGroup = () => signalGroup('SIGKILL')
  if (options.session) process.on('exit', killGroup)
  let done: Exit | undefined
  const exit = once(child, 'close').then(([code, signal]): Exit => {
    done = { code, signal, atMs: Date.now() }
    process.off('exit', killGroup)
    return done
  })

  function signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-pid!, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  async function output(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpMatchArray> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const ended = done
      const match = `${stdout}\n${stderr}`.match(pattern)
      if (match) return match
      if (ended || Date.now() > deadline) {
        const why = ended ? `it ended with ${ended.signal ?? ended.code}` : `${timeoutMs} ms passed`
        throw new Error(`no ${pattern} from ${command} before ${why}; it wrote:\n${stdout}\n${stderr}`)
      }
      await sleep(25)
    }
  }

  async function stop(timeoutMs = 10_000): Promise<Exit> {
    if (!done) child.kill('SIGTERM')
    const kill = setTimeout(() => (options.session ? killGroup() : child.kill('SIGKILL')), timeoutMs)
    try {
      return await exit
    } finally {
      clearTimeout(kill)
    }
  }

  return {
    pid,
    exit,
    running: () => done === undefined,
    stdout: () => stdout,
    stderr: () => stderr,
    output,
    signal: (signal) => {
      child.kill(signal)
    },
    signalGroup,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
    },
  }
}

/** Polls until `probe` gives something; rejects with `what` after `timeoutMs`. */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | Promise<T | undefined>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const found = await probe()
      if (found !== undefined) return found
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${what}`, last === undefined ? undefined : { cause: last })
    }
    await sleep(50)
  }
}
