import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import type { Namespace } from '../kernel/lab.ts'
import { arrived } from './probing.ts'

export const repository = join(import.meta.dirname, '../..')
const sources = join(import.meta.dirname, 'programs')
const output = join(import.meta.dirname, '../../build/test')

/** Compiles a program of programs/ unless that is done already. Its path. */
export function build(name: string, target = name, flags: readonly string[] = []): string {
  return compile(`${name}.c`, target, flags)
}

/** The same of an eBPF object, which may include what is in bpf/. */
export function buildObject(name: string): string {
  const multiarch = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
  const flags = ['-g', '-target', 'bpf', '-mcpu=v3', '-c', `-I${repository}`, `-I/usr/include/${multiarch}`]
  return compile(`${name}.bpf.c`, `${name}.bpf.o`, flags)
}

function compile(file: string, target: string, flags: readonly string[]): string {
  const source = join(sources, file)
  const changedMs = Math.max(...[source, join(repository, 'bpf/events.h')].map((path) => statSync(path).mtimeMs))
  const program = join(output, target)
  if (existsSync(program) && statSync(program).mtimeMs > changedMs) return program
  mkdirSync(output, { recursive: true })
  const unfinished = `${program}.${process.pid}`
  execFileSync('clang', ['-O2', '-Wall', '-Wextra', '-Werror', ...flags, '-o', unfinished, source])
  renameSync(unfinished, program)
  return program
}

/** A process of the test's: its lines so far. Killed after the test. */
export interface Helper {
  readonly child: ChildProcess
  readonly lines: readonly string[]
  say(line: string): void
  /** Waits for the first line that matches, from the start. */
  heard(pattern: RegExp): Promise<string>
}

export function start(t: TestContext, argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Helper {
  const child = spawn(argv[0]!, argv.slice(1), { env, stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => {
    child.kill('SIGCONT')
    child.kill('SIGKILL')
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  child.stdin.on('error', () => {})
  return {
    child,
    lines,
    say: (line) => void child.stdin.write(`${line}\n`),
    async heard(pattern) {
      await arrived(() => lines.some((line) => pattern.test(line)), 30)
      return lines.find((line) => pattern.test(line))!
    },
  }
}

/** From now on this program, and not the kernel, answers the probes that reach the namespace. See programs/answer.c. */
export async function answering(t: TestContext, namespace: Namespace, how: string): Promise<Helper> {
  namespace.sysctl('net.ipv4.icmp_echo_ignore_all', 1)
  namespace.sysctl('net.ipv6.icmp.echo_ignore_all', 1)
  const helper = start(t, ['nsenter', `--net=${namespace.path}`, build('answer'), 'eth0', how])
  await helper.heard(/^ready$/)
  return helper
}

/** Echo requests that the kernel of a namespace counted as sent. */
export function kernelEchoes(namespace: Namespace): number {
  const v4 = namespace.run(['cat', '/proc/net/snmp']).match(/^IcmpMsg:(.*)\nIcmpMsg:(.*)$/m)
  const names = v4?.[1]?.trim().split(' ') ?? []
  const at = names.indexOf('OutType8')
  const v6 = /^Icmp6OutEchos\s+(\d+)$/m.exec(namespace.run(['cat', '/proc/net/snmp6']))
  return Number(at < 0 ? 0 : v4![2]!.trim().split(' ')[at]) + Number(v6?.[1] ?? 0)
}

/** How often the probing threads of this process went to sleep. */
export function wakeUps(): number {
  let sum = 0
  for (const task of readdirSync('/proc/self/task')) {
    const status = readFileSync(`/proc/self/task/${task}/status`, 'utf8')
    if (/^Name:\tnetvitals-ping$/m.test(status)) sum += Number(/^voluntary_ctxt_switches:\t(\d+)$/m.exec(status)![1])
  }
  return sum
}
