import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createCertificates, noCertificates } from './certificates.ts'
import { eventually } from './child.ts'
import { buildCollector, type Collector, freePorts, startCollector } from './collector.ts'
import { countingProxy, expectedPoints, startExporter } from './exporting.ts'
import { type Point, pointsOf, seriesKey } from './otlp-json.ts'
import { parsePage } from './prometheus-text.ts'
import { PROMETHEUS_NAMES, SERIES_PER_DESTINATION, sampleCycle } from './sample-data.ts'

const built = await buildCollector()
const binary = built.path ?? ''
const PLAIN = { tls: { insecure: true } }
const FAST_RETRY = { retry_on_failure: { initial_interval: '100ms', max_interval: '500ms' } }

/** The points that arrived, once they are as many as expected. */
function arrived(collector: Collector, count: number, timeoutMs = 20_000): Promise<Point[]> {
  return eventually(
    `${count} points in the file exporter's output`,
    async () => {
      const points = pointsOf(await collector.lines())
      return points.length >= count ? points : undefined
    },
    timeoutMs,
  )
}

function cycle(containers: number, destinations: number, base = 0) {
  return sampleCycle({ containers, destinations, base, nowSeconds: Math.floor(Date.now() / 1000) })
}

/** The same lines, in any order; shows a few of those that differ. */
function assertSame(found: readonly string[], expected: readonly string[]) {
  const less = (from: readonly string[], what: readonly string[]) => {
    const without = new Set(what)
    return from.filter((line) => !without.has(line)).slice(0, 5)
  }
  assert.deepEqual(
    { missing: less(expected, found), unexpected: less(found, expected) },
    { missing: [], unexpected: [] },
  )
  assert.equal(found.length, expected.length)
}

describe('otlp_grpc and a real Collector', { skip: built.skip ?? false }, () => {
  it('brings every series with its name, unit, kind, attributes, resource, times and value', async () => {
    await using collector = await startCollector({ binary })
    await using sender = await startExporter({ endpoint: collector.endpoint, ...PLAIN })
    const batch = cycle(3, 4)
    const expected = expectedPoints(batch)
    await sender.send(batch)

    const points = await arrived(collector, expected.size)
    assert.equal(points.length, expected.size)
    for (const point of points) {
      const key = seriesKey(point)
      const sent = expected.get(key)
      assert.ok(sent, `a series that was never sent: ${key}`)
      // A gauge has no start: OTLP lets it be given or not.
      assert.deepEqual(point.kind === 'gauge' ? { ...point, startTimeUnixNano: sent.startTimeUnixNano } : point, sent)
      expected.delete(key)
    }
    assert.equal(expected.size, 0)
  })

  it('keeps NaN, the value of a probe without an answer', async () => {
    await using collector = await startCollector({ binary })
    await using sender = await startExporter({ endpoint: collector.endpoint, ...PLAIN })
    await sender.send(cycle(1, 2))

    await arrived(collector, 2 * SERIES_PER_DESTINATION)
    assert.match(JSON.stringify(await collector.lines()), /"asDouble":"NaN"/)
    const latency = parsePage(await collector.metricsPage()).filter(
      ({ name }) => name === 'container_net_latency_seconds',
    )
    assert.deepEqual(latency.map(({ labels, value }) => [labels.destination_address, value]).sort(), [
      ['10.0.0.0', 0],
      ['2001:db8::1', Number.NaN],
    ])
  })

  for (const resourceToTelemetry of [false, true]) {
    const how = resourceToTelemetry ? 'with resource attributes as labels' : 'by job and instance alone'
    it(`gives Prometheus the names that operators know and no two containers in one series, ${how}`, async () => {
      await using collector = await startCollector({ binary, resourceToTelemetry })
      await using sender = await startExporter({ endpoint: collector.endpoint, ...PLAIN })
      const batch = cycle(4, 3)
      const expected = expectedPoints(batch)
      await sender.send(batch)
      await arrived(collector, expected.size)

      const samples = parsePage(await collector.metricsPage()).filter(({ name }) => name !== 'target_info')
      const found = samples.map(({ name, labels, value }) => [name, labels.instance, labels.job, value].join(' '))
      const sent = [...expected.values()].map(({ name, resource, value }) =>
        [PROMETHEUS_NAMES[name], resource['service.instance.id'], resource['service.name'], value].join(' '),
      )
      assertSame(found, sent)
      for (const { labels } of samples) {
        assert.equal(labels.container_id, resourceToTelemetry ? labels.instance : undefined)
      }
    })
  }

  it('brings 60,000 series of one cycle whole, in requests that the Collector takes', async () => {
    await using collector = await startCollector({ binary })
    await using sender = await startExporter({ endpoint: collector.endpoint, ...PLAIN })
    const batch = cycle(60, 63)
    const expected = expectedPoints(batch)
    assert.ok(expected.size > 60_000)
    await sender.send(batch)

    const points = await arrived(collector, expected.size, 60_000)
    assert.equal(points.length, expected.size)
    for (const point of points) {
      const key = seriesKey(point)
      const sent = expected.get(key)
      assert.ok(sent, `twice, or never sent: ${key}`)
      assert.equal(point.timeUnixNano, sent.timeUnixNano)
      assert.ok(Object.is(point.value, sent.value), key)
      expected.delete(key)
    }
    const requests = await collector.lines()
    assert.ok(requests.length > 1, 'one request of more than 4 MiB would have been refused')
  })

  it('brings one container with more series than a request holds', async () => {
    await using collector = await startCollector({ binary })
    await using sender = await startExporter({ endpoint: collector.endpoint, ...PLAIN })
    const batch = cycle(1, 1500)
    await sender.send(batch)
    const expected = expectedPoints(batch)
    const points = await arrived(collector, expected.size, 60_000)
    assertSame(points.map(seriesKey), [...expected.keys()])
  })

  it('delivers what was sent before the Collector was there', async () => {
    const ports = await freePorts()
    await using sender = await startExporter({ endpoint: `127.0.0.1:${ports.otlp}`, ...PLAIN, ...FAST_RETRY })
    const batch = cycle(2, 2)
    const sending = sender.send(batch)
    await new Promise((resolve) => setTimeout(resolve, 500))
    await using collector = await startCollector({ binary, ports })
    await sending
    const points = await arrived(collector, expectedPoints(batch).size)
    assert.equal(points.length, expectedPoints(batch).size)
  })

  it('goes on through a restart of the Collector, each cycle once and in order', async () => {
    const ports = await freePorts()
    const endpoint = `127.0.0.1:${ports.otlp}`
    await using sender = await startExporter({ endpoint, ...PLAIN, ...FAST_RETRY })
    const cycles = [0, 10_000, 20_000, 30_000].map((base) => cycle(2, 2, base))
    const size = expectedPoints(cycles[0]!).size
    {
      await using first = await startCollector({ binary, ports })
      await sender.send(cycles[0]!)
      const before = await arrived(first, size)
      assert.equal(before.length, size)
    }
    const away = [sender.send(cycles[1]!), sender.send(cycles[2]!)]
    await using second = await startCollector({ binary, ports })
    await Promise.all(away)
    await sender.send(cycles[3]!)
    const after = await arrived(second, 3 * size)
    assert.equal(after.length, 3 * size)
    const connects = after
      .filter(({ name }) => name === 'container.net.tcp.segments_sent')
      .map(({ value }) => Math.floor(value / 10_000))
    assert.deepEqual(connects, [...Array(4).fill(1), ...Array(4).fill(2), ...Array(4).fill(3)])
  })

  it('compresses with gzip unless told not to', async () => {
    await using collector = await startCollector({ binary })
    const bytesWith = async (config: object) => {
      using proxy = await countingProxy(collector.ports.otlp)
      await using sender = await startExporter({ endpoint: proxy.endpoint, ...PLAIN, ...config })
      await sender.send(cycle(4, 50))
      await sender.exporter.forceFlush()
      return proxy.bytes()
    }
    const plain = await bytesWith({ compression: 'none' })
    const gzipped = await bytesWith({ compression: 'gzip' })
    const byDefault = await bytesWith({})
    const points = 4 * 50 * SERIES_PER_DESTINATION
    await arrived(collector, 3 * points)
    assert.ok(plain > 100 * points, `${plain} bytes for ${points} points`)
    assert.ok(gzipped < plain / 5, `${gzipped} bytes gzipped, ${plain} plain`)
    assert.ok(Math.abs(byDefault - gzipped) < gzipped / 10, `${byDefault} bytes by default, ${gzipped} gzipped`)
  })
})

describe('otlp_grpc over TLS to a real Collector', { skip: built.skip ?? (await noCertificates()) ?? false }, () => {
  it('trusts the authority of ca_file, by address and by name', async () => {
    await using certificates = await createCertificates()
    const { caFile, server } = certificates
    await using collector = await startCollector({
      binary,
      tls: { cert_file: server.certFile, key_file: server.keyFile },
    })
    for (const host of ['127.0.0.1', 'localhost']) {
      await using sender = await startExporter({
        endpoint: `${host}:${collector.ports.otlp}`,
        tls: { ca_file: caFile },
      })
      await sender.send(cycle(1, 1))
    }
    await arrived(collector, 2 * SERIES_PER_DESTINATION)
  })

  it('shows its own certificate to a Collector that asks for one', async () => {
    await using certificates = await createCertificates()
    const { caFile, server, client } = certificates
    await using collector = await startCollector({
      binary,
      tls: { cert_file: server.certFile, key_file: server.keyFile, client_ca_file: caFile },
    })
    await using sender = await startExporter({
      endpoint: collector.endpoint,
      tls: { ca_file: caFile, cert_file: client.certFile, key_file: client.keyFile },
    })
    await sender.send(cycle(1, 1))
    await arrived(collector, SERIES_PER_DESTINATION)
  })

  it('sends nothing to a Collector that it cannot trust, and nothing in the clear to one with TLS', async () => {
    await using certificates = await createCertificates()
    const { otherCaFile, server } = certificates
    await using collector = await startCollector({
      binary,
      tls: { cert_file: server.certFile, key_file: server.keyFile },
    })
    for (const [tls, why] of [
      [{ ca_file: otherCaFile }, /certificate/],
      [{}, /certificate/],
      [{ insecure: true }, /UNAVAILABLE/],
    ] as const) {
      await using sender = await startExporter({
        endpoint: collector.endpoint,
        tls,
        retry_on_failure: { enabled: false },
        sending_queue: { enabled: false },
        timeout: '2s',
      })
      await assert.rejects(sender.send(cycle(1, 1)), JSON.stringify(tls))
      assert.match(sender.logged.join(''), why)
    }
    await collector.stop()
    assert.deepEqual(await collector.lines(), [])
  })

  it('takes any certificate when told insecure_skip_verify', async () => {
    await using certificates = await createCertificates()
    const { server } = certificates
    await using collector = await startCollector({
      binary,
      tls: { cert_file: server.certFile, key_file: server.keyFile },
    })
    await using sender = await startExporter({ endpoint: collector.endpoint, tls: { insecure_skip_verify: true } })
    await sender.send(cycle(1, 1))
    await arrived(collector, SERIES_PER_DESTINATION)
  })
})
