import assert from 'node:assert/strict'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { factory } from '../../../src/exporters/otlp_http/index.ts'
import { createHarness, exportBatch, makeBatch } from '../harness.ts'
import { type Reply, startHttpServer } from '../http-metrics-server.ts'
import { metricNames } from '../metrics-server.ts'
import { encodeResponse, flatten } from '../sending/otlp.ts'

const SENT = 'otelcol_exporter_sent_metric_points'
const FAILED = 'otelcol_exporter_send_failed_metric_points'
const REJECTED = 'netvitals.exporter.rejected_points'
const PROTOBUF = { 'content-type': 'application/x-protobuf' }
const JSON_TYPE = { 'content-type': 'application/json' }
const QUICK_RETRY = { initial_interval: '20ms', max_interval: '20ms', randomization_factor: 0 }

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function startServer(reply?: (index: number) => Reply, port = 0) {
  const server = await startHttpServer({ port, ...(reply ? { reply } : {}) })
  cleanUps.push(server.stop)
  return server
}

async function startExporter(config: object) {
  const harness = createHarness('otlp_http')
  const parsed = factory.config.parse({ retry_on_failure: QUICK_RETRY, ...config })
  const exporter = factory.create(harness.settings, parsed)
  await exporter.start(harness.host)
  cleanUps.push(() => exporter.stop())
  return { ...harness, exporter }
}

/** One batch to a server that answers like this, once; what became of it. */
async function answered(reply: Reply, config: object = {}) {
  const server = await startServer(() => reply)
  const started = await startExporter({
    endpoint: server.endpoint,
    retry_on_failure: { enabled: false },
    sending_queue: { enabled: false },
    ...config,
  })
  const result = await exportBatch(started.exporter, makeBatch('m', 3))
  return { ...started, server, result, reason: result.error?.message }
}

describe('a request', () => {
  test('is a POST of protobuf to /v1/metrics, gzipped, with headers and the program’s name', async () => {
    const server = await startServer()
    const { exporter, metric, lines, statuses } = await startExporter({
      endpoint: `${server.endpoint}/otlp/`,
      headers: { 'X-Scope-OrgID': 'team a', 'Content-Type': 'application/x-protobuf; charset=none' },
    })
    assert.deepEqual(await exportBatch(exporter, makeBatch('m', 3)), { code: 0 })
    await exporter.forceFlush()
    const [request] = server.requests
    assert.deepEqual([request!.method, request!.path], ['POST', '/otlp/v1/metrics'])
    assert.deepEqual(metricNames(request!.bytes), ['m'])
    assert.partialDeepStrictEqual(request!.headers, {
      'user-agent': 'netvitals/1.2.3',
      'content-encoding': 'gzip',
      // As in the Collector, a header of the configuration wins.
      'content-type': 'application/x-protobuf; charset=none',
      'content-length': String(request!.length),
      'x-scope-orgid': 'team a',
    })
    assert.equal(await metric(SENT), 3)
    assert.deepEqual([lines, statuses], [[], []])
  })

  test('has the Host, and the user and password of the URL as Basic authorization, where they are given', async () => {
    const server = await startServer()
    const { exporter } = await startExporter({
      metrics_endpoint: `http://me:s3cret%40x@127.0.0.1:${server.port}/custom?api=1`,
      headers: { Host: 'tenant.example' },
    })
    await exportBatch(exporter, makeBatch('m'))
    await exporter.forceFlush()
    assert.equal(server.requests[0]!.path, '/custom?api=1')
    assert.partialDeepStrictEqual(server.requests[0]!.headers, {
      host: 'tenant.example',
      authorization: `Basic ${Buffer.from('me:s3cret@x').toString('base64')}`,
    })
  })

  for (const compression of ['gzip', 'zlib', 'deflate', 'zstd', 'none', '']) {
    test(`can be compressed by ${compression || "''"}`, async () => {
      const { server, result } = await answered({}, { compression, compression_params: { level: 1 } })
      assert.equal(result.code, 0)
      const { headers, bytes, length } = server.requests[0]!
      assert.equal(headers['content-encoding'], compression === 'none' ? undefined : compression || undefined)
      assert.equal(length === bytes.length, compression === 'none' || compression === '')
      assert.equal(flatten([bytes]).length, 3)
    })
  }

  test('is JSON where that is asked for', async () => {
    const { server, result } = await answered({}, { encoding: 'json' })
    assert.equal(result.code, 0)
    assert.equal(server.requests[0]!.headers['content-type'], 'application/json')
    const { resourceMetrics } = JSON.parse(server.requests[0]!.bytes.toString())
    assert.equal(resourceMetrics[0].scopeMetrics[0].metrics[0].name, 'm')
  })

  for (const encoding of ['proto', 'json']) {
    test(`as ${encoding} is never above max_request_bytes, and all points arrive in order`, async () => {
      const server = await startServer()
      const { exporter, metric } = await startExporter({
        endpoint: server.endpoint,
        encoding,
        max_request_bytes: '16KiB',
      })
      await exportBatch(exporter, makeBatch('large', 1000))
      await exporter.forceFlush()
      assert.ok(server.requests.length > 5)
      for (const { bytes } of server.requests) assert.ok(bytes.length <= 16 * 1024)
      assert.deepEqual(
        server.requests.flatMap(({ bytes }) => valuesOf(bytes, encoding)),
        [...Array(1000).keys()],
      )
      assert.equal(await metric(SENT), 1000)
    })
  }

  test('has no more points than sending_queue::batch::max_size', async () => {
    const server = await startServer()
    const batch = { min_size: 1, max_size: 300 }
    const { exporter } = await startExporter({ endpoint: server.endpoint, sending_queue: { batch } })
    await exportBatch(exporter, makeBatch('large', 1000))
    await exporter.forceFlush()
    assert.deepEqual(
      server.requests.map(({ bytes }) => flatten([bytes]).length),
      [300, 300, 300, 100],
    )
  })

  function valuesOf(bytes: Buffer, encoding: string): number[] {
    if (encoding === 'proto') {
      return flatten([bytes]).map((entry) => Number((entry as { point: { asInt: string } }).point.asInt))
    }
    const { resourceMetrics } = JSON.parse(bytes.toString())
    const { dataPoints } = resourceMetrics[0].scopeMetrics[0].metrics[0].sum
    return dataPoints.map(({ asInt }: { asInt: string }) => Number(asInt))
  }

  test('uses the connection again, or with disable_keep_alives a new one', async () => {
    for (const [disable, connections] of [
      [false, 1],
      [true, 3],
    ] as const) {
      const server = await startServer()
      const { exporter } = await startExporter({ endpoint: server.endpoint, disable_keep_alives: disable })
      for (const name of ['a', 'b', 'c']) await exportBatch(exporter, makeBatch(name))
      await exporter.forceFlush()
      assert.equal(server.requests.length, 3)
      assert.equal(server.connections(), connections)
    }
  })

  test('goes through proxy_url', async () => {
    const server = await startServer()
    const proxied: Buffer[] = []
    const proxy = await startServer((index) => (response) => {
      proxied.push(Buffer.from(`${proxy.requests[index]!.method} ${proxy.requests[index]!.path}`))
      response.end()
    })
    const { exporter } = await startExporter({ endpoint: 'http://backend.example:4318', proxy_url: proxy.endpoint })
    await exportBatch(exporter, makeBatch('m'))
    await exporter.forceFlush()
    assert.deepEqual(proxied.map(String), ['POST http://backend.example:4318/v1/metrics'])
    assert.equal(server.requests.length, 0)
  })
})

describe('a success', () => {
  for (const [what, reply] of [
    ['without a body', {}],
    ['204', { status: 204 }],
    ['with an empty response as protobuf', { headers: PROTOBUF, body: encodeResponse() }],
    ['with an empty partial_success as protobuf', { headers: PROTOBUF, body: encodeResponse({}) }],
    ['with {} as JSON', { headers: { 'content-type': 'application/json; charset=utf-8' }, body: '{}' }],
    ['with an empty partialSuccess as JSON', { headers: JSON_TYPE, body: '{"partialSuccess":{}}' }],
    ['with a page', { headers: { 'content-type': 'text/html' }, body: '<html>' }],
    ['with a word and no type', { status: 202, body: 'ok' }],
    ['with more than is read', { body: new Uint8Array(1 << 20) }],
  ] as const) {
    test(`${what} is one`, async () => {
      const { result, metric, lines, statuses } = await answered(reply)
      assert.deepEqual(result, { code: 0 })
      assert.deepEqual([await metric(SENT), await metric(FAILED)], [3, undefined])
      assert.deepEqual([lines, statuses], [[], []])
    })
  }

  for (const [what, reply] of [
    ['protobuf', { headers: PROTOBUF, body: encodeResponse({ rejectedDataPoints: 2, errorMessage: 'too old' }) }],
    [
      'JSON',
      { headers: JSON_TYPE, body: '{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"too old"},"new":1}' },
    ],
  ] as const) {
    test(`that rejects points, as ${what}, is one that is logged and counted`, async () => {
      const { result, metric, lines } = await answered(reply)
      assert.deepEqual(result, { code: 0 })
      assert.deepEqual([await metric(SENT), await metric(REJECTED)], [3, 2])
      assert.partialDeepStrictEqual(lines, [
        { msg: 'Partial success response', message: 'too old', dropped_data_points: 2 },
      ])
    })
  }

  for (const [headers, body] of [
    [PROTOBUF, '<html>'],
    [JSON_TYPE, 'ok'],
    [JSON_TYPE, '[]'],
  ] as const) {
    test(`whose body is not the ${headers['content-type']} it says is one, and said once: ${body}`, async () => {
      const { result, metric, lines } = await answered({ headers, body })
      assert.deepEqual(result, { code: 0 })
      assert.equal(await metric(SENT), 3)
      assert.equal(lines.length, 1)
      assert.match(String(lines[0]!.message), /^the response is not an ExportMetricsServiceResponse as application/)
    })
  }

  test('whose body breaks off, or does not end in time, is one: the data were taken', async () => {
    for (const finish of [(response: { destroy(): void }) => response.destroy(), () => undefined]) {
      const { result, server } = await answered(
        (response) => {
          response.writeHead(200, { 'content-length': '100' }).write('x')
          setTimeout(() => finish(response), 20)
        },
        { timeout: '300ms' },
      )
      assert.deepEqual(result, { code: 0 })
      assert.equal(server.requests.length, 1)
    }
  })
})

describe('a failure', () => {
  test('says what the backend says: a Status, JSON or text, on one line and short', async () => {
    const status = Buffer.from([0x08, 3, 0x12, 6, ...Buffer.from('a\r\nb\u0007c')])
    for (const [reply, expected] of [
      [{ status: 400, headers: PROTOBUF, body: status }, /Status Code 400: a b c$/],
      [{ status: 400, headers: PROTOBUF, body: 'not protobuf' }, /Status Code 400$/],
      [{ status: 401, headers: JSON_TYPE, body: '{"message":"who?"}' }, /Status Code 401: \{"message":"who\?"\}$/],
      [{ status: 403, body: 'no\u001b[2Jentry' }, /Status Code 403: no \[2Jentry$/],
      [{ status: 500, body: 'x'.repeat(1 << 20) }, /Status Code 500: x{256}…$/],
      [{ status: 302, headers: { location: 'https://new.example' } }, /Status Code 302: it is elsewhere/],
    ] as const) {
      const { reason, server } = await answered(reply)
      assert.match(reason!, expected)
      assert.match(reason!, /not retryable error: request to http:\/\/127\.0\.0\.1:\d+\/v1\/metrics responded with/)
      assert.equal(server.requests.length, 1)
    }
  })

  test('of one request drops that request alone', async () => {
    const server = await startServer((index) => ({ status: index === 1 ? 400 : 200 }))
    const { exporter, metric } = await startExporter({
      endpoint: server.endpoint,
      sending_queue: { batch: { min_size: 1, max_size: 100 } },
    })
    await exportBatch(exporter, makeBatch('m', 300))
    await exporter.forceFlush()
    assert.deepEqual([await metric(SENT), await metric(FAILED)], [200, 100])
  })

  test('keeps batches in order while it is retried, and Retry-After is waited for', async () => {
    const server = await startServer((index) =>
      index === 0 ? { status: 429, headers: { 'retry-after': '1' } } : { status: index === 1 ? 503 : 200 },
    )
    const { exporter, statuses } = await startExporter({ endpoint: server.endpoint })
    const began = performance.now()
    for (const name of ['a', 'b']) await exportBatch(exporter, makeBatch(name))
    await exporter.forceFlush()
    assert.ok(performance.now() - began >= 990)
    assert.deepEqual(
      server.requests.flatMap(({ bytes }) => metricNames(bytes)),
      ['a', 'a', 'a', 'b'],
    )
    assert.partialDeepStrictEqual(statuses, [
      { part: 'delivery', status: 'down' },
      { part: 'delivery', status: 'down' },
      { part: 'delivery', status: 'ok' },
    ])
  })

  test('to answer in time is retried on another connection', async () => {
    const server = await startServer((index) => (index === 0 ? 'hang' : {}))
    const { exporter, statuses, metric } = await startExporter({ endpoint: server.endpoint, timeout: '200ms' })
    await exportBatch(exporter, makeBatch('m'))
    await exporter.forceFlush()
    assert.match(statuses[0]!.detail!, /no response within 0\.2 s \(timeout\); will retry/)
    assert.equal(server.connections(), 2)
    assert.equal(await metric(SENT), 1)
  })

  test('to connect is retried until a backend is there', async () => {
    const probe = await startServer()
    probe.stop()
    const { exporter, statuses } = await startExporter({ endpoint: probe.endpoint })
    for (const name of ['a', 'b']) await exportBatch(exporter, makeBatch(name))
    await sleep(100)
    assert.match(statuses[0]!.detail!, /failed to make an HTTP request: .*ECONNREFUSED.*will retry/)
    const server = await startServer(undefined, probe.port)
    await exporter.forceFlush()
    assert.deepEqual(
      server.requests.flatMap(({ bytes }) => metricNames(bytes)),
      ['a', 'b'],
    )
  })

  test('of a kept connection that the backend just closed costs no wait and no word', async () => {
    const server = await startServer((index) => (index === 1 ? 'reset' : {}))
    const { exporter, statuses, metric } = await startExporter({
      endpoint: server.endpoint,
      retry_on_failure: { initial_interval: '1h', max_interval: '1h', max_elapsed_time: 0 },
    })
    for (const name of ['a', 'b']) {
      await exportBatch(exporter, makeBatch(name))
      await exporter.forceFlush()
    }
    assert.deepEqual(
      server.requests.flatMap(({ bytes }) => metricNames(bytes)),
      ['a', 'b', 'b'],
    )
    assert.equal(await metric(SENT), 2)
    assert.deepEqual(statuses, [])
  })

  test('to speak HTTP is retried', async () => {
    const sockets = new Set<Socket>()
    const tcp = createTcpServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined).write('SSH-2.0-OpenSSH\r\n')
    })
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
    cleanUps.push(() => {
      tcp.close()
      for (const socket of sockets) socket.destroy()
    })
    const { port } = tcp.address() as { port: number }
    const { exporter, statuses } = await startExporter({ endpoint: `http://127.0.0.1:${port}` })
    await exportBatch(exporter, makeBatch('m'))
    await sleep(200)
    assert.match(statuses[0]!.detail!, /Parse Error.*will retry/)
  })

  test('never holds up the end: a stop ends the wait and the attempt', async () => {
    for (const reply of [{ status: 503, headers: { 'retry-after': '3600' } }, 'hang'] as const) {
      const server = await startServer(() => reply)
      const { exporter } = await startExporter({ endpoint: server.endpoint, timeout: 0 })
      await exportBatch(exporter, makeBatch('m'))
      await sleep(50)
      const began = performance.now()
      await exporter.stop()
      assert.ok(performance.now() - began < 5000)
      await sleep(50)
      assert.equal(server.sockets.size, 0)
    }
  })
})
