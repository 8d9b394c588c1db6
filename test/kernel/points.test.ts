import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import type { Batch } from '../../src/component/types.ts'
import { matches, pointsOf, sumPoints } from './points.ts'

const batch = [
  resource({ 'container.id': 'a' }, { opened: [point({ port: 1 }, 5), point({ port: 2 }, 7)], sent: [point({}, 100)] }),
  resource({ 'container.id': 'b' }, { opened: [point({ port: 1 }, 11)] }),
] as unknown as Batch

test('a sum is over all resources and points that match', () => {
  assert.equal(sumPoints(batch, { metric: 'opened' }), 23)
  assert.equal(sumPoints(batch, { metric: 'opened', resource: { 'container.id': 'a' } }), 12)
  assert.equal(sumPoints(batch, { metric: 'opened', point: { port: 1 } }), 16)
  assert.equal(sumPoints(batch, { metric: 'opened', resource: { 'container.id': 'b' }, point: { port: 2 } }), 0)
  assert.equal(sumPoints(batch, { metric: 'received' }), 0)
})

test('a predicate sees the value, also the one that is not there', () => {
  assert.equal(sumPoints(batch, { metric: 'opened', point: { port: (value) => Number(value) > 1 } }), 7)
  assert.ok(matches({ port: 1 }, { kind: (value) => value === undefined }))
  assert.ok(!matches({ port: 1 }, { kind: 'x' }))
})

test('a point comes with the attributes of its resource, and its times', () => {
  const [first] = [...pointsOf(batch, { metric: 'sent' })]
  assert.deepEqual(first, {
    resource: { 'container.id': 'a' },
    attributes: {},
    value: 100,
    startMs: 7_250,
    endMs: 8_500,
  })
})

function point(attributes: Attributes, value: number) {
  return { attributes, value, startTime: [7, 250_000_000], endTime: [8, 500_000_000] }
}

function resource(attributes: Attributes, metrics: Readonly<Record<string, unknown[]>>) {
  const list = Object.entries(metrics).map(([name, dataPoints]) => ({ descriptor: { name }, dataPoints }))
  return { resource: { attributes }, scopeMetrics: [{ metrics: list }] }
}
