import { type AddressInfo, connect, createServer } from 'node:net'
import type { HrTime } from '@opentelemetry/api'
import { createNoopMeter } from '@opentelemetry/api'
import { DataPointType, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { Exporter, ExporterFactory, Host } from '../../src/component/types.ts'
import { factory as otlpGrpc } from '../../src/exporters/otlp_grpc/index.ts'
import { createLogger } from '../../src/log.ts'
import { type Point, seriesKey, type Value, type Values } from './otlp-json.ts'

/** The one exporter under test, as the service would make it from this configuration. */
export async function startExporter<C>(
  config: Readonly<Record<string, unknown>>,
  factory: ExporterFactory<C> = otlpGrpc as ExporterFactory<unknown> as ExporterFactory<C>,
): Promise<TestExporter> {
  return runExporter(factory, factory.config.parse(config))
}

/** The same, of a configuration that was read already. */
export async function runExporter<C>(factory: ExporterFactory<C>, config: C): Promise<TestExporter> {
  const id = { type: factory.type, name: '', toString: () => factory.type }
  const logged: string[] = []
  const settings = {
    id,
    log: createLogger({ level: 'error', write: (line) => logged.push(line) }),
    meter: createNoopMeter(),
    version: '0.1.0',
  }
  const exporter = factory.create(settings, config)
  const reports: string[] = []
  const host: Host = {
    fatal: (error) => {
      throw error
    },
    report: (component, part, status, detail) => {
      reports.push(`${component} ${part} ${status} ${detail ?? ''}`)
    },
    extension: () => undefined,
  }
  await exporter.start(host)
  return {
    exporter,
    reports,
    logged,
    send: (batch) =>
      new Promise((resolve, reject) => {
        exporter.export(batch, ({ code, error }) => (code === 0 ? resolve() : reject(error)))
      }),
    [Symbol.asyncDispose]: () => exporter.stop(),
  }
}

export interface TestExporter extends AsyncDisposable {
  readonly exporter: Exporter
  /** What it told the service about itself. */
  readonly reports: readonly string[]
  /** Its log, at level error. */
  readonly logged: readonly string[]
  send(batch: readonly ResourceMetrics[]): Promise<void>
}

/** What the file exporter must show of a batch, by series. */
export function expectedPoints(batch: readonly ResourceMetrics[]): Map<string, Point> {
  const points = new Map<string, Point>()
  for (const { resource, scopeMetrics } of batch) {
    for (const { scope, metrics } of scopeMetrics) {
      for (const metric of metrics) {
        const { name, unit, description, valueType } = metric.descriptor
        for (const point of metric.dataPoints) {
          const expected: Point = {
            resource: resource.attributes as Values,
            scope: scope.name,
            name,
            unit,
            description,
            kind: metric.dataPointType === DataPointType.SUM ? 'sum' : 'gauge',
            temporality: metric.dataPointType === DataPointType.SUM ? metric.aggregationTemporality + 1 : 0,
            monotonic: metric.dataPointType === DataPointType.SUM && metric.isMonotonic,
            attributes: point.attributes as Readonly<Record<string, Value>>,
            startTimeUnixNano: nanoseconds(point.startTime),
            timeUnixNano: nanoseconds(point.endTime),
            type: valueType === 0 ? 'int' : 'double',
            value: point.value as number,
            flags: 0,
          }
          points.set(seriesKey(expected), expected)
        }
      }
    }
  }
  return points
}

function nanoseconds([seconds, nanos]: HrTime): string {
  return String(BigInt(seconds) * 1_000_000_000n + BigInt(nanos))
}

/** Stands before a server on loopback and counts what clients send to it. */
export async function countingProxy(targetPort: number): Promise<CountingProxy> {
  let bytes = 0
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    client.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    client.pipe(upstream).pipe(client)
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytes: () => bytes,
    [Symbol.dispose]: () => {
      server.close()
    },
  }
}

export interface CountingProxy extends Disposable {
  readonly endpoint: string
  /** From clients to the server, so far. */
  bytes(): number
}
