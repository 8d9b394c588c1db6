import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { factory } from '../../src/exporters/otlp_http/index.ts'
import { createCertificates, noCertificates } from './certificates.ts'
import { eventually } from './child.ts'
import { buildCollector, type Collector, freePorts, startCollector } from './collector.ts'
import { expectedPoints, startExporter } from './exporting.ts'
import { type Point, pointsOf, seriesKey } from './otlp-json.ts'
import { sampleCycle } from './sample-data.ts'

const built = await buildCollector()
const noOpenssl = await noCertificates()

interface HttpCollector extends AsyncDisposable {
  readonly collector: Collector
  /** host:port of OTLP/HTTP. */
  readonly address: string
}

/** A Collector that takes OTLP over HTTP too, these settings laid over its receiver's. */
async function startHttpCollector(http: object = {}, at?: string): Promise<HttpCollector> {
  const directory = await mkdtemp(join(tmpdir(), 'netvitals-otlp-http-'))
  const address = at ?? `127.0.0.1:${(await freePorts()).otlp}`
  const configFile = join(directory, 'http.yaml')
  await writeFile(
    configFile,
    JSON.stringify({ receivers: { otlp: { protocols: { http: { endpoint: address, ...http } } } } }),
  )
  const collector = await startCollector({ binary: built.path ?? '', configFile })
  return {
    collector,
    address,
    [Symbol.asyncDispose]: async () => {
      await collector[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function arrived(collector: Collector, count: number): Promise<Point[]> {
  return eventually(
    `${count} points in the file exporter's output`,
    async () => {
      const points = pointsOf(await collector.lines())
      return points.length >= count ? points : undefined
    },
    40_000,
  )
}

function cycle(containers: number, destinations: number, base = 0) {
  return sampleCycle({ containers, destinations, base, nowSeconds: Math.floor(Date.now() / 1000) })
}

/** Everything that was sent, as it was sent. */
function assertSame(points: readonly Point[], expected: ReadonlyMap<string, Point>): void {
  assert.equal(points.length, expected.size)
  for (const point of points) {
    const sent = expected.get(seriesKey(point))
    assert.ok(sent, `a series that was never sent: ${seriesKey(point)}`)
    // A gauge has no start: OTLP lets it be given or not.
    assert.deepEqual(point.kind === 'gauge' ? { ...point, startTimeUnixNano: sent.startTimeUnixNano } : point, sent)
  }
}

describe('otlp_http and a real Collector', { skip: built.skip ?? false }, () => {
  for (const config of [
    { encoding: 'proto', compression: 'gzip' },
    { encoding: 'proto', compression: 'zstd' },
    { encoding: 'proto', compression: 'deflate' },
    { encoding: 'proto', compression: 'zlib' },
    { encoding: 'proto', compression: 'none' },
    { encoding: 'json', compression: 'gzip' },
  ]) {
    it(`brings every point as it was, as ${config.encoding} with ${config.compression}`, async () => {
      await using backend = await startHttpCollector()
      await using sender = await startExporter({ endpoint: `http://${backend.address}`, ...config }, factory)
      const batch = cycle(3, 4)
      await sender.send(batch)
      const expected = expectedPoints(batch)
      assertSame(await arrived(backend.collector, expected.size), expected)
      assert.deepEqual([sender.reports, sender.logged], [[], []])
    })
  }

  for (const encoding of ['proto', 'json']) {
    it(`is taken where the limit on a request is far below a batch, as ${encoding}`, async () => {
      const limit = 100_000
      await using backend = await startHttpCollector({ max_request_body_size: limit })
      await using sender = await startExporter(
        { endpoint: `http://${backend.address}`, encoding, max_request_bytes: limit },
        factory,
      )
      const batch = cycle(10, 20)
      await sender.send(batch)
      const expected = expectedPoints(batch)
      assertSame(await arrived(backend.collector, expected.size), expected)
      assert.deepEqual(sender.logged, [])
    })
  }

  it('delivers in order what was sent while the Collector was down', async () => {
    const { address, [Symbol.asyncDispose]: stop } = await startHttpCollector()
    await stop()
    await using sender = await startExporter(
      { endpoint: `http://${address}`, retry_on_failure: { initial_interval: '100ms', max_interval: '500ms' } },
      factory,
    )
    const batches = [1, 2, 3].map((n) => cycle(1, 2, n * 1000))
    for (const batch of batches) await sender.send(batch)
    await eventually('a word about it', () => sender.reports.some((line) => / delivery down /.test(line)) || undefined)
    await using backend = await startHttpCollector({}, address)
    const expected = batches.flatMap((batch) => [...expectedPoints(batch).values()].map(({ value }) => value))
    const points = await arrived(backend.collector, expected.length)
    assert.deepEqual(
      points.map(({ value }) => value),
      expected,
    )
  })

  it('speaks TLS, each side known to the other', { skip: noOpenssl ?? false }, async () => {
    await using certificates = await createCertificates()
    const { server, client, caFile } = certificates
    await using backend = await startHttpCollector({
      tls: { cert_file: server.certFile, key_file: server.keyFile, client_ca_file: caFile },
    })
    const tls = { ca_file: caFile, cert_file: client.certFile, key_file: client.keyFile }
    await using sender = await startExporter({ endpoint: `https://${backend.address}`, tls }, factory)
    const batch = cycle(1, 2)
    await sender.send(batch)
    const expected = expectedPoints(batch)
    assertSame(await arrived(backend.collector, expected.size), expected)
  })

  it('tells deltas that the Collector takes as such', async () => {
    await using backend = await startHttpCollector()
    const config = { endpoint: `http://${backend.address}`, temporality_preference: 'delta' }
    await using sender = await startExporter(config, factory)
    // Began a second from now: after the exporter.
    const nowSeconds = Math.floor(Date.now() / 1000) + 3601
    const first = sampleCycle({ containers: 1, destinations: 2, nowSeconds })
    const second = sampleCycle({ containers: 1, destinations: 2, nowSeconds: nowSeconds + 10, base: 7 })
    for (const resource of second) {
      for (const metric of resource.scopeMetrics[0]!.metrics) {
        for (const [i, point] of metric.dataPoints.entries()) {
          Object.assign(point, { startTime: startOf(first, metric.descriptor.name, i) })
        }
      }
    }
    await sender.send(first)
    await sender.send(second)
    const points = await arrived(backend.collector, 2 * expectedPoints(first).size)
    const sums = points.filter(({ monotonic }) => monotonic)
    assert.ok(sums.length > 10)
    assert.deepEqual(new Set(sums.map(({ temporality }) => temporality)), new Set([1]))
    const rest = points.filter(({ monotonic }) => !monotonic)
    assert.deepEqual(new Set(rest.map(({ temporality }) => temporality)), new Set([0, 2]))
    const expected = new Map([...expectedPoints(second)].map(([key, { value }]) => [key, value]))
    const told = new Map<string, number>()
    for (const point of sums) told.set(seriesKey(point), (told.get(seriesKey(point)) ?? 0) + point.value)
    for (const [key, value] of told) assert.equal(value, expected.get(key), key)
  })

  function startOf(batch: ReturnType<typeof cycle>, name: string, i: number) {
    const [resource] = batch
    return resource!.scopeMetrics[0]!.metrics.find(({ descriptor }) => descriptor.name === name)!.dataPoints[i]!
      .startTime
  }
})
