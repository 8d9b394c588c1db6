/** What the program costs while nothing happens: processor and resident memory; and that with 100,000 series. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startMetricsServer } from '../exporters/metrics-server.ts'
import { cpuSeconds, type Running, residentBytes, startNetvitals } from './processes.ts'
import { atMost, type BenchRow, information } from './row.ts'
import { fillSeries } from './series.ts'

const SETTLE_MS = 10_000
const IDLE_MS = 30_000
const CYCLES_OF_FULL_MS = 30_000
const MB = 1e6

/** The debug exporter, for the number of points alone: one line a cycle. */
const withPoints = (exporter: string, settings: string) => `
receivers: { netvitals: { collection_interval: 5s } }
exporters: { ${exporter}: ${settings}, debug: {} }
service: { pipelines: { metrics: { receivers: [netvitals], exporters: [${exporter}, debug] } } }
`

export async function bench(): Promise<BenchRow[]> {
  const server = await startMetricsServer()
  const otlp = withPoints('otlp_grpc', `{ endpoint: "${server.endpoint}", tls: { insecure: true } }`)
  try {
    const [idle, cpu] = await idling(undefined)
    const [idleOtlp] = await idling(otlp)
    const [full, points] = await filled(withPoints('console', '{}'))
    const [fullOtlp, pointsOtlp] = await filled(otlp)
    return [
      atMost('idle: CPU with console, of one core', cpu * 100, '%', 0.5),
      atMost('idle: resident memory with console', idle / MB, 'MB', 90),
      atMost('idle: resident memory with otlp_grpc', idleOtlp / MB, 'MB', 125),
      information('series: data points of a cycle', Math.min(points, pointsOtlp), ''),
      atMost('series: resident memory at 100,000 with console', full / MB, 'MB', 180),
      atMost('series: resident memory at 100,000 with otlp_grpc', fullOtlp / MB, 'MB', 180),
    ]
  } finally {
    server.stop()
  }
}

/** Bytes resident at its end, and the share of one processor. */
async function idling(yaml: string | undefined): Promise<[number, number]> {
  const netvitals = await startNetvitals(yaml)
  try {
    await sleep(SETTLE_MS)
    const before = cpuSeconds(netvitals.pid)
    const began = performance.now()
    await sleep(IDLE_MS)
    const share = (cpuSeconds(netvitals.pid) - before) / ((performance.now() - began) / 1000)
    return [residentBytes(netvitals.pid), share]
  } finally {
    await netvitals.stop()
  }
}

/** Bytes resident after some cycles with all series, and the most points of a cycle. */
async function filled(yaml: string): Promise<[number, number]> {
  const netvitals = await startNetvitals(yaml)
  const bytes = await residentFull(netvitals).catch(async (error) => {
    await netvitals.stop()
    throw error
  })
  const output = await netvitals.stop()
  const points = [...output.matchAll(/"data points": ?(\d+)/g)].map((match) => Number(match[1]))
  return [bytes, Math.max(...points)]
}

async function residentFull(netvitals: Running): Promise<number> {
  const series = await fillSeries(netvitals)
  try {
    await sleep(CYCLES_OF_FULL_MS)
    return residentBytes(netvitals.pid)
  } finally {
    series.remove()
  }
}

if (import.meta.main) console.table(await bench())
