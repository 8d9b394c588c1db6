import type { ChildProcess } from 'node:child_process'
import type { TestContext } from 'node:test'
import type { Namespace } from '../kernel/lab.ts'
import { arrived, type Request, type Result } from './probing.ts'
import { start } from './programs.ts'

/** A prober in a process of its own: ping-process.ts. NaN is null in its results, which come as JSON. */
export interface PingProcess {
  readonly child: ChildProcess
  send(requests: readonly Omit<Request, 'netns'>[]): void
  results(): Result[]
  outcomes(): number[]
  counters(): Promise<{ late: number; duplicate: number; foreign: number; clockSteps: number }>
}

interface Line {
  readonly results?: Result[]
  readonly counters?: Awaited<ReturnType<PingProcess['counters']>>
}

export async function pingProcess(
  t: TestContext,
  namespace: Namespace,
  timeoutMs: number,
  { env = {}, under = [] }: { readonly env?: NodeJS.ProcessEnv; readonly under?: readonly string[] } = {},
): Promise<PingProcess> {
  const program = new URL('ping-process.ts', import.meta.url).pathname
  const argv = [...under, process.execPath, program, namespace.path, String(timeoutMs)]
  const helper = start(t, argv, { ...process.env, ...env })
  await helper.heard(/ready/)
  const all = () => helper.lines.map((line) => JSON.parse(line) as Line)
  const results = () => all().flatMap((line) => line.results ?? [])
  return {
    child: helper.child,
    send: (requests) => helper.say(JSON.stringify({ requests })),
    results,
    outcomes: () => results().map(({ outcome }) => outcome),
    async counters() {
      const told = () => all().flatMap((line) => line.counters ?? [])
      const before = told().length
      helper.say(JSON.stringify({ counters: true }))
      await arrived(() => told().length > before)
      return told().at(-1)!
    },
  }
}
