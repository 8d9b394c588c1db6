import assert from 'node:assert/strict'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import type { Exporter } from '../../../src/component/types.ts'
import { factory } from '../../../src/exporters/otlp_grpc/index.ts'
import { createHarness, exportBatch, makeBatch } from '../harness.ts'
import { metricNames, type Reply, startMetricsServer } from '../metrics-server.ts'
import { encodeResponse, flatten } from '../sending/otlp.ts'

const SENT = 'otelcol_exporter_sent_metric_points'
const FAILED = 'otelcol_exporter_send_failed_metric_points'
const REFUSED = 'otelcol_exporter_enqueue_failed_metric_points'
const OK = encodeResponse()

const QUICK_RETRY = { initial_interval: '20ms', max_interval: '20ms', randomization_factor: 0 }

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function startServer(reply?: (index: number) => Reply, address?: string) {
  const server = await startMetricsServer({ ...(reply ? { reply } : {}), ...(address ? { address } : {}) })
  cleanUps.push(server.stop)
  return server
}

async function startExporter(endpoint: string, config: object = {}) {
  const harness = createHarness()
  const parsed = factory.config.parse({ endpoint, tls: { insecure: true }, retry_on_failure: QUICK_RETRY, ...config })
  const exporter = factory.create(harness.settings, parsed)
  await exporter.start(harness.host)
  cleanUps.push(() => exporter.stop())
  return { ...harness, exporter }
}

function errorReply(code: number, details = '', retryDelay?: { seconds: number; nanos: number }): Reply {
  const metadata = new grpc.Metadata()
  if (retryDelay !== undefined) metadata.set('grpc-status-details-bin', encodeStatus(code, retryDelay))
  return { code, details, metadata }
}

function encodeStatus(code: number, retryDelay: { seconds: number; nanos: number }): Buffer {
  const { root } = protobuf.parse(`syntax = "proto3";
    message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
    message Any { string type_url = 1; bytes value = 2; }
    message RetryInfo { Duration retry_delay = 1; }
    message Duration { int64 seconds = 1; int32 nanos = 2; }`)
  const [RetryInfo, Status] = [root.lookupType('RetryInfo'), root.lookupType('Status')]
  const value = RetryInfo.encode(RetryInfo.fromObject({ retryDelay })).finish()
  const other = { typeUrl: 'type.googleapis.com/google.rpc.Help', value: Buffer.from([0x0a, 0]) }
  const info = { typeUrl: 'type.googleapis.com/google.rpc.RetryInfo', value }
  return Buffer.from(Status.encode(Status.fromObject({ code, message: 'm', details: [other, info] })).finish())
}

async function exportAll(exporter: Exporter, names: readonly string[]) {
  return Promise.all(names.map((name) => exportBatch(exporter, makeBatch(name))))
}

describe('delivery', () => {
  test('what goes in arrives, with headers and the program’s name', async () => {
    const server = await startServer()
    const { exporter, metric, lines, statuses } = await startExporter(server.endpoint, {
      headers: { 'X-Scope-OrgID': 'team a', 'trace-bin': '\u00ff' },
    })
    assert.deepEqual(await exportBatch(exporter, makeBatch('m', 3)), { code: 0 })
    await exporter.forceFlush()
    const [request] = server.requests
    assert.deepEqual(metricNames(request!.bytes), ['m'])
    assert.equal(flatten([request!.bytes]).length, 3)
    assert.deepEqual(request!.metadata.get('x-scope-orgid'), ['team a'])
    assert.deepEqual(request!.metadata.get('trace-bin'), [Buffer.from('\u00ff')])
    assert.match(String(request!.metadata.get('user-agent')), /^netvitals\/1\.2\.3 /)
    assert.equal(await metric(SENT), 3)
    assert.deepEqual([lines, statuses], [[], []])
  })

  test('batches leave in order, one after the other, also while the first is retried', async () => {
    const server = await startServer((index) => (index < 2 ? errorReply(grpc.status.UNAVAILABLE) : OK))
    const { exporter, metric } = await startExporter(server.endpoint)
    await exportAll(exporter, ['a', 'b', 'c', 'd'])
    await exporter.forceFlush()
    assert.deepEqual(
      server.requests.map(({ bytes }) => metricNames(bytes)[0]),
      ['a', 'a', 'a', 'b', 'c', 'd'],
    )
    assert.equal(await metric(SENT), 4)
  })

  test('a batch above max_request_bytes arrives whole and in order, no request above it', async () => {
    const server = await startServer()
    const { exporter, metric } = await startExporter(server.endpoint, { max_request_bytes: '16KiB' })
    await exportBatch(exporter, makeBatch('large', 2000))
    await exporter.forceFlush()
    assert.ok(server.requests.length > 5)
    for (const { bytes } of server.requests) assert.ok(bytes.length <= 16 * 1024)
    const values = flatten(server.requests.map(({ bytes }) => bytes)).map((entry) =>
      Number((entry as { point: { asInt: string } }).point.asInt),
    )
    assert.deepEqual(values, [...Array(2000).keys()])
    assert.equal(await metric(SENT), 2000)
  })

  test('a point too large for any request is counted as failed and said once; the rest arrives', async () => {
    const server = await startServer()
    const { exporter, metric, lines } = await startExporter(server.endpoint, { max_request_bytes: 1024 })
    const [resource] = makeBatch('m', 2)
    const [point] = resource!.scopeMetrics[0]!.metrics[0]!.dataPoints
    Object.assign(point!, { attributes: { note: 'x'.repeat(2000) } })
    await exportAll(exporter, [])
    await exportBatch(exporter, [resource!])
    await exportBatch(exporter, [resource!])
    await exporter.forceFlush()
    assert.deepEqual([await metric(SENT), await metric(FAILED)], [2, 2])
    assert.equal(lines.filter(({ msg }) => /larger than max_request_bytes/.test(String(msg))).length, 1)
  })

  test('a backend that is down at the start gets everything, in order, when it comes up', async () => {
    const probe = await startMetricsServer()
    const { port } = probe
    probe.stop()
    const { exporter, statuses, metric } = await startExporter(`127.0.0.1:${port}`)
    await exportAll(exporter, ['a', 'b'])
    await sleep(300)
    assert.partialDeepStrictEqual(statuses, [{ part: 'delivery', status: 'down' }])
    assert.match(statuses[0]!.detail!, /UNAVAILABLE: .*ECONNREFUSED.*will retry/)
    const server = await startServer(undefined, `127.0.0.1:${port}`)
    await server.received(2)
    await exporter.forceFlush()
    assert.deepEqual(
      server.requests.map(({ bytes }) => metricNames(bytes)[0]),
      ['a', 'b'],
    )
    assert.deepEqual(
      statuses.map(({ status }) => status),
      ['down', 'ok'],
    )
    assert.equal(await metric(FAILED), undefined)
  })

  test('a backend that restarts loses nothing', async () => {
    const first = await startServer()
    const { exporter, metric } = await startExporter(first.endpoint)
    await exportBatch(exporter, makeBatch('a'))
    await exporter.forceFlush()
    first.stop()
    await exportBatch(exporter, makeBatch('b'))
    await sleep(100)
    const second = await startServer(undefined, first.endpoint)
    await second.received(1)
    await exporter.forceFlush()
    assert.deepEqual(metricNames(second.requests[0]!.bytes), ['b'])
    assert.deepEqual([await metric(SENT), await metric(FAILED)], [2, undefined])
  })

  test('wait_for_ready lets an attempt wait for the connection', async () => {
    const probe = await startMetricsServer()
    probe.stop()
    const { exporter } = await startExporter(probe.endpoint, {
      wait_for_ready: true,
      retry_on_failure: { enabled: false },
      sending_queue: { wait_for_result: true },
      timeout: '20s',
    })
    const result = exportBatch(exporter, makeBatch('a'))
    await sleep(100)
    await startServer(undefined, probe.endpoint)
    assert.deepEqual(await result, { code: 0 })
  })

  test('gzip is on by default and off with compression: none', async () => {
    for (const compression of [undefined, 'none'] as const) {
      const { endpoint, received } = await startRawServer()
      const { exporter } = await startExporter(endpoint, compression === undefined ? {} : { compression })
      await exportBatch(exporter, makeBatch('m', 500))
      await exporter.forceFlush()
      const { headers, body } = await received
      assert.equal(headers['grpc-encoding'], compression === undefined ? 'gzip' : undefined)
      assert.equal(body[0], compression === undefined ? 1 : 0)
      const message = body.subarray(5)
      assert.deepEqual(metricNames(compression === undefined ? gunzipSync(message) : message), ['m'])
    }
  })

  /** A backend below gRPC, that shows the frames as they came. */
  async function startRawServer() {
    const { promise, resolve } = Promise.withResolvers<{ headers: Record<string, unknown>; body: Buffer }>()
    const server = createHttp2Server()
    server.on('stream', (stream, headers) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        resolve({ headers, body: Buffer.concat(chunks) })
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        stream.end(Buffer.alloc(5))
      })
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    cleanUps.push(() => server.close())
    return { endpoint: `127.0.0.1:${(server.address() as { port: number }).port}`, received: promise }
  }
})

describe('failures', () => {
  test('each status code is retried or given up as the protocol says', async () => {
    const retried = ['CANCELLED', 'DEADLINE_EXCEEDED', 'ABORTED', 'OUT_OF_RANGE', 'UNAVAILABLE', 'DATA_LOSS']
    for (const name of Object.keys(grpc.status).filter((key) => Number.isNaN(Number(key)) && key !== 'OK')) {
      const code = grpc.status[name as keyof typeof grpc.status]
      const server = await startServer((index) => (index === 0 ? errorReply(code, 'why') : OK))
      const { exporter, metric, statuses, lines } = await startExporter(server.endpoint)
      await exportAll(exporter, ['a', 'b'])
      await exporter.forceFlush()
      const isRetried = retried.includes(name)
      const received = server.requests.map(({ bytes }) => metricNames(bytes)[0])
      assert.deepEqual(received, isRetried ? ['a', 'a', 'b'] : ['a', 'b'], name)
      assert.deepEqual([await metric(SENT), await metric(FAILED)], isRetried ? [2, undefined] : [1, 1], name)
      assert.match(statuses[0]!.detail!, new RegExp(`${name}: why`))
      assert.equal(lines.filter(({ level }) => level === 'error').length, isRetried ? 0 : 1, name)
    }
  })

  test('RESOURCE_EXHAUSTED is retried when the backend says when, and not before', async () => {
    const wait = { seconds: 0, nanos: 400_000_000 }
    const server = await startServer((index) =>
      index === 0 ? errorReply(grpc.status.RESOURCE_EXHAUSTED, '', wait) : OK,
    )
    const { exporter, metric } = await startExporter(server.endpoint)
    await exportBatch(exporter, makeBatch('a'))
    await server.received(1)
    const started = performance.now()
    await server.received(2)
    assert.ok(performance.now() - started >= 350)
    await exporter.forceFlush()
    assert.equal(await metric(SENT), 1)
  })

  test('a RetryInfo of zero means the normal back-off', async () => {
    const reply = errorReply(grpc.status.RESOURCE_EXHAUSTED, '', { seconds: 0, nanos: 0 })
    const server = await startServer((index) => (index === 0 ? reply : OK))
    const { exporter, metric } = await startExporter(server.endpoint)
    await exportBatch(exporter, makeBatch('a'))
    await exporter.forceFlush()
    assert.deepEqual([server.requests.length, await metric(SENT)], [2, 1])
  })

  test('an attempt without an answer ends at its deadline and is retried on a new connection', async () => {
    const peers = new Set<string>()
    const server = await startServer((index) => (index < 3 ? 'hang' : OK))
    const { exporter, metric, statuses } = await startExporter(await startRelay(server.port, peers), {
      timeout: '150ms',
    })
    await exportBatch(exporter, makeBatch('a'))
    await exporter.forceFlush()
    assert.equal(server.requests.length, 4)
    assert.equal(peers.size, 2)
    assert.match(statuses[0]!.detail!, /DEADLINE_EXCEEDED/)
    assert.equal(await metric(SENT), 1)
  })

  /** Passes bytes on to a port, and notes who connected. */
  async function startRelay(port: number, peers: Set<string>): Promise<string> {
    const { connect } = await import('node:net')
    const sockets: Socket[] = []
    const relay = createServer((socket) => {
      peers.add(String(socket.remotePort))
      const onward = connect(port, '127.0.0.1')
      sockets.push(socket, onward)
      for (const end of [socket, onward]) end.on('error', () => undefined)
      socket.pipe(onward).pipe(socket)
    })
    await new Promise<void>((listening) => relay.listen(0, '127.0.0.1', listening))
    cleanUps.push(() => {
      relay.close()
      for (const socket of sockets) socket.destroy()
    })
    return `127.0.0.1:${(relay.address() as { port: number }).port}`
  }

  test('a batch that fails for too long is given up, and the next one is sent', async () => {
    let isDown = true
    const server = await startServer(() => (isDown ? errorReply(grpc.status.UNAVAILABLE, 'busy') : OK))
    const { exporter, metric, lines } = await startExporter(server.endpoint, {
      retry_on_failure: { ...QUICK_RETRY, max_elapsed_time: '100ms' },
      sending_queue: { wait_for_result: true },
    })
    const lost = await exportBatch(exporter, makeBatch('a', 7))
    assert.match(lost.error!.message, /no more retries left: UNAVAILABLE: busy/)
    isDown = false
    assert.deepEqual(await exportBatch(exporter, makeBatch('b')), { code: 0 })
    assert.deepEqual([await metric(SENT), await metric(FAILED)], [1, 7])
    assert.equal(lines.filter(({ msg }) => msg === 'Exporting failed. Dropping data.').length, 1)
  })

  test('of a batch whose second request is refused for good, the others arrive', async () => {
    const server = await startServer((index) => (index === 1 ? errorReply(grpc.status.INVALID_ARGUMENT) : OK))
    const { exporter, metric } = await startExporter(server.endpoint, {
      max_request_bytes: 4096,
      sending_queue: { wait_for_result: true },
    })
    const { error } = await exportBatch(exporter, makeBatch('a', 200))
    assert.match(error!.message, /not retryable error: INVALID_ARGUMENT/)
    const [sent, failed] = [await metric(SENT), await metric(FAILED)]
    assert.equal(sent! + failed!, 200)
    assert.equal(failed, flatten([server.requests[1]!.bytes]).length)
  })

  test('a long outage is one line, its end another', async () => {
    let isDown = true
    const server = await startServer(() => (isDown ? errorReply(grpc.status.UNAUTHENTICATED, 'token') : OK))
    const { exporter, statuses, lines } = await startExporter(server.endpoint)
    await exportAll(exporter, ['a', 'b', 'c', 'd', 'e'])
    await exporter.forceFlush()
    isDown = false
    await exportAll(exporter, ['f', 'g'])
    await exporter.forceFlush()
    assert.deepEqual(
      statuses.map(({ status, detail }) => [status, detail]),
      [
        ['down', 'not retryable error: UNAUTHENTICATED: token; its data points are dropped'],
        ['ok', '5 data points were dropped'],
      ],
    )
    assert.equal(lines.length, 1)
  })

  test('a partial success counts as sent, is never retried and is said when it changes', async () => {
    const rejected = (message: string) => encodeResponse({ rejectedDataPoints: 2, errorMessage: message })
    const replies = [encodeResponse({}), rejected('old'), rejected('old'), rejected('late'), OK, OK]
    const server = await startServer((index) => replies[index]!)
    const { exporter, metric, lines } = await startExporter(server.endpoint)
    await exportAll(exporter, ['a', 'b', 'c', 'd', 'e', 'f'])
    await exporter.forceFlush()
    assert.equal(server.requests.length, 6)
    assert.deepEqual([await metric(SENT), await metric(FAILED)], [6, undefined])
    assert.deepEqual(
      lines.map(({ level, msg, message, dropped_data_points }) => [level, msg, message, dropped_data_points]),
      [
        ['warn', 'Partial success response', 'old', 2],
        ['warn', 'Partial success response', 'late', 2],
        ['info', 'The backend takes all data points again.', undefined, undefined],
      ],
    )
  })

  test('an answer that is no OTLP response is a failure that is not retried', async () => {
    const server = await startServer(() => Buffer.from([0x0f]))
    const { exporter, metric } = await startExporter(server.endpoint)
    await exportBatch(exporter, makeBatch('a'))
    await exporter.forceFlush()
    assert.deepEqual([server.requests.length, await metric(FAILED)], [1, 1])
  })

  test('a header that cannot be sent stops the start, its value unsaid', async () => {
    await assert.rejects(
      startExporter('localhost:1', { headers: { 'can you have a . here?': 's3cret' } }),
      (error: Error) =>
        /headers: "can you have a . here\?" cannot be sent/.test(error.message) && !/s3cret/.test(error.message),
    )
  })

  test('metrics that cannot be encoded are given up and the next batch is sent', async () => {
    const server = await startServer()
    const { exporter, metric } = await startExporter(server.endpoint)
    const [broken] = makeBatch('broken')
    Object.defineProperty(broken!.scopeMetrics[0]!.metrics[0], 'descriptor', {
      get() {
        throw new Error('gone')
      },
    })
    await exportBatch(exporter, [broken!])
    await exportBatch(exporter, makeBatch('a'))
    await exporter.forceFlush()
    assert.deepEqual([await metric(SENT), await metric(FAILED)], [1, 1])
  })
})

describe('queue', () => {
  test('a full queue refuses new batches, counts them and says so once; its gauges show it', async () => {
    const server = await startServer(() => 'hang')
    const { exporter, metric, statuses } = await startExporter(server.endpoint, { sending_queue: { queue_size: 2 } })
    const results = await exportAll(exporter, ['a', 'b', 'c', 'd'])
    assert.deepEqual(
      results.map(({ code }) => code),
      [0, 0, 1, 1],
    )
    assert.equal((results[2]!.error as Error & { code: string }).code, 'NETVITALS_QUEUE_FULL')
    assert.equal(await metric(REFUSED), 2)
    assert.equal(await metric('otelcol_exporter_queue_size'), 2)
    assert.equal(await metric('otelcol_exporter_queue_capacity'), 2)
    assert.equal(statuses.filter(({ part, status }) => part === 'queue' && status === 'down').length, 1)
  })

  test('the queue is well again once it has room', async () => {
    let isDown = true
    const server = await startServer(() => (isDown ? errorReply(grpc.status.UNAVAILABLE) : OK))
    const { exporter, statuses } = await startExporter(server.endpoint, { sending_queue: { queue_size: 2 } })
    await exportAll(exporter, ['a', 'b', 'c'])
    isDown = false
    await exporter.forceFlush()
    await exportAll(exporter, ['d'])
    await exporter.forceFlush()
    assert.deepEqual(
      statuses.filter(({ part }) => part === 'queue').map(({ status }) => status),
      ['down', 'ok'],
    )
  })

  test('the items sizer counts data points, and a batch that can never fit is refused with the key to change', async () => {
    const server = await startServer()
    const { exporter, metric } = await startExporter(server.endpoint, {
      sending_queue: { sizer: 'items', queue_size: 10 },
    })
    const { error } = await exportBatch(exporter, makeBatch('a', 11))
    assert.match(error!.message, /exporters::otlp_grpc::sending_queue: .*11 data points.*raise queue_size/)
    assert.deepEqual(await exportBatch(exporter, makeBatch('b', 10)), { code: 0 })
    await exporter.forceFlush()
    assert.deepEqual([await metric(SENT), await metric(REFUSED)], [10, 11])
  })

  test('the bytes sizer goes by what points take on the wire', async () => {
    const server = await startServer(() => 'hang')
    const { exporter, metric } = await startExporter(server.endpoint, {
      sending_queue: { sizer: 'bytes', queue_size: 100_000 },
    })
    assert.deepEqual(await exportBatch(exporter, makeBatch('a', 200)), { code: 0 })
    const size = await metric('otelcol_exporter_queue_size')
    assert.ok(size! > 10_000 && size! < 100_000, `${size} bytes`)
    assert.equal((await exportBatch(exporter, makeBatch('b', 200))).code, 1)
  })

  test('without a queue, and with wait_for_result, export reports how it ended', async () => {
    for (const sending_queue of [{ enabled: false }, { wait_for_result: true }]) {
      const server = await startServer((index) => (index === 0 ? OK : errorReply(grpc.status.NOT_FOUND, 'nobody')))
      const { exporter } = await startExporter(server.endpoint, { sending_queue })
      assert.deepEqual(await exportBatch(exporter, makeBatch('a')), { code: 0 })
      const { error } = await exportBatch(exporter, makeBatch('b'))
      assert.match(error!.message, /not retryable error: NOT_FOUND: nobody/)
    }
  })

  test('an empty batch succeeds and sends nothing', async () => {
    const server = await startServer()
    const { exporter } = await startExporter(server.endpoint, { sending_queue: { wait_for_result: true } })
    assert.deepEqual(await exportBatch(exporter, makeBatch('a', 0)), { code: 0 })
    assert.deepEqual(await exportBatch(exporter, []), { code: 0 })
    assert.equal(server.requests.length, 0)
  })
})

describe('stop', () => {
  test('sends what is queued', async () => {
    const server = await startServer()
    const { exporter, metric } = await startExporter(server.endpoint)
    await exportAll(exporter, ['a', 'b', 'c'])
    await exporter.stop()
    assert.equal(server.requests.length, 3)
    assert.equal(await metric(SENT), 3)
  })

  test('a wait for the next retry does not delay it: one more attempt, then it is given up', async () => {
    const server = await startServer(() => errorReply(grpc.status.UNAVAILABLE))
    const { exporter, metric } = await startExporter(server.endpoint, {
      retry_on_failure: { initial_interval: '60s', max_interval: '60s' },
    })
    await exportAll(exporter, ['a', 'b'])
    await server.received(1)
    await sleep(50)
    const started = performance.now()
    await exporter.stop()
    assert.ok(performance.now() - started < 2000)
    assert.deepEqual(
      server.requests.map(({ bytes }) => metricNames(bytes)[0]),
      ['a', 'a', 'b'],
    )
    assert.equal(await metric(FAILED), 2)
  })

  test('a backend that hangs costs less than 5 s; what is left is counted and said', async () => {
    const server = await startServer(() => 'hang')
    const { exporter, metric, lines } = await startExporter(server.endpoint, { timeout: '60s' })
    await exportBatch(exporter, makeBatch('a', 2))
    await exportBatch(exporter, makeBatch('b', 3))
    await server.received(1)
    const started = performance.now()
    await exporter.stop()
    assert.ok(performance.now() - started < 4800, 'stop took too long')
    assert.equal(await metric(FAILED), 5)
    assert.deepEqual(
      lines.map(({ msg, dropped_data_points }) => [msg, dropped_data_points]),
      [['Stopped before everything was sent.', 5]],
    )
  })

  test('is safe before a start and twice; afterwards batches are refused and counted', async () => {
    const { settings, metric } = createHarness()
    const exporter = factory.create(settings, factory.config.parse({ endpoint: 'localhost:1' }))
    assert.match((await exportBatch(exporter, makeBatch('a'))).error!.message, /is not running/)
    await exporter.stop()
    await exporter.stop()
    const { exporter: started } = await startExporter('localhost:1')
    await started.stop()
    await started.stop()
    assert.equal((await exportBatch(started, makeBatch('a'))).code, 1)
    assert.equal(await metric(REFUSED), 1)
  })
})
