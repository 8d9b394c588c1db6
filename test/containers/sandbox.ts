import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Network, mount and process namespaces of their own: what runs in them sees no interface of the host, mounts
 * nothing there, and dies with them, whatever becomes of the test.
 */
export interface Sandbox {
  /** A directory of its own, removed at the end. */
  readonly directory: string
  /** The first process, by the host's number: its namespaces are /proc/<pid>/ns. */
  readonly pid: number
  /** Runs a command inside; rejects with its output when it fails. */
  run(command: readonly string[], timeoutMs?: number): Promise<string>
  /** Starts a command inside that goes on; its output is in `log`. */
  start(command: readonly string[]): { readonly log: () => string }
  /** Ends everything inside. Twice is fine. */
  stop(): Promise<void>
}

export async function createSandbox(name: string, setup = ''): Promise<Sandbox> {
  const directory = mkdtempSync(join(tmpdir(), `netvitals-${name}-`))
  const flags = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  // The loop makes sh wait, and so take in the orphans of what runs here.
  // Engines also write to fixed places: they get empty ones.
  const hide = 'for at in /run /var/lib; do mount -t tmpfs none $at; done'
  const script = `set -e; ip link set lo up; ${hide}; ${setup}\necho ready; while sleep 3600; do :; done`
  const child = spawn('unshare', [...flags, 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const removeDirectory = () => rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  const endAtExit = () => {
    child.kill('SIGKILL')
    removeDirectory()
  }
  process.once('exit', endAtExit)
  let stopped: Promise<void> | undefined

  async function end(): Promise<void> {
    child.kill('SIGKILL')
    await exited
    process.off('exit', endAtExit)
    removeDirectory()
  }
  const stop = () => (stopped ??= end())

  try {
    await new Promise<void>((resolve, reject) => {
      let errors = ''
      child.stderr.on('data', (chunk) => {
        errors += chunk
      })
      child.stdout.once('data', () => resolve())
      child.once('error', reject)
      void exited.then(() => reject(new Error(`the namespaces of ${name} ended at once: ${errors.trim()}`)))
    })
  } catch (error) {
    await stop()
    throw error
  }
  const pid = childOf(child.pid!)
  const enter = ['--target', String(pid), '--net', '--mount', '--pid', '--']

  return {
    directory,
    pid,
    async run(command, timeoutMs = 60_000) {
      try {
        const { stdout } = await run('nsenter', [...enter, ...command], { timeout: timeoutMs, maxBuffer: 2 ** 26 })
        return stdout.trim()
      } catch (error) {
        const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
        throw new Error(`${command.join(' ')}: ${(error as Error).message}\n${stdout}${stderr}`)
      }
    },
    start(command) {
      const started = spawn('nsenter', [...enter, ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
      let log = ''
      const keep = (chunk: Buffer) => {
        log = (log + chunk).slice(-20_000)
      }
      started.stdout.on('data', keep)
      started.stderr.on('data', keep)
      started.once('error', (error) => keep(Buffer.from(error.message)))
      return { log: () => log }
    },
    stop,
  }
}

function childOf(parent: number): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    if (field(statusOf(entry), 'PPid') === String(parent)) return Number(entry)
  }
  throw new Error(`process ${parent} has no child`)
}

/** The first process of the container whose cgroup path has this id, by the host's number; undefined while there is none. */
export function initOfContainer(id: string): number | undefined {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || !cgroupPathOf(entry)?.includes(id)) continue
    const inner = field(statusOf(entry), 'NSpid').split(/\s+/).at(-1)
    if (inner === '1') return Number(entry)
  }
  return undefined
}

/** Path in the cgroup2 hierarchy. */
export function cgroupPathOf(pid: number | string): string | undefined {
  return /^0::(.*)$/m.exec(textOf(`/proc/${pid}/cgroup`))?.[1]
}

function statusOf(pid: string): string {
  return textOf(`/proc/${pid}/status`)
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? ''
}

/** Processes come and go while /proc is read. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export interface CgroupCleaner {
  /** A cgroup that the test has made, from the root of its hierarchy. */
  own(path: string): void
  /** Removes them in every hierarchy, and the parent if it was not there before. Twice is fine. */
  clean(): void
}

/** Removes what engines leave of their cgroups below `parent`, at the end or when the process ends. */
export function createCgroupCleaner(parent: string): CgroupCleaner {
  const roots = textOf('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4]!)
  const newParents = roots.map((root) => join(root, parent)).filter((path) => !existsSync(path))
  const owned: string[] = []

  function clean(): void {
    process.off('exit', clean)
    const paths = owned.flatMap((path) => roots.map((root) => join(root, path)))
    // A killed process keeps its cgroup busy for a moment.
    for (let tries = 20; tries > 0 && !paths.map(removeCgroup).every(Boolean); tries--) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
    for (const path of newParents) tryRemove(path)
  }
  process.once('exit', clean)
  return { own: (path) => void owned.push(path), clean }
}

/** With what is nested in it. False: it is still in use. */
export function removeCgroup(path: string): boolean {
  if (existsSync(path)) {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(join(path, entry.name))
    }
  }
  return tryRemove(path)
}

/** Another's cgroups in it, or processes, keep it. */
function tryRemove(path: string): boolean {
  try {
    rmdirSync(path)
  } catch {}
  return !existsSync(path)
}
