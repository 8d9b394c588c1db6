import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ValueType } from '@opentelemetry/api'
import { JsonMetricsSerializer, ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, DataPointType, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import { JSON_FORMAT } from '../../../src/exporters/sending/json-format.ts'
import { createRequestEncoder } from '../../../src/exporters/sending/request-encoder.ts'
import { makeBatch } from '../harness.ts'
import { batches } from './arbitraries.ts'
import { flatten, fromJson } from './otlp.ts'

async function encode(batch: readonly ResourceMetrics[], maxRequestBytes = 4 << 20) {
  const encoder = createRequestEncoder({ format: JSON_FORMAT, maxRequestBytes, onTooLarge: () => tooLarge++ })
  const requests: Buffer[] = []
  const points: number[] = []
  let tooLarge = 0
  for await (const request of encoder.encode(batch)) {
    requests.push(Buffer.from(request.bytes))
    points.push(request.points)
  }
  return { requests, points, tooLarge }
}

/** All that a receiver reads out of the requests, point by point. */
function pointsOf(requests: readonly Uint8Array[]): unknown[] {
  return flatten(requests.map(fromJson))
}

describe('JSON', () => {
  test('means the same as protobuf, for any metrics', async () => {
    await fc.assert(
      fc.asyncProperty(batches(), async (batch) => {
        const { requests } = await encode(batch)
        const expected = batch.map((resource) => ProtobufMetricsSerializer.serializeRequest(resource)!)
        assert.deepEqual(pointsOf(requests), flatten(expected))
      }),
      { numRuns: 100 },
    )
  })

  // Not for any metrics: the SDK writes 64-bit integers as JSON numbers, which loses those beyond 2^53.
  test('means the same as the SDK’s own JSON', async () => {
    const batch = makeBatch('m', 50)
    const { requests } = await encode(batch)
    const expected = batch.map((resource) => JsonMetricsSerializer.serializeRequest(resource)!)
    assert.equal(pointsOf(expected).length, 50)
    assert.deepEqual(pointsOf(requests), pointsOf(expected))
  })

  test('is JSON however small requests must be; none is too large, and together they mean the same', async () => {
    await fc.assert(
      fc.asyncProperty(batches(), fc.integer({ min: 400, max: 4000 }), async (batch, maxRequestBytes) => {
        const whole = pointsOf((await encode(batch)).requests)
        const { requests, points, tooLarge } = await encode(batch, maxRequestBytes)
        for (const request of requests) assert.ok(request.length <= maxRequestBytes, `${request.length} bytes`)
        assert.deepEqual(
          points,
          requests.map((request) => pointsOf([request]).length),
        )
        const found = pointsOf(requests)
        assert.equal(found.length + tooLarge, whole.length)
        if (tooLarge === 0) assert.deepEqual(found, whole)
      }),
      { numRuns: 100 },
    )
  })

  test('has names, 64-bit integers, enums, NaN and the infinities as the specification writes them', async () => {
    const descriptor = { name: 'm', description: '', unit: 's', valueType: ValueType.INT }
    const times = { startTime: [1_700_000_001, 1] as [number, number], endTime: [1_700_000_002, 0] as [number, number] }
    const attributes = { 'a"b\n': 'é\ud800', n: 5, d: 0.5, b: true, list: ['x', 1], bytes: new Uint8Array([1, 2, 255]) }
    const values = [7, 2 ** 60, 1.5, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    const { requests } = await encode([
      {
        resource: resourceFromAttributes({ 'service.name': 's' }),
        scopeMetrics: [
          {
            scope: { name: 'netvitals', version: '1' },
            metrics: [
              {
                descriptor,
                dataPointType: DataPointType.SUM,
                aggregationTemporality: AggregationTemporality.DELTA,
                isMonotonic: true,
                dataPoints: values.map((value, i) => ({
                  ...times,
                  value,
                  attributes: i === 0 ? (attributes as never) : {},
                })),
              },
              {
                descriptor: { ...descriptor, valueType: ValueType.DOUBLE },
                dataPointType: DataPointType.GAUGE,
                aggregationTemporality: AggregationTemporality.CUMULATIVE,
                dataPoints: [{ startTime: [0, 0], endTime: [0, 5], value: 3, attributes: {}, flags: 1 } as never],
              },
            ],
          },
        ],
      },
    ])
    const [start, end] = ['1700000001000000001', '1700000002000000000']
    const rest = { startTimeUnixNano: start, timeUnixNano: end, attributes: [] }
    assert.deepEqual(JSON.parse(requests[0]!.toString()), {
      resourceMetrics: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
          scopeMetrics: [
            {
              scope: { name: 'netvitals', version: '1' },
              metrics: [
                {
                  name: 'm',
                  unit: 's',
                  sum: {
                    aggregationTemporality: 1,
                    isMonotonic: true,
                    dataPoints: [
                      {
                        ...rest,
                        asInt: '7',
                        attributes: [
                          { key: 'a"b\n', value: { stringValue: 'é\ufffd' } },
                          { key: 'n', value: { intValue: '5' } },
                          { key: 'd', value: { doubleValue: 0.5 } },
                          { key: 'b', value: { boolValue: true } },
                          {
                            key: 'list',
                            value: { arrayValue: { values: [{ stringValue: 'x' }, { intValue: '1' }] } },
                          },
                          { key: 'bytes', value: { bytesValue: 'AQL/' } },
                        ],
                      },
                      { ...rest, asInt: '1152921504606846976' },
                      { ...rest, asDouble: 1.5 },
                      { ...rest, asInt: '0' },
                      { ...rest, asDouble: 'NaN' },
                      { ...rest, asDouble: 'Infinity' },
                      { ...rest, asDouble: '-Infinity' },
                    ],
                  },
                },
                { name: 'm', unit: 's', gauge: { dataPoints: [{ timeUnixNano: '5', flags: 1, attributes: [] }] } },
              ],
            },
          ],
        },
      ],
    })
  })
})
