import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, eventually, startChild } from './child.ts'
import { freePorts } from './collector.ts'

export interface QueriedSeries {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Milliseconds since the epoch. */
  readonly atMs: number
}

/** A database that is asked in PromQL. */
export interface Backend extends AsyncDisposable {
  /** http://host:port */
  readonly url: string
  log(): string
  /** What the selector gives now: every series' last value. */
  query(selector: string): Promise<QueriedSeries[]>
}

/** A real Prometheus on loopback that takes OTLP, as otel-config/backends/prometheus.yaml says to start it. */
export function startPrometheus(binary: string): Promise<Backend> {
  return start(async (directory, address) => {
    const file = join(directory, 'prometheus.yml')
    await writeFile(file, 'otlp:\n  promote_resource_attributes: [container.name, k8s.pod.name]\n')
    return startChild(binary, [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${address}`,
      '--web.enable-otlp-receiver',
    ])
  }, '/-/ready')
}

/** A real VictoriaMetrics on loopback. */
export function startVictoriaMetrics(binary: string): Promise<Backend> {
  return start(
    async (directory, address) =>
      startChild(binary, [
        `-storageDataPath=${directory}`,
        `-httpListenAddr=${address}`,
        '-opentelemetry.usePrometheusNaming',
        // Otherwise what came in the last 30 seconds is not shown.
        '-search.latencyOffset=0s',
      ]),
    '/health',
  )
}

async function start(run: (directory: string, address: string) => Promise<Child>, readyPath: string): Promise<Backend> {
  const directory = await mkdtemp(join(tmpdir(), 'netvitals-backend-'))
  const address = `127.0.0.1:${(await freePorts()).otlp}`
  const url = `http://${address}`
  const child = await run(directory, address)
  async function end(): Promise<void> {
    await child.stop()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await eventually('the backend is ready', async () => {
      if (!child.running()) return 'ended'
      return (await fetch(url + readyPath)).ok ? 'ready' : undefined
    })
    if (!child.running()) throw new Error(`the backend ended:\n${child.stderr()}`)
  } catch (error) {
    await end()
    throw error
  }
  return { url, log: () => child.stderr(), query: (selector) => query(url, selector), [Symbol.asyncDispose]: end }
}

interface Answer {
  readonly status: string
  readonly data: { readonly result: readonly { metric: Record<string, string>; values: [number, string][] }[] }
}

/** The samples themselves, by a range: an instant query would give the time of the question. */
async function query(url: string, selector: string): Promise<QueriedSeries[]> {
  const parameters = new URLSearchParams({ query: `${selector}[10m]`, nocache: '1' })
  const response = await fetch(`${url}/api/v1/query?${parameters}`)
  const text = await response.text()
  if (!response.ok) throw new Error(`${selector}: ${response.status} ${text}`)
  return (JSON.parse(text) as Answer).data.result.map(({ metric, values }) => {
    const [seconds, value] = values.at(-1)!
    return { labels: metric, value: Number(value), atMs: Math.round(seconds * 1000) }
  })
}
