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
  /** What any expression gives now. */
  evaluate(expression: string): Promise<QueriedSeries[]>
}

export interface ScrapeTarget {
  /** host:port; its page is at /metrics. */
  readonly address: string
  /** Added to each of its series. */
  readonly labels: Readonly<Record<string, string>>
}

/**
 * A real Prometheus on loopback that takes OTLP, as otel-config/backends/prometheus.yaml says to start it, and scrapes
 * these every second.
 */
export function startPrometheus(
  binary: string,
  { scrape = [] }: { readonly scrape?: readonly ScrapeTarget[] } = {},
): Promise<Backend> {
  return start(async (directory, address) => {
    const file = join(directory, 'prometheus.yml')
    // JSON is YAML.
    const config = {
      otlp: { promote_resource_attributes: ['container.name', 'k8s.pod.name'] },
      scrape_configs: scrape.map(({ address: target, labels }, index) => ({
        job_name: `target-${index}`,
        scrape_interval: '1s',
        scrape_timeout: '1s',
        honor_labels: true,
        static_configs: [{ targets: [target], labels }],
      })),
    }
    await writeFile(file, JSON.stringify(config))
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
  return {
    url,
    log: () => child.stderr(),
    query: (selector) => query(url, selector),
    evaluate: (expression) => evaluate(url, expression),
    [Symbol.asyncDispose]: end,
  }
}

/** Seconds since the epoch, and a number as Go writes it. */
type Sample = readonly [seconds: number, value: string]

interface Series {
  readonly metric: QueriedSeries['labels']
  /** Of an instant query. */
  readonly value: Sample
  /** Of a range. */
  readonly values: readonly Sample[]
}

/** The samples themselves, by a range: an instant query would give the time of the question. */
async function query(url: string, selector: string): Promise<QueriedSeries[]> {
  const found = await ask(url, `${selector}[10m]`)
  return found.map(({ metric, values }) => queried(metric, values.at(-1)!))
}

async function evaluate(url: string, expression: string): Promise<QueriedSeries[]> {
  const found = await ask(url, expression)
  return found.map(({ metric, value }) => queried(metric, value))
}

async function ask(url: string, expression: string): Promise<readonly Series[]> {
  const parameters = new URLSearchParams({ query: expression, nocache: '1' })
  const response = await fetch(`${url}/api/v1/query?${parameters}`)
  const text = await response.text()
  if (!response.ok) throw new Error(`${expression}: ${response.status} ${text}`)
  return JSON.parse(text).data.result
}

function queried(labels: QueriedSeries['labels'], [seconds, value]: Sample): QueriedSeries {
  return { labels, value: Number(value), atMs: Math.round(seconds * 1000) }
}
