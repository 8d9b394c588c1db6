import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { ValueType } from '@opentelemetry/api'
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics'
import type { Batch } from '../../src/component/types.ts'
import { factory as grpcFactory } from '../../src/exporters/otlp_grpc/index.ts'
import { factory as httpFactory } from '../../src/exporters/otlp_http/index.ts'
import { createHarness, exportBatch } from './harness.ts'
import { type Reply, startHttpServer } from './http-metrics-server.ts'
import { startMetricsServer } from './metrics-server.ts'
import { flatten } from './sending/otlp.ts'

const FAILED = 'otelcol_exporter_send_failed_metric_points'
const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

const attributes = Object.freeze({ peer: 'x' })
const resource = { attributes: Object.freeze({ 'service.name': 's' }) } as unknown as Batch[number]['resource']
/** After every exporter here began. */
const STARTED = Math.floor(Date.now() / 1000) + 60

/** A monotonic sum, a sum that is not, and a gauge, all of this value. */
function batchOf(value: number, seconds: number): Batch {
  const dataPoints = [
    {
      startTime: [STARTED, 0] as [number, number],
      endTime: [STARTED + seconds, 0] as [number, number],
      attributes,
      value,
    },
  ]
  const common = { aggregationTemporality: AggregationTemporality.CUMULATIVE, dataPoints }
  const descriptor = (name: string) => ({ name, description: '', unit: '1', valueType: ValueType.INT })
  return [
    {
      resource,
      scopeMetrics: [
        {
          scope: { name: 'netvitals' },
          metrics: [
            { ...common, descriptor: descriptor('sum'), dataPointType: DataPointType.SUM, isMonotonic: true },
            { ...common, descriptor: descriptor('updown'), dataPointType: DataPointType.SUM, isMonotonic: false },
            { ...common, descriptor: descriptor('gauge'), dataPointType: DataPointType.GAUGE },
          ],
        },
      ],
    },
  ]
}

interface Decoded {
  readonly metric: { name: string; sum?: { aggregationTemporality: number } }
  readonly point: { asInt: string; startTimeUnixNano: string; timeUnixNano: string }
}

/** [name, temporality, value, seconds from, seconds to] of every point. */
function pointsIn(requests: readonly { bytes: Uint8Array }[]) {
  const seconds = (nanos: string) => Number(BigInt(nanos) / 1_000_000_000n) - STARTED
  return (flatten(requests.map(({ bytes }) => bytes)) as Decoded[]).map(({ metric, point }) => [
    metric.name,
    metric.sum?.aggregationTemporality ?? 0,
    Number(point.asInt),
    seconds(point.startTimeUnixNano),
    seconds(point.timeUnixNano),
  ])
}

const sumsIn = (requests: readonly { bytes: Uint8Array }[]) => pointsIn(requests).filter(([name]) => name === 'sum')

async function startHttp(reply: (index: number) => Reply, config: object = {}) {
  const server = await startHttpServer({ reply })
  const harness = createHarness('otlp_http')
  const exporter = httpFactory.create(
    harness.settings,
    httpFactory.config.parse({
      endpoint: server.endpoint,
      temporality_preference: 'delta',
      retry_on_failure: { initial_interval: '10ms', max_interval: '10ms', max_elapsed_time: '100ms' },
      ...config,
    }),
  )
  await exporter.start(harness.host)
  cleanUps.push(server.stop, () => exporter.stop())
  async function send(value: number, seconds: number) {
    await exportBatch(exporter, batchOf(value, seconds))
    await exporter.forceFlush()
  }
  return { ...harness, server, exporter, send }
}

describe('temporality_preference: delta', () => {
  test('tells monotonic sums since the last point, and leaves the others as they are', async () => {
    const { server, send } = await startHttp(() => ({}))
    await send(10, 10)
    await send(12, 20)
    assert.deepEqual(pointsIn(server.requests), [
      ['sum', 1, 10, 0, 10],
      ['updown', 2, 10, 0, 10],
      ['gauge', 0, 10, 0, 10],
      ['sum', 1, 2, 10, 20],
      ['updown', 2, 12, 0, 20],
      ['gauge', 0, 12, 0, 20],
    ])
  })

  test('works over gRPC as well', async () => {
    const server = await startMetricsServer()
    const { settings, host } = createHarness()
    const config = { endpoint: server.endpoint, tls: { insecure: true }, temporality_preference: 'delta' as const }
    const exporter = grpcFactory.create(settings, grpcFactory.config.parse(config))
    await exporter.start(host)
    cleanUps.push(server.stop, () => exporter.stop())
    for (const [value, seconds] of [
      [10, 10],
      [12, 20],
    ] as const) {
      await exportBatch(exporter, batchOf(value, seconds))
    }
    await exporter.forceFlush()
    assert.deepEqual(sumsIn(server.requests), [
      ['sum', 1, 10, 0, 10],
      ['sum', 1, 2, 10, 20],
    ])
  })

  for (const [what, status] of [
    ['refused for good', 400],
    ['given up after its retries', 503],
  ] as const) {
    test(`tells again with the next point what was ${what}; the failure is counted`, async () => {
      let refusing = false
      const { server, send, metric } = await startHttp(() => ({ status: refusing ? status : 200 }))
      await send(10, 10)
      refusing = true
      await send(12, 20)
      await send(15, 30)
      refusing = false
      const before = server.requests.length
      await send(16, 40)
      assert.deepEqual(sumsIn(server.requests.slice(before)), [['sum', 1, 6, 10, 40]])
      assert.equal(await metric(FAILED), 6)
    })
  }

  test('repeats a request that is retried as it was', async () => {
    const { server, send } = await startHttp((index) => ({ status: index === 1 ? 503 : 200 }))
    await send(10, 10)
    await send(12, 20)
    await send(13, 30)
    assert.deepEqual(sumsIn(server.requests), [
      ['sum', 1, 10, 0, 10],
      ['sum', 1, 2, 10, 20],
      ['sum', 1, 2, 10, 20],
      ['sum', 1, 1, 20, 30],
    ])
  })

  test('goes on where an exporter of the same id ended, with what that still owed', async () => {
    let refusing = false
    const old = await startHttp(() => ({ status: refusing ? 400 : 200 }))
    await old.send(10, 10)
    refusing = true
    await old.send(12, 20)
    const { server, exporter, send } = await startHttp(() => ({}))
    await old.exporter.stop()
    await send(13, 30)
    assert.deepEqual(sumsIn(server.requests), [['sum', 1, 3, 10, 30]])
    await exporter.stop()
    const later = await startHttp(() => ({}))
    await later.send(13, 40)
    assert.deepEqual(sumsIn(later.server.requests), [['sum', 1, 13, 0, 40]])
  })

  test('counts what partial_success rejects as delivered: nobody says which points', async () => {
    const { server, send } = await startHttp(() => ({
      headers: { 'content-type': 'application/json' },
      body: '{"partialSuccess":{"rejectedDataPoints":1}}',
    }))
    await send(10, 10)
    await send(12, 20)
    assert.deepEqual(sumsIn(server.requests).at(-1), ['sum', 1, 2, 10, 20])
  })

  test('tells everything once with several consumers, whatever of it fails', async () => {
    const { server, exporter } = await startHttp(
      (index) => (response) =>
        setTimeout(() => response.writeHead(index % 3 === 1 ? 400 : 200).end(), (index * 7) % 20),
      { sending_queue: { num_consumers: 4 } },
    )
    const arrived = () => server.requests.filter((_, index) => index % 3 !== 1)
    for (let i = 1; i <= 40; i++) await exportBatch(exporter, batchOf(i * 10, i * 10))
    await exporter.forceFlush()
    do {
      await exportBatch(exporter, batchOf(400, 410 + server.requests.length))
      await exporter.forceFlush()
    } while ((server.requests.length - 1) % 3 === 1)
    const told = sumsIn(arrived()).reduce((sum, [, , value]) => sum + (value as number), 0)
    assert.equal(told, 400)
  })
})
