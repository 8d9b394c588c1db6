import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { ValueType } from '@opentelemetry/api'
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics'
import { Outbound } from '../../../../src/receivers/netvitals/metrics/metrics.gen.ts'
import { CUMULATIVE, DOUBLE, GAUGE, INT, SUM } from '../../../../src/receivers/netvitals/metrics/plan.ts'
import { createResource } from '../../../../src/receivers/netvitals/metrics/resource.ts'
import { createStore } from '../../../../src/receivers/netvitals/metrics/store.ts'

test("the store's constants are the SDK's", () => {
  assert.deepEqual([GAUGE, SUM], [DataPointType.GAUGE, DataPointType.SUM])
  assert.equal(CUMULATIVE, AggregationTemporality.CUMULATIVE)
  assert.deepEqual([INT, DOUBLE], [ValueType.INT, ValueType.DOUBLE])
})

test('the store loads nothing of OpenTelemetry', () => {
  const store = new URL('../../../../src/receivers/netvitals/metrics/store.ts', import.meta.url)
  const script = `
    import { registerHooks } from 'node:module'
    registerHooks({ resolve(name, context, next) { if (name.includes('opentelemetry')) console.log(name); return next(name, context) } })
    await import(${JSON.stringify(store.href)})`
  assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }), '')
})

test("a resource merges as the SDK's does", () => {
  const [a, b] = [{ 'service.name': 'a', 'host.name': 'h' }, { 'service.name': 'b' }]
  const merged = createResource(a).merge(createResource(b))
  assert.deepEqual(
    { ...merged.attributes },
    { ...resourceFromAttributes(a).merge(resourceFromAttributes(b)).attributes },
  )
  assert.deepEqual(createResource(a).getRawAttributes(), resourceFromAttributes(a).getRawAttributes())
  assert.deepEqual(resourceFromAttributes(a).merge(createResource(b)).attributes, { ...merged.attributes })
})

test("the SDK's serializer takes what the store gives", async () => {
  const store = createStore({ self: { 'service.name': 'netvitals', 'service.instance.id': 'h' }, version: '0' })
  const container = store.container('c', { 'service.name': 'web', 'service.instance.id': 'web-1' })
  const link = store.link(container, 'outbound', 'db', () => ({ 'destination.address': '10.0.0.9' }), 1_000)
  store.add(link, Outbound.connectionTime, 0.25)
  const batch = await store.collect(2_000)
  const bytes = batch.map((metrics) =>
    Buffer.from(ProtobufMetricsSerializer.serializeRequest(metrics)!).toString('latin1'),
  )
  for (const part of ['web-1', 'container.net.tcp.connection_time', 'destination.address', '10.0.0.9']) {
    assert.ok(bytes[0]!.includes(part), part)
  }
  assert.ok(bytes[1]!.includes('netvitals.build.info'))
})
