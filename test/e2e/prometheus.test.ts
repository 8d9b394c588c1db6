import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prometheusName } from '../receivers/netvitals/metrics/prometheus-names.ts'
import { backendConfig, startBackendExporter } from './backend-exporter.ts'
import { eventually } from './child.ts'
import { createContainers, noContainers } from './containers.ts'
import { expectedPoints } from './exporting.ts'
import type { Point } from './otlp-json.ts'
import { ready, startProgram } from './program.ts'
import { type QueriedSeries, startPrometheus } from './prometheus.ts'
import { buildPrometheus } from './prometheus-build.ts'
import { attributeLabels } from './prometheus-names.ts'
import { PROMETHEUS_NAMES, sampleCycle } from './sample-data.ts'

const built = await buildPrometheus()
const binary = built.path ?? ''
const CONFIG = backendConfig('prometheus')
const OURS = '{__name__=~"container_net_.+|netvitals_.+"}'

const startConfigured = (url: string, over: object = {}) =>
  startBackendExporter('prometheus', { PROMETHEUS_OTLP_ENDPOINT: `${url}/api/v1/otlp` }, over)

function cycle(nowSeconds: number, base = 0) {
  return sampleCycle({ containers: 4, destinations: 5, nowSeconds, base })
}

/** What tells a series apart at Prometheus: its name and every label. */
function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, Object.entries(labels).sort()])
}

function expectedKey(point: Point): string {
  const { name, unit, kind: type, monotonic, resource } = point
  const labels = {
    ...attributeLabels(point),
    job: String(resource['service.name']),
    instance: String(resource['service.instance.id']),
  }
  return keyOf(prometheusName({ name, unit, type, monotonic }), labels)
}

function foundKey({ labels }: QueriedSeries): string {
  const { __name__: name, otel_scope_name, otel_scope_version, otel_scope_schema_url, ...rest } = labels
  return keyOf(name!, rest)
}

describe('otlp_http and a real Prometheus', { skip: built.skip ?? false }, () => {
  it('makes a series of each point, with its name, labels, value and time; NaN stays NaN', async () => {
    await using prometheus = await startPrometheus(binary)
    await using sender = await startConfigured(prometheus.url)
    const nowSeconds = Math.floor(Date.now() / 1000)
    const batch = cycle(nowSeconds)
    await sender.send(batch)
    const expected = [...expectedPoints(batch).values()]
    const found = await eventually('every series', async () => {
      const series = await prometheus.query(OURS)
      return series.length >= expected.length ? series : undefined
    })
    const values = new Map(expected.map((point) => [expectedKey(point), point.value]))
    assert.equal(values.size, expected.length, 'two points of the sample would be one series')
    assert.deepEqual(found.map(foundKey).sort(), [...values.keys()].sort())
    for (const series of found) {
      assert.equal(series.value, values.get(foundKey(series)), foundKey(series))
      assert.equal(series.atMs, nowSeconds * 1000 + 123)
    }
    assert.ok(found.some(({ value }) => Number.isNaN(value)))
    assert.deepEqual([sender.reports, sender.logged], [[], []])
  })

  it('has the names that operators query, and no two containers in one series', async () => {
    await using prometheus = await startPrometheus(binary)
    await using sender = await startConfigured(prometheus.url)
    const batch = cycle(Math.floor(Date.now() / 1000))
    await sender.send(batch)
    for (const name of Object.values(PROMETHEUS_NAMES)) {
      const series = await eventually(name, async () => {
        const found = await prometheus.query(name)
        return found.length > 0 ? found : undefined
      })
      assert.equal(new Set(series.map(({ labels }) => labels.instance)).size, batch.length, name)
    }
    const info = await prometheus.query('target_info')
    assert.equal(info.length, batch.length)
    assert.ok(info.every(({ labels }) => labels.container_id === labels.instance))
  })

  it('takes cycle after cycle, each in many requests, in order', async () => {
    await using prometheus = await startPrometheus(binary)
    await using sender = await startConfigured(prometheus.url, { max_request_bytes: 8192 })
    const nowSeconds = Math.floor(Date.now() / 1000) - 30
    for (let n = 0; n < 4; n++) await sender.send(cycle(nowSeconds + n * 10, n * 10_000))
    const last = new Map(
      [...expectedPoints(cycle(nowSeconds + 30, 30_000)).values()].map((point) => [expectedKey(point), point.value]),
    )
    await eventually('the last cycle', async () => {
      const found = await prometheus.query(OURS)
      const arrived = found.filter(({ atMs }) => atMs === (nowSeconds + 30) * 1000 + 123)
      return arrived.length === last.size || undefined
    })
    for (const series of await prometheus.query(OURS)) assert.equal(series.value, last.get(foundKey(series)))
    assert.deepEqual(sender.logged, [])
  })

  it('says why when Prometheus refuses deltas', async () => {
    await using prometheus = await startPrometheus(binary)
    await using sender = await startConfigured(prometheus.url, { temporality_preference: 'delta' })
    await sender.send(cycle(Math.floor(Date.now() / 1000)))
    await eventually(
      'a word',
      () => sender.logged.some((line) => /HTTP Status Code 500: invalid temporality/.test(line)) || undefined,
    )
  })
})

const noHost = noContainers()

describe('netvitals and a real Prometheus', { skip: noHost ?? built.skip ?? false }, () => {
  it('shows a container’s connects, with otel-config/backends/prometheus.yaml as it stands', async () => {
    await using prometheus = await startPrometheus(binary)
    await using containers = createContainers()
    await using program = startProgram(
      ['--config', CONFIG, '--config', 'yaml:receivers::netvitals::collection_interval: 1s'],
      { env: { PROMETHEUS_OTLP_ENDPOINT: `${prometheus.url}/api/v1/otlp` } },
    )
    await ready(program)
    const { client, server } = containers
    await server.start('serve', '8080').output(/listening/)
    await client.start('connect', server.address, '8080', '20', '100', '0').exit
    // The address alone may be that of another on this host, in networks of its own.
    const labels = `instance="${client.id}", direction="outbound", destination_address="${server.address}"`
    const selector = `container_net_tcp_successful_connects_total{${labels}}`
    const [series] = await eventually('the connects of the client', async () => {
      const found = await prometheus.query(selector)
      return found.length > 0 && found[0]!.value === 20 ? found : undefined
    })
    const [info] = await prometheus.query(`target_info{instance="${series!.labels.instance}"}`)
    assert.equal(info?.labels.container_id, client.id)
    assert.equal((await program.stop()).code, 0)
    assert.doesNotMatch(program.stderr(), /\t(warn|error|fatal)\t/)
  })
})
