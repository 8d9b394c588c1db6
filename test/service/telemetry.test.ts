import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { createRegistry } from '../../src/component/registry.ts'
import { loadConfig } from '../../src/config/index.ts'
import { createSwitchableLogger } from '../../src/log.ts'
import { buildService } from '../../src/service/service.ts'
import { ownResource } from '../../src/service/telemetry.ts'
import { createTestComponents } from '../support/components.ts'

const METHOD = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'

/** An OTLP receiver that keeps the requests' bytes and their headers. */
async function startReceiver() {
  const requests: { body: Buffer; tenant: unknown }[] = []
  const server = new Server()
  server.addService(
    {
      export: {
        path: METHOD,
        requestStream: false,
        responseStream: false,
        requestSerialize: (body: Buffer) => body,
        requestDeserialize: (body: Buffer) => body,
        responseSerialize: (body: Buffer) => body,
        responseDeserialize: (body: Buffer) => body,
      },
    },
    {
      export(
        call: { request: Buffer; metadata: { get(key: string): unknown[] } },
        done: (error: null, body: Buffer) => void,
      ) {
        requests.push({ body: call.request, tenant: call.metadata.get('tenant')[0] })
        done(null, Buffer.alloc(0))
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  return { requests, port, stop: () => server.forceShutdown() }
}

function configOf(port: number, level = 'normal'): string {
  return `
receivers: {script: {deliver: web}}
exporters: {memory: , memory/full: {fail: true}}
service:
  pipelines:
    metrics: {receivers: [script], exporters: [memory]}
  telemetry:
    resource: {service.instance.id: test-1, deployment.environment.name: lab, host.name: null}
    metrics:
      level: ${level}
      readers:
        - periodic:
            interval: 60000
            exporter: {otlp: {protocol: grpc, endpoint: "http://127.0.0.1:${port}", headers: [{name: tenant, value: a}]}}`
}

async function run(yaml: string): Promise<string[]> {
  const lines: string[] = []
  const config = await loadConfig({ uris: [`yaml:${yaml}`], registry: createRegistry(createTestComponents().entries) })
  const logger = createSwitchableLogger({ write: (line) => lines.push(line) })
  const service = await buildService(config, { version: '1.2.3', logger, onFatal: assert.fail })
  await service.start()
  await service.stop()
  return lines
}

describe("the program's own metrics", () => {
  it("reach an OTLP receiver, the last ones at the stop, under the Collector's names", async () => {
    const receiver = await startReceiver()
    try {
      const lines = await run(configOf(receiver.port))
      assert.equal(receiver.requests.length, 1, lines.join(''))
      const [{ body, tenant }] = receiver.requests as [{ body: Buffer; tenant: unknown }]
      assert.equal(tenant, 'a')
      const expected = [
        ...['otelcol_process_uptime', 'otelcol_process_cpu_seconds', 'otelcol_process_memory_rss'],
        ...['otelcol_receiver_accepted_metric_points', 'otelcol_exporter_sent_metric_points'],
        ...['service.name', 'netvitals', 'service.version', '1.2.3', 'test-1', 'deployment.environment.name', 'lab'],
      ]
      assert.deepEqual(
        expected.filter((text) => !body.includes(text)),
        [],
      )
      assert.ok(!body.includes('host.name'))
    } finally {
      receiver.stop()
    }
  })

  it('go to the readers of a new configuration, the last ones to those before', async () => {
    const [first, second] = [await startReceiver(), await startReceiver()]
    const registry = createRegistry(createTestComponents().entries)
    const load = (port: number) => loadConfig({ uris: [`yaml:${configOf(port)}`], registry })
    try {
      const logger = createSwitchableLogger({ write: () => {} })
      const service = await buildService(await load(first.port), { version: '1.2.3', logger, onFatal: assert.fail })
      await service.start()
      await service.reload(await load(second.port))
      assert.equal(first.requests.length, 1)
      assert.ok(first.requests[0]!.body.includes('otelcol_receiver_accepted_metric_points'))
      assert.equal(second.requests.length, 0)
      await service.stop()
      assert.equal(first.requests.length, 1)
      assert.ok(second.requests[0]!.body.includes('otelcol_process_uptime'))
    } finally {
      first.stop()
      second.stop()
    }
  })

  it('go nowhere at level none', async () => {
    const receiver = await startReceiver()
    try {
      await run(configOf(receiver.port, 'none'))
      assert.equal(receiver.requests.length, 0)
    } finally {
      receiver.stop()
    }
  })

  it('do not keep the program from stopping when their receiver is not there, and say so once', async () => {
    const receiver = await startReceiver()
    receiver.stop()
    const begin = performance.now()
    const lines = await run(configOf(receiver.port))
    assert.ok(performance.now() - begin < 5000)
    assert.ok(lines.filter((line) => line.includes('cannot be sent')).length <= 1)
  })

  it('have a resource of their own, which the configuration may change', () => {
    const resource = { 'service.name': 'nv', 'host.name': null }
    assert.deepEqual(ownResource({ resource }, '1.2.3', 'one'), {
      'service.name': 'nv',
      'service.version': '1.2.3',
      'service.instance.id': 'one',
    })
  })
})
