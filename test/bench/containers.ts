/** A thousand containers that come and go while traffic runs: whether each is counted as itself, and what stays of them. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findCgroupMount } from '../../src/receivers/netvitals/containers/cgroupfs.ts'
import { removeCgroup } from '../containers/sandbox.ts'
import { type Agent, startAgent } from '../kernel/agent.ts'
import { pointsOf } from '../kernel/points.ts'
import { serveDocker } from '../receivers/netvitals/containers/runtime-servers.ts'
import { type Running, residentBytes, startNetvitals } from './processes.ts'
import { atMost, type BenchRow, information } from './row.ts'

/** So many that Node's own memory is as large as it gets. */
const WARM_UP = 1_000
const WARM_UP_PER_SECOND = 40
const CONTAINERS = 1_000
const PER_SECOND = 12
const CONNECTIONS = 3
const CYCLE_MS = 2_000
const RESOLVE_TIMEOUT_MS = 3_000
/** Longer than anything of a container that ended is kept. */
const SETTLE_MS = 90_000

const idOf = (n: number) => n.toString(16).padStart(64, '0')
/** An address of loopback for each. */
const addressOf = (n: number) => `127.77.${n >> 8}.${n & 255}`

/** What was seen of one container. */
interface Seen {
  endedMs?: number
  exportedMs?: number
  name?: unknown
  /** By what it was called: on a busy machine the name may come after the first export. */
  readonly connects: Map<unknown, number>
}

export async function bench(): Promise<BenchRow[]> {
  const cleanups: (() => unknown)[] = []
  try {
    return await churn(cleanups)
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
}

async function churn(cleanups: (() => unknown)[]): Promise<BenchRow[]> {
  const directory = mkdtempSync(join(tmpdir(), 'nv-churn-'))
  const parent = join(findCgroupMount().root, `netvitals-churn-${process.pid}`)
  mkdirSync(parent)
  cleanups.push(() => {
    rmSync(directory, { recursive: true })
    removeCgroup(parent)
  })
  const server = createServer((socket) => socket.on('error', () => {}).end()).listen(0, '0.0.0.0')
  cleanups.push(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const known = new Map<string, unknown>()
  const socket = join(directory, 'docker.sock')
  await serveDocker({ after: (cleanup) => void cleanups.push(cleanup as () => void) }, socket, known)
  const down: string[] = []
  const settings = {
    containers: { runtimes: [{ type: 'docker', socket }], resolve_timeout: `${RESOLVE_TIMEOUT_MS}ms` },
    limits: { container_linger: '5s' },
    kubernetes: { enabled: false },
  }
  // The program itself sees the same, for its memory: here are the containers' own processes too.
  const program = await startProgram(settings)
  cleanups.push(() => program.stop())
  const agent = await startAgent({
    ...settings,
    onDown: (part, detail) => down.push(`${part}: ${detail}`),
  })
  cleanups.push(() => agent.stop())

  const seen = new Map<number, Seen>()
  const wrong: string[] = []
  const stopWatching = watch(agent, port, seen, wrong)
  const run = async (from: number, count: number, perSecond: number) => {
    const running: Promise<void>[] = []
    for (let n = from; n < from + count; n++) {
      known.set(idOf(n), { Name: `/web-${n}`, Config: { Image: 'nginx:1', Labels: {} } })
      seen.set(n, { connects: new Map() })
      running.push(
        container(parent, n, port).then(() => {
          seen.get(n)!.endedMs = Date.now()
        }),
      )
      await sleep(1_000 / perSecond)
    }
    await Promise.all(running)
    await sleep(SETTLE_MS)
    known.clear()
  }
  await run(0, WARM_UP, WARM_UP_PER_SECOND)
  const before = memory(program)
  await run(WARM_UP, CONTAINERS, PER_SECOND)
  await stopWatching()
  const after = memory(program)

  const all = [...seen.entries()].slice(WARM_UP)
  for (const [n, { connects, name }] of all) {
    const count = [...connects.values()].reduce((sum, value) => sum + value, 0)
    if (count !== CONNECTIONS) wrong.push(`container ${n}: ${count} connections`)
    if (name !== `web-${n}`) wrong.push(`container ${n} is called ${name}`)
  }
  for (const line of [...down, ...wrong].slice(0, 10)) console.error(line)
  const waits = all.map(([, { endedMs, exportedMs }]) => (exportedMs ?? Number.POSITIVE_INFINITY) - endedMs!)
  const most = RESOLVE_TIMEOUT_MS + 2 * CYCLE_MS
  return [
    atMost(`containers: counted wrongly, of ${CONTAINERS} that came and went`, wrong.length, 'containers', 0),
    atMost('containers: longest time from the end of one to its export', Math.max(...waits) / 1000, 's', most / 1000),
    atMost('containers: heap afterwards, of what it was', after.heap / before.heap, 'x', 1.1),
    atMost('containers: resident memory afterwards, of what it was', after.resident / before.resident, 'x', 1.1),
    information('containers: resident memory afterwards', after.resident / 2 ** 20, 'MiB'),
  ]
}

/** A process in a cgroup of its own that dials an address of its own, and is gone. */
async function container(parent: string, n: number, port: number): Promise<void> {
  const cgroup = join(parent, `docker-${idOf(n)}.scope`)
  mkdirSync(cgroup)
  const dial = `for ((i = 0; i < ${CONNECTIONS}; i++)); do exec 3<>/dev/tcp/${addressOf(n)}/${port} && read -u 3; exec 3>&-; done`
  const child = spawn('bash', ['-c', `echo $$ >"$0/cgroup.procs" && ${dial}; true`, cgroup], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('exit', resolve))
  for (let tries = 0; ; tries++) {
    try {
      rmdirSync(cgroup)
      return
    } catch (error) {
      if (tries === 100) throw error
      await sleep(20)
    }
  }
}

/** Collects every CYCLE_MS, and holds what is told against what was done. Ends with what it returns. */
function watch(agent: Agent, port: number, seen: Map<number, Seen>, wrong: string[]): () => Promise<void> {
  let stopped = false
  const cycles = (async () => {
    while (!stopped) {
      await sleep(CYCLE_MS)
      take(await agent.collect())
    }
  })()
  // Told when it is stopped, so that what was made is removed first.
  cycles.catch(() => {})

  function take(batch: Awaited<ReturnType<Agent['collect']>>): void {
    const dialled = { direction: 'outbound', 'destination.port': port }
    for (const { resource, attributes, value } of pointsOf(batch, {
      metric: 'container.net.tcp.successful_connects',
      point: dialled,
    })) {
      const n = Number.parseInt(String(resource['container.id']), 16)
      const of = seen.get(n)
      if (of === undefined || attributes['destination.address'] !== addressOf(n)) {
        wrong.push(`${attributes['destination.address']} is counted for ${resource['service.name']} ${n}`)
        continue
      }
      of.connects.set(resource['container.name'], value)
      of.name ??= resource['container.name']
      of.exportedMs ??= Date.now()
    }
  }

  return () => {
    stopped = true
    return cycles
  }
}

function startProgram(settings: object): Promise<Running> {
  return startNetvitals(
    JSON.stringify({
      receivers: { netvitals: { ...settings, collection_interval: `${CYCLE_MS}ms`, probes: { enabled: false } } },
      exporters: { debug: {} },
      service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: ['debug'] } } },
    }),
  )
}

/** Bytes: of the heap here after garbage collection, and resident of the program. */
function memory({ pid }: Running): { heap: number; resident: number } {
  for (let i = 0; i < 4; i++) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return { heap: heapUsed + external, resident: residentBytes(pid) }
}

if (import.meta.main) console.table(await bench())
