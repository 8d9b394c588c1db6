import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, eventually, startChild } from './child.ts'
import { buildCollector } from './collector-build.ts'
import { type ExportRequest, parseLines } from './otlp-json.ts'

export { buildCollector }

export interface CollectorPorts {
  readonly otlp: number
  readonly prometheus: number
  readonly health: number
}

export interface CollectorOptions {
  /** Of buildCollector. */
  readonly binary: string
  /** Ports of an earlier one, to stand in its place; otherwise free ones. */
  readonly ports?: CollectorPorts
  /** The `tls` of the OTLP gRPC receiver, in the Collector's own words. */
  readonly tls?: Readonly<Record<string, unknown>>
  /** Resource attributes as labels at the Prometheus exporter. */
  readonly resourceToTelemetry?: boolean
  /** A configuration to run instead, the ports and the file exporter laid over it. */
  readonly configFile?: string
}

export interface Collector extends AsyncDisposable {
  /** host:port of OTLP/gRPC. */
  readonly endpoint: string
  readonly ports: CollectorPorts
  /** The requests that the file exporter has written, oldest first. */
  lines(): Promise<ExportRequest[]>
  /** The Prometheus exporter's page. */
  metricsPage(): Promise<string>
  log(): string
  /** Flushes and ends; what it wrote can still be read until the Collector is disposed of. */
  stop(): Promise<void>
}

/** Starts a real Collector on loopback and waits until it is healthy. Dispose of it (`await using`) to end it. */
export async function startCollector(options: CollectorOptions): Promise<Collector> {
  const directory = await mkdtemp(join(tmpdir(), 'netvitals-otelcol-'))
  const file = join(directory, 'otlp.jsonl')
  const overlay = join(directory, 'config.yaml')
  const ports = options.ports ?? (await freePorts())
  const remove = () => rm(directory, { recursive: true, force: true })
  let child: Child | undefined
  try {
    await writeFile(overlay, JSON.stringify(collectorConfig(options, ports, file)))
    const files = options.configFile === undefined ? [overlay] : [options.configFile, overlay]
    child = startChild(
      options.binary,
      files.flatMap((path) => ['--config', path]),
    )
    await healthy(child, ports.health)
  } catch (error) {
    await child?.stop(0)
    await remove()
    throw error
  }
  const running = child
  return {
    endpoint: `127.0.0.1:${ports.otlp}`,
    ports,
    lines: async () => parseLines(await readFile(file, 'utf8').catch(() => '')),
    metricsPage: async () => (await fetch(`http://127.0.0.1:${ports.prometheus}/metrics`)).text(),
    log: () => running.stderr(),
    stop: async () => {
      await running.stop()
    },
    [Symbol.asyncDispose]: async () => {
      await running.stop()
      await remove()
    },
  }
}

/** JSON is YAML. Laid over `configFile`, it moves the ports and adds a pipeline of its own that writes the file. */
function collectorConfig(options: CollectorOptions, ports: CollectorPorts, file: string): unknown {
  const { tls, resourceToTelemetry, configFile } = options
  const grpc = { endpoint: `127.0.0.1:${ports.otlp}`, ...(tls === undefined ? {} : { tls }) }
  const conversion =
    resourceToTelemetry === undefined ? {} : { resource_to_telemetry_conversion: { enabled: resourceToTelemetry } }
  return {
    receivers: { otlp: { protocols: { grpc } } },
    exporters: {
      file: { path: file, flush_interval: '100ms' },
      prometheus: { endpoint: `127.0.0.1:${ports.prometheus}`, ...conversion },
    },
    extensions: { health_check: { endpoint: `127.0.0.1:${ports.health}` } },
    service: {
      extensions: ['health_check'],
      telemetry: { metrics: { level: 'none' } },
      pipelines: {
        'metrics/test': {
          receivers: ['otlp'],
          exporters: configFile === undefined ? ['file', 'prometheus'] : ['file'],
        },
      },
    },
  }
}

async function healthy(child: Child, port: number): Promise<void> {
  const state = await eventually('the Collector is healthy', async () => {
    if (!child.running()) return 'ended'
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    return response?.ok ? 'healthy' : undefined
  })
  if (state === 'ended') throw new Error(`the Collector ended:\n${child.stdout()}\n${child.stderr()}`)
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(): Promise<CollectorPorts> {
  const servers = await Promise.all([0, 1, 2].map(listen))
  const [otlp, prometheus, health] = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return { otlp: otlp!, prometheus: prometheus!, health: health! }
}

function listen(): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject).listen(0, '127.0.0.1', () => resolve(server))
  })
}
