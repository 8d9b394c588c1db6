import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prometheusName } from '../receivers/netvitals/metrics/prometheus-names.ts'
import { startBackendExporter } from './backend-exporter.ts'
import { eventually } from './child.ts'
import { expectedPoints } from './exporting.ts'
import { startVictoriaMetrics } from './prometheus.ts'
import { sampleCycle } from './sample-data.ts'

const binary = process.env.NETVITALS_TEST_VICTORIAMETRICS
const skip = binary
  ? false
  : 'NETVITALS_TEST_VICTORIAMETRICS names no VictoriaMetrics: apt-get install victoria-metrics (trixie)'

describe('otlp_http and a real VictoriaMetrics', { skip }, () => {
  it('makes a series of each point but NaN, with its name, its container, value and time', async () => {
    await using backend = await startVictoriaMetrics(binary!)
    await using sender = await startBackendExporter('victoriametrics', { VICTORIAMETRICS_ENDPOINT: backend.url })
    const nowSeconds = Math.floor(Date.now() / 1000)
    const batch = sampleCycle({ containers: 4, destinations: 5, nowSeconds })
    await sender.send(batch)
    const sent = [...expectedPoints(batch).values()]
    const expected = sent.filter(({ value }) => !Number.isNaN(value))
    assert.ok(expected.length < sent.length)
    const found = await eventually('every series', async () => {
      const series = await backend.query('{__name__=~"container_net_.+|netvitals_.+"}')
      return series.length >= expected.length ? series : undefined
    })
    const line = (name: string, container: unknown, value: number) => `${name} ${container} ${value}`
    assert.deepEqual(
      found.map(({ labels, value }) => line(labels.__name__!, labels.container_id, value)).sort(),
      expected
        .map(({ name, unit, kind: type, monotonic, resource, value }) =>
          line(prometheusName({ name, unit, type, monotonic }), resource['container.id'], value),
        )
        .sort(),
    )
    for (const { atMs } of found) assert.equal(atMs, nowSeconds * 1000 + 123)
    assert.deepEqual([sender.reports, sender.logged], [[], []])
  })

  it('takes deltas too', async () => {
    await using backend = await startVictoriaMetrics(binary!)
    const delta = { temporality_preference: 'delta' }
    await using sender = await startBackendExporter('victoriametrics', { VICTORIAMETRICS_ENDPOINT: backend.url }, delta)
    await sender.send(sampleCycle({ containers: 1, destinations: 2, nowSeconds: Math.floor(Date.now() / 1000) }))
    await eventually(
      'a series',
      async () => (await backend.query('container_net_tcp_rtt_seconds')).length > 0 || undefined,
    )
    assert.deepEqual(sender.logged, [])
  })
})
