import { join } from 'node:path'
import { inline, startProgram } from '../e2e/program.ts'
import { inject } from '../faults/inject.ts'
import { parseNetworkChaos } from './network-chaos.ts'
import { createPods, type PodDescription, type Pods, resolve } from './pods.ts'
import { describeFault, legend, phase } from './show.ts'
import type { Row } from './tables.ts'
import {
  changesOf,
  formatSeconds,
  type Pair,
  pairsOf,
  pingsOf,
  rowsOf,
  type Seen,
  statusesOf,
  watchTables,
} from './watch.ts'

export interface ExperimentOptions {
  /** A NetworkChaos document, and where it is from. */
  readonly text: string
  readonly source: string
  readonly write: (line: string) => void
  /** Terminal columns of the tables. */
  readonly columns: number
  /** Longest and shortest time with the fault. */
  readonly faultMs?: number
  readonly leastFaultMs?: number
}

export interface Outcome {
  /** Answered pings of the pairs between the fault's two sides, milliseconds. */
  readonly pingsMs: { readonly before: readonly number[]; readonly during: readonly number[] }
  /** What those pairs showed during the fault, and all other pairs from beginning to end. */
  readonly affected: ReadonlySet<string>
  readonly others: ReadonlySet<string>
  /** Whether in the end all were ok again. */
  readonly recovered: boolean
  /** The highest loss ratio that a table showed of the pairs, percent. */
  readonly lossPercent: number
}

/** Shorter than the defaults (5 s, 15 s and 1 s), so that an experiment takes a minute. */
const RECEIVER = { collection_interval: '2s', probes: { interval: '1s', timeout: '500ms' } } as const

const PODS: readonly PodDescription[] = [
  { namespace: 'shop', name: 'front-end', labels: { app: 'front-end' }, port: undefined },
  { namespace: 'shop', name: 'catalog-0', labels: { app: 'catalog' }, port: 8080 },
  { namespace: 'shop', name: 'sessions-0', labels: { app: 'sessions' }, port: 6379 },
]
const SETTLE_MS = 40_000
const FAULT_MS = 30_000
/** Long enough for the table to show more than the moment of the change. */
const LEAST_FAULT_MS = 14_000
const RECOVERY_MS = 60_000
const GOOD_ROUNDS = 2
const TRAFFIC = join(import.meta.dirname, 'traffic.ts')

/**
 * Builds the pods and their traffic, runs netvitals, and writes its table before, during and after the fault.
 * @throws Error when the document is wrong, or the pairs never become ok
 */
export async function runExperiment(options: ExperimentOptions): Promise<Outcome> {
  const { text, source, write, columns, faultMs = FAULT_MS, leastFaultMs = LEAST_FAULT_MS } = options
  const chaos = parseNetworkChaos(text, source)
  await using stack = new AsyncDisposableStack()
  const pods = createPods(PODS)
  stack.defer(() => pods.close())
  const sides = resolve(chaos, pods.all)
  const pairs = pairsOf(pods.all, sides)
  const affected = pairs.filter((pair) => pair.affected)
  const others = pairs.filter((pair) => !pair.affected)
  startTraffic(pods)
  const program = stack.use(startNetvitals(columns))
  for (const line of [describeFault(chaos, sides), ...legend(pods.all, RECEIVER)]) write(line)

  const before = await watchTables(program, SETTLE_MS, (seen) => areOk(pairs, seen))
  if (!areOk(pairs, before))
    throw new Error(`not all pairs became ok within ${formatSeconds(SETTLE_MS)}:\n${program.stdout()}`)
  for (const line of phase('before', before, pods.all, pairs)) write(line)

  const fault = await inject(chaos.effect, sides.paths)
  stack.defer(() => fault.stop())
  const during = await watchTables(
    program,
    Math.min(faultMs, chaos.durationMs ?? faultMs),
    (seen) => seen.at(-1)!.elapsedMs >= leastFaultMs && affected.every((pair) => isBad(pair, seen)),
  )
  await fault.stop()
  const lasted = formatSeconds(during.at(-1)?.elapsedMs ?? 0)
  for (const line of phase(`during: ${lasted} with ${fault.means.join(', ')}`, during, pods.all, pairs)) write(line)
  tell('the fault began', pairs, during, before)

  const after = await watchTables(program, RECOVERY_MS, (seen) => areOk(pairs, seen))
  const waited = formatSeconds(after.at(-1)?.elapsedMs ?? 0)
  for (const line of phase(`after: ${waited} without`, after, pods.all, pairs)) write(line)
  tell('the fault ended', pairs, after, during)
  write('')

  return {
    pingsMs: { before: pingsOf(affected, before), during: pingsOf(affected, during) },
    affected: statusesOf(affected, during),
    others: statusesOf(others, [...during, ...after]),
    recovered: areOk(pairs, after),
    lossPercent: Math.max(...affected.flatMap((pair) => rowsOf(pair, during).map(({ row }) => row.lossPercent))),
  }

  function tell(when: string, all: readonly Pair[], seen: readonly Seen[], previous: readonly Seen[]): void {
    for (const pair of all) {
      const changes = changesOf(pair, seen, rowsOf(pair, previous).at(-1)?.row)
      write(`  ${pair.name}: ${changes === '' ? 'no change' : `${changes} after ${when}`}`)
    }
  }
}

function startTraffic({ all, lab }: Pods): void {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', TRAFFIC]
  const services = all.filter(({ port }) => port !== undefined)
  for (const { end, container, port } of services) lab.spawn(end.namespace, container, [...node, 'serve', String(port)])
  const destinations = services.flatMap(({ end, port }) =>
    [end.namespace.ipv4, end.namespace.ipv6].flatMap((address) => [address, String(port)]),
  )
  for (const { end, container, port } of all)
    if (port === undefined) lab.spawn(end.namespace, container, [...node, 'call', ...destinations])
}

function startNetvitals(columns: number) {
  const config = {
    receivers: { netvitals: RECEIVER },
    // Whatever else goes on here must not push a pair out of the table.
    exporters: { console: { rows: 10_000 } },
    service: {
      pipelines: { metrics: { receivers: ['netvitals'], exporters: ['console'] } },
      telemetry: { logs: { level: 'warn' } },
    },
  }
  const env = { COLUMNS: String(columns), LC_ALL: 'C.UTF-8' }
  return startProgram(['--config', inline(config)], { env })
}

const isBad = (pair: Pair, seen: readonly Seen[]) =>
  !['ok', 'idle', undefined].includes(rowsOf(pair, seen.slice(-1))[0]?.row.status)

/** Each of them, with an answered ping, in each of the newest tables. */
function areOk(pairs: readonly Pair[], seen: readonly Seen[]): boolean {
  const newest = seen.slice(-GOOD_ROUNDS)
  return (
    newest.length === GOOD_ROUNDS &&
    pairs.every((pair) => rowsOf(pair, newest).filter(({ row }) => isWell(row)).length === GOOD_ROUNDS)
  )
}

const isWell = ({ status, ping }: Row) => status === 'ok' && ping.endsWith('s')
