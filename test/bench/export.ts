/**
 * What it costs to turn 100,000 live series into OTLP requests, against the stock SDK with the same data in the same
 * run: `node --expose-gc test/bench/export.ts`.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  type MetricData,
  MetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { createRequestEncoder } from '../../src/exporters/sending/request-encoder.ts'
import { longestHoldMs } from './processes.ts'

export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Undefined: for information. */
  readonly target: number | undefined
  readonly ok: boolean
}

const CONTAINERS = 100
const DESTINATIONS = 100
const ROUNDS = 7
const WARM_UP_ROUNDS = 3
const MAX_REQUEST_BYTES = 4 * 2 ** 20

/** Ten series of an outbound link, as the store emits them: which of its attribute sets each has. */
const METRICS = [
  { name: 'container.net.tcp.successful_connects', unit: '{connection}', variant: 'direction' },
  { name: 'container.net.tcp.active_connections', unit: '{connection}', variant: 'direction', nonMonotonic: true },
  { name: 'container.net.tcp.broken_connections', unit: '{connection}', variant: 'reset' },
  { name: 'container.net.tcp.segments_sent', unit: '{segment}', variant: 'direction' },
  { name: 'container.net.tcp.bytes_sent', unit: 'By', variant: 'direction' },
  { name: 'container.net.tcp.bytes_received', unit: 'By', variant: 'direction' },
  { name: 'container.net.tcp.rtt', unit: 's', variant: 'direction', gauge: true },
  { name: 'container.net.tcp.connection_time', unit: 's', variant: 'direction', double: true },
  { name: 'container.net.tcp.retransmits', unit: '{segment}', variant: 'data' },
  { name: 'container.net.tcp.failed_connects', unit: '{connection}', variant: 'refused' },
] as const

type Variant = (typeof METRICS)[number]['variant']

/** Eight attributes each; the objects are frozen and shared between the metrics of a link, as the store's are. */
function linkAttributes(container: number, destination: number): Record<Variant, Attributes> {
  const link = {
    'destination.address': `10.96.${destination}.${container}`,
    'destination.port': 8000 + destination,
    'network.peer.address': `10.42.${container}.${destination}`,
    'network.peer.port': 8080,
    'network.type': 'ipv4',
    'destination.scope': 'cluster',
    'k8s.dst.service.name': `service-${destination}`,
  }
  return {
    direction: Object.freeze({ ...link, direction: 'outbound' }),
    reset: Object.freeze({ ...link, 'error.type': 'reset' }),
    refused: Object.freeze({ ...link, 'error.type': 'refused' }),
    data: Object.freeze({ ...link, 'network.tcp.retransmit.type': 'data' }),
  }
}

function makeSeries(): ResourceMetrics[] {
  const endTime: HrTime = [1_700_000_000, 500_000_000]
  return Array.from({ length: CONTAINERS }, (_, container) => {
    const links = Array.from({ length: DESTINATIONS }, (_, destination) => ({
      startTime: [1_699_990_000 + destination, 0] as HrTime,
      attributes: linkAttributes(container, destination),
    }))
    const metrics = METRICS.map((metric, index): MetricData => {
      const isDouble = 'gauge' in metric || 'double' in metric
      const common = {
        descriptor: {
          name: metric.name,
          description: 'One sentence that says what is counted, since when and on whose behalf',
          unit: metric.unit,
          valueType: isDouble ? ValueType.DOUBLE : ValueType.INT,
        },
        aggregationTemporality: AggregationTemporality.CUMULATIVE,
        dataPoints: links.map(({ startTime, attributes }, destination) => ({
          startTime,
          endTime,
          attributes: attributes[metric.variant],
          value: isDouble ? (destination + 1) / 7 : destination * 1000 + index,
        })),
      }
      if ('gauge' in metric) return { ...common, dataPointType: DataPointType.GAUGE }
      return { ...common, dataPointType: DataPointType.SUM, isMonotonic: !('nonMonotonic' in metric) }
    })
    const resource = resourceFromAttributes({
      'service.name': `service-${container}`,
      'service.instance.id': `default.pod-${container}.main`,
      'container.id': String(container).padStart(64, '0'),
      'k8s.namespace.name': 'default',
      'k8s.pod.name': `pod-${container}`,
      'host.name': 'node-1',
    })
    return { resource, scopeMetrics: [{ scope: { name: 'netvitals', version: '0.1.0' }, metrics }] }
  })
}

class ManualReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

/** The SDK reading callbacks: one MeterProvider a container, as a provider has one resource. */
function observableReaders(series: readonly ResourceMetrics[]): MetricReader[] {
  return series.map(({ resource, scopeMetrics }) => {
    const reader = new ManualReader({ cardinalitySelector: () => 1_000_000 })
    const meter = new MeterProvider({ resource, readers: [reader] }).getMeter('netvitals', '0.1.0')
    for (const { descriptor, dataPoints, dataPointType, ...rest } of scopeMetrics[0]!.metrics) {
      const isMonotonic = 'isMonotonic' in rest && rest.isMonotonic
      const instrument =
        dataPointType === DataPointType.GAUGE
          ? meter.createObservableGauge(descriptor.name, descriptor)
          : isMonotonic
            ? meter.createObservableCounter(descriptor.name, descriptor)
            : meter.createObservableUpDownCounter(descriptor.name, descriptor)
      instrument.addCallback((result) => {
        for (const { value, attributes } of dataPoints) result.observe(value as number, attributes)
      })
    }
    return reader
  })
}

/** The SDK handed finished points. */
function producerReaders(series: readonly ResourceMetrics[]): MetricReader[] {
  return series.map((resourceMetrics) => {
    const reader = new ManualReader({
      metricProducers: [{ collect: async () => ({ resourceMetrics, errors: [] }) }],
    })
    new MeterProvider({ resource: resourceMetrics.resource, readers: [reader] })
    return reader
  })
}

async function exportBySdk(readers: readonly MetricReader[]): Promise<number> {
  let points = 0
  for (const reader of readers) {
    const { resourceMetrics } = await reader.collect()
    ProtobufMetricsSerializer.serializeRequest(resourceMetrics)
    points += countPoints(resourceMetrics)
  }
  return points
}

function countPoints({ scopeMetrics }: ResourceMetrics): number {
  return scopeMetrics.flatMap(({ metrics }) => metrics).reduce((sum, { dataPoints }) => sum + dataPoints.length, 0)
}

async function exportByUs(encoder: ReturnType<typeof createRequestEncoder>, series: readonly ResourceMetrics[]) {
  let points = 0
  for await (const request of encoder.encode(series)) points += request.points
  return points
}

/** User and system time of all threads, in ms, of work that must give all the points. */
async function cpuMs(work: () => Promise<number>): Promise<number> {
  globalThis.gc?.()
  const before = process.cpuUsage()
  const points = await work()
  const { user, system } = process.cpuUsage(before)
  const expected = CONTAINERS * DESTINATIONS * METRICS.length
  if (points !== expected) throw new Error(`${points} points came out, ${expected} went in`)
  return (user + system) / 1000
}

/** What encoding leaves behind for the rare full collections: resident memory grows by it in between. */
async function garbageMiB(work: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  for (let cycle = 0; cycle < 20; cycle++) await work()
  globalThis.gc?.({ type: 'minor' })
  return Math.max(0, process.memoryUsage().heapUsed - before) / 2 ** 20
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}

export async function bench(): Promise<BenchRow[]> {
  const series = makeSeries()
  const encoder = createRequestEncoder({ maxRequestBytes: MAX_REQUEST_BYTES, onTooLarge: () => undefined })
  for (let i = 0; i < WARM_UP_ROUNDS; i++) await exportByUs(encoder, series)
  const garbage = await garbageMiB(() => exportByUs(encoder, series))
  const observables = observableReaders(series)
  const producers = producerReaders(series)
  const work = {
    ours: () => exportByUs(encoder, series),
    observables: () => exportBySdk(observables),
    producers: () => exportBySdk(producers),
  }
  const taken = { ours: [] as number[], observables: [] as number[], producers: [] as number[] }
  const stalls: number[] = []
  for (let i = 0; i < ROUNDS + WARM_UP_ROUNDS; i++) {
    for (const name of ['ours', 'observables', 'producers'] as const) {
      const ms = await cpuMs(work[name])
      if (i >= WARM_UP_ROUNDS) taken[name].push(ms)
    }
    const stall = await longestHoldMs(work.ours)
    if (i >= WARM_UP_ROUNDS) stalls.push(stall)
  }
  const sdk = Math.min(median(taken.observables), median(taken.producers))
  const ratio = median(taken.ours) / sdk
  const stall = Math.max(...stalls)
  return [
    information('export: CPU to encode 100,000 series', median(taken.ours), 'ms'),
    information('export: stock SDK, observable instruments', median(taken.observables), 'ms'),
    information('export: stock SDK, MetricProducer', median(taken.producers), 'ms'),
    limit('export: CPU against the better of these', ratio, 'ratio', 0.25),
    limit(`export: longest event loop stall of ${ROUNDS} rounds`, stall, 'ms', 20),
    limit('export: garbage of 20 cycles in the old generation', garbage, 'MiB', 10),
    ...(await gzipRows(encoder, series)),
  ]
}

/** Not part of the ratio: the SDK's exporter would pay it too. It runs on zlib's thread pool. */
async function gzipRows(encoder: ReturnType<typeof createRequestEncoder>, series: readonly ResourceMetrics[]) {
  const compress = promisify(gzip)
  const encodeOnly = await cpuMs(() => exportByUs(encoder, series))
  let bytes = 0
  let compressed = 0
  const both = await cpuMs(async () => {
    let points = 0
    for await (const request of encoder.encode(series)) {
      bytes += request.bytes.length
      compressed += (await compress(request.bytes)).length
      points += request.points
    }
    return points
  })
  return [
    information('export: CPU to gzip 100,000 series', both - encodeOnly, 'ms'),
    information('export: size of 100,000 series', bytes / 2 ** 20, 'MiB'),
    information('export: size of 100,000 series with gzip', compressed / 2 ** 20, 'MiB'),
  ]
}

function information(name: string, value: number, unit: string): BenchRow {
  return { name, value: round(value), unit, target: undefined, ok: true }
}

function limit(name: string, value: number, unit: string, target: number): BenchRow {
  return { name, value: round(value), unit, target, ok: value <= target }
}

if (import.meta.main) {
  const rows = await bench()
  console.table(rows)
  if (rows.some(({ ok }) => !ok)) process.exitCode = 1
}
