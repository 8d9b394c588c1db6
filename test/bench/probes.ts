/**
 * Probes against the round trip that the kernel's stamps show on the wire, and against fping in the same run: error,
 * losses and CPU, at 100, 1,000 and 10,000 addresses, and while connections keep both processors busy.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { type NativeProber, ProbeOutcome } from '../../src/receivers/netvitals/kernel/native.ts'
import { createProber } from '../../src/receivers/netvitals/kernel/prober.ts'
import { createLab, type Namespace } from '../kernel/lab.ts'
import { echo, enter, type Result, readResults, requestBytes } from '../native/probing.ts'
import { buildProgram } from './build.ts'
import { cpuSeconds, type Running, startHelper } from './processes.ts'
import { atMost, type BenchRow, information, median } from './row.ts'

/** 10,000 in 15 s. */
const GAP_MS = 1.5
const SETTLE_MS = 200
const MEDIAN_ERROR_US = 15
const P99_ERROR_US = 100
const CPU_US = 30

/** What one way of probing said of each address, seconds, in the order of its rounds; undefined: no answer. */
interface Round {
  readonly rtts: ReadonlyMap<string, readonly (number | undefined)[]>
  readonly cpuSeconds: number
}

interface Outcome {
  readonly medianUs: number
  readonly p99Us: number
  readonly lost: number
  readonly cpuUs: number
}

type Way = (addresses: readonly string[], rounds: number) => Promise<Round>

export async function bench(): Promise<BenchRow[]> {
  const lab = createLab({ namespaces: 2 })
  const [client, server] = lab.namespaces as [Namespace, Namespace]
  server.run(['ip', 'route', 'add', 'local', '10.215.0.0/16', 'dev', 'lo'])
  client.run(['ip', 'route', 'add', '10.215.0.0/16', 'via', server.ipv4])
  const ours = await openOurs(client)
  const fping: Way = (addresses, rounds) => runFping(client, addresses, rounds)
  try {
    const rows: BenchRow[] = []
    for (const [count, rounds] of [
      [100, 20],
      [1_000, 3],
      [10_000, 1],
    ] as const)
      rows.push(...(await compare(client, ours.way, fping, count, rounds, `${count} addresses`)))
    const churns = [keepBusy(), keepBusy()]
    try {
      rows.push(...(await compare(client, ours.way, fping, 1_000, 3, '1000 addresses, processors busy')))
    } finally {
      for (const churn of churns) churn.stop()
    }
    return rows
  } finally {
    ours.close()
    await lab.close()
  }
}

async function compare(
  client: Namespace,
  ours: Way,
  fping: Way,
  count: number,
  rounds: number,
  name: string,
): Promise<BenchRow[]> {
  const addresses = Array.from({ length: count }, (_, i) => `10.215.${i >> 8}.${i & 255}`)
  const theirs = await measure(client, () => fping(addresses, rounds), count * rounds)
  const own = await measure(client, () => ours(addresses, rounds), count * rounds)
  return [
    atMost(`probes: median error, ${name}`, own.medianUs, 'us', MEDIAN_ERROR_US),
    information('probes:   of fping', theirs.medianUs, 'us'),
    atMost(`probes: 99th percentile of the error, ${name}`, own.p99Us, 'us', P99_ERROR_US),
    information('probes:   of fping', theirs.p99Us, 'us'),
    atMost(`probes: replies lost, ${name}`, own.lost, '', 0),
    atMost(`probes: CPU of a probe, ${name}`, own.cpuUs, 'us', CPU_US),
    information('probes:   of fping', theirs.cpuUs, 'us'),
    information('probes:   ours to fping', own.cpuUs / theirs.cpuUs, 'ratio'),
  ]
}

async function measure(client: Namespace, run: () => Promise<Round>, probes: number): Promise<Outcome> {
  const capture = await startHelper(['nsenter', `--net=${client.path}`, buildProgram('capture'), 'eth0'])
  const round = await run().catch(async (error) => {
    await capture.stop()
    throw error
  })
  await sleep(SETTLE_MS)
  const wire = await wireTrips(capture)
  const errors: number[] = []
  let lost = 0
  for (const [address, rtts] of round.rtts)
    for (const [index, rtt] of rtts.entries()) {
      const trueSeconds = wire.get(address)?.[index]
      if (rtt === undefined || trueSeconds === undefined) lost++
      else errors.push(Math.abs(rtt - trueSeconds) * 1e6)
    }
  errors.sort((a, b) => a - b)
  return {
    medianUs: median(errors),
    p99Us: errors[Math.floor(errors.length * 0.99)]!,
    lost,
    cpuUs: (round.cpuSeconds / probes) * 1e6,
  }
}

async function wireTrips(capture: Running): Promise<Map<string, number[]>> {
  const trips = new Map<string, number[]>()
  for (const [, address, nanoseconds] of (await capture.stop()).matchAll(/^([\d.]+) (\d+)$/gm)) {
    const list = trips.get(address!) ?? []
    list.push(Number(nanoseconds) / 1e9)
    trips.set(address!, list)
  }
  return trips
}

async function openOurs(client: Namespace): Promise<{ way: Way; close(): void }> {
  const results: Result[] = []
  const prober: NativeProber = createProber({
    onResults: (buffer, length) => results.push(...readResults(buffer, length)),
    onError: (error) => {
      throw error
    },
  })
  const netns = await enter(prober, client.path, { ...echo, timeoutMs: 1_000 })

  async function way(addresses: readonly string[], rounds: number): Promise<Round> {
    const requests = addresses.map((address, target) => ({ netns, target, address, delayMs: target * GAP_MS }))
    const bytes = requestBytes(requests)
    const rtts = new Map(addresses.map((address) => [address, [] as (number | undefined)[]]))
    const before = cpuSeconds(process.pid)
    for (let round = 0; round < rounds; round++) {
      results.length = 0
      prober.schedule(bytes, addresses.length)
      while (results.length < addresses.length) await sleep(500)
      for (const { target, outcome, rttSeconds } of results)
        rtts.get(addresses[target]!)!.push(outcome === ProbeOutcome.reply ? rttSeconds : undefined)
    }
    return { rtts, cpuSeconds: cpuSeconds(process.pid) - before }
  }
  return { way, close: () => prober.close() }
}

async function runFping(client: Namespace, addresses: readonly string[], rounds: number): Promise<Round> {
  const words = ['fping', '-q', '-C', String(rounds), '-i', String(GAP_MS), '-p', String(addresses.length * GAP_MS)]
  const script = `${[...words, '-t', '1000', '-f', '-'].join(' ')} 2>&1; times`
  const child = spawn('nsenter', [`--net=${client.path}`, 'bash', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(`${addresses.join('\n')}\n`)
  const output = await text(child.stdout)
  const rtts = new Map<string, (number | undefined)[]>()
  for (const [, address, list] of output.matchAll(/^([\d.]+)\s+: (.*)$/gm))
    rtts.set(
      address!,
      list!
        .trim()
        .split(' ')
        .map((each) => (each === '-' ? undefined : Number(each) / 1000)),
    )
  // bash's `times`: its own, then its children's, user and system.
  const [, user, system] = /^\S+ \S+\n(\d+m[\d.]+)s (\d+m[\d.]+)s\s*$/m.exec(output.slice(output.lastIndexOf(' : ')))!
  const seconds = (time: string) => Number(time.split('m')[0]) * 60 + Number(time.split('m')[1])
  return { rtts, cpuSeconds: seconds(user!) + seconds(system!) }
}

/** Short connections, one after the other, until it is stopped. */
function keepBusy(): { stop(): void } {
  let going = true
  let child: ChildProcess | undefined
  const again = () => {
    if (!going) return
    child = spawn(buildProgram('churn'), ['200000'], { stdio: 'ignore' })
    child.once('exit', again)
  }
  again()
  return {
    stop() {
      going = false
      child?.kill()
    },
  }
}

if (import.meta.main) console.table(await bench())
