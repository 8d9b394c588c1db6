/** The programs that the bench runs beside itself, and what they cost. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { root } from './build.ts'

const START_MS = 30_000

export interface Running {
  readonly pid: number
  /** Resolves with its whole standard output. @throws {Error} when it fails */
  stop(): Promise<string>
}

interface Started {
  readonly child: ChildProcess
  /** Output that says it is ready. */
  readonly stream: NodeJS.ReadableStream
  readonly ready: RegExp
  readonly end: () => void
}

async function running({ child, stream, ready, end }: Started): Promise<Running> {
  let output = ''
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`${child.spawnfile} ended with ${code ?? signal}\n${output}`)),
    )
  })
  exited.catch(() => {})
  const isReady = new Promise<void>((resolve) => {
    createInterface(stream).on('line', (line) => {
      output += `${line}\n`
      if (ready.test(line)) resolve()
    })
  })
  const late = setTimeout(() => child.kill('SIGKILL'), START_MS)
  await Promise.race([isReady, exited])
  clearTimeout(late)
  return {
    pid: child.pid!,
    async stop() {
      end()
      await exited
      return output
    },
  }
}

/** The program as `npm start` runs it, its table thrown away. `yaml`: instead of the built-in configuration. */
export function startNetvitals(yaml?: string): Promise<Running> {
  const config = yaml === undefined ? [] : ['--config', `yaml:${yaml}`]
  const child = spawn(process.execPath, [join(root, 'dist', 'main.js'), ...config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return running({ child, stream: child.stderr, ready: /Everything is ready/, end: () => child.kill('SIGTERM') })
}

export function startYardstick(program: string, object: string): Promise<Running> {
  return startHelper([program, object])
}

/** A program that says "ready" and ends with its standard input. */
export function startHelper([program, ...args]: readonly [string, ...string[]]): Promise<Running> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  return running({ child, stream: child.stdout, ready: /^ready$/, end: () => child.stdin.end() })
}

/** User and system time of all its threads, seconds. */
export function cpuSeconds(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const nanoseconds = readdirSync(tasks).map((task) =>
    Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]),
  )
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9
}

/** User and system time of the process' first thread, seconds. (getrusage counts in ticks of 4 ms.) */
export function mainThreadCpuSeconds(): number {
  return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) / 1e9
}

/**
 * The longest time between two turns of this thread's event loop while `work` runs, milliseconds: its own work, garbage
 * collection and what it waits for, without the time that it waited for a processor which others had.
 */
export async function longestHoldMs(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let running = true
  let last = ownTimeMs()
  const turn = () => {
    const now = ownTimeMs()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(turn)
  }
  setImmediate(turn)
  await work()
  running = false
  return Math.max(longest, ownTimeMs() - last)
}

/** @see Documentation/scheduler/sched-stats.rst: on the processor, waiting for one, time slices */
function ownTimeMs(): number {
  const waitedNs = Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1])
  return performance.now() - waitedNs / 1e6
}

/** Resident memory, bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)![1]) * 1024
}

/** Id of the ring buffer that the process reads. */
export function ringId(pid: number): string {
  const folder = `/proc/${pid}/fdinfo`
  for (const fd of readdirSync(folder)) {
    const info = readFileSync(`${folder}/${fd}`, 'utf8')
    if (/^map_type:\s*27$/m.test(info)) return /^map_id:\s*(\d+)$/m.exec(info)![1]!
  }
  throw new Error(`process ${pid} has no ring buffer open`)
}

const execute = promisify(execFile)

/** Runs a program that prints JSON. */
export async function runJson<T>(program: string, ...args: readonly string[]): Promise<T> {
  const { stdout } = await execute(program, args)
  return JSON.parse(stdout) as T
}
