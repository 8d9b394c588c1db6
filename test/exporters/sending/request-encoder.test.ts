import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Attributes, ValueType } from '@opentelemetry/api'
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import { DATA_POINT_TYPE, TEMPORALITY, VALUE_TYPE_INT } from '../../../src/component/data-model.ts'
import type { DataPoint } from '../../../src/component/types.ts'
import { createRequestEncoder } from '../../../src/exporters/sending/request-encoder.ts'
import { batches } from './arbitraries.ts'
import { decodeRequest, flatten, pointsOf } from './otlp.ts'

const NO_RECORDED_VALUE = 1

interface Encoded {
  readonly requests: Uint8Array[]
  readonly points: number[]
  readonly tooLarge: string[]
}

async function encode(batch: readonly ResourceMetrics[], maxRequestBytes = 4 << 20): Promise<Encoded> {
  const tooLarge: string[] = []
  const encoder = createRequestEncoder({
    maxRequestBytes,
    onTooLarge: (metric) => tooLarge.push(metric.descriptor.name),
  })
  const requests: Uint8Array[] = []
  const points: number[] = []
  for await (const request of encoder.encode(batch)) {
    requests.push(request.bytes.slice())
    points.push(request.points)
  }
  return { requests, points, tooLarge }
}

function gauge(name: string, points: readonly Partial<DataPoint<number>>[]): MetricData {
  return {
    descriptor: { name, description: '', unit: '1', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.GAUGE,
    dataPoints: points.map((point) => ({ startTime: [1, 0], endTime: [2, 0], attributes: {}, value: 0, ...point })),
  }
}

function resourceOf(name: string, metrics: MetricData[], scope = 'netvitals'): ResourceMetrics {
  return {
    resource: resourceFromAttributes({ 'service.name': name }),
    scopeMetrics: [{ scope: { name: scope }, metrics }],
  }
}

/** `count` points of about 100 bytes. */
function somePoints(count: number, padding = 50): { attributes: Attributes; value: number }[] {
  return Array.from({ length: count }, (_, value) => ({ attributes: { padding: 'x'.repeat(padding) }, value }))
}

/** [resource, metric, points] of every metric in every request. */
function outline(requests: readonly Uint8Array[]): [string, string, number][][] {
  return requests.map((request) =>
    decodeRequest(request).flatMap(({ resource, scopeMetrics }) => {
      const { attributes } = resource as { attributes: { value: { stringValue: string } }[] }
      return scopeMetrics
        .flatMap(({ metrics }) => metrics)
        .map((metric): [string, string, number] => [
          attributes[0]!.value.stringValue,
          metric.name,
          pointsOf(metric).length,
        ])
    }),
  )
}

describe('encoding', () => {
  test('means the same as what the SDK serializes, for any metrics', async () => {
    await fc.assert(
      fc.asyncProperty(batches(), async (batch) => {
        const { requests } = await encode(batch)
        const expected = batch.map((resource) => ProtobufMetricsSerializer.serializeRequest(resource)!)
        assert.ok(requests.length <= 1)
        assert.deepEqual(flatten(requests), flatten(expected))
      }),
      { numRuns: 300 },
    )
  })

  test('means the same however small requests must be, and none is too large', async () => {
    await fc.assert(
      fc.asyncProperty(batches(), fc.integer({ min: 300, max: 3000 }), async (batch, maxRequestBytes) => {
        const { requests, points, tooLarge } = await encode(batch, maxRequestBytes)
        const expected = flatten(batch.map((resource) => ProtobufMetricsSerializer.serializeRequest(resource)!))
        for (const request of requests) assert.ok(request.length <= maxRequestBytes, `${request.length} bytes`)
        const found = flatten(requests)
        assert.equal(found.length + tooLarge.length, expected.length)
        assert.deepEqual(
          points,
          requests.map((request) => flatten([request]).length),
        )
        if (tooLarge.length === 0) assert.deepEqual(found, expected)
        else assertInOrder(found, expected)
      }),
      { numRuns: 300 },
    )
  })

  function assertInOrder(part: readonly unknown[], whole: readonly unknown[]): void {
    let from = 0
    const texts = whole.map((item) => JSON.stringify(item))
    for (const item of part) {
      const at = texts.indexOf(JSON.stringify(item), from)
      assert.ok(at >= 0, 'a point came out that did not go in, or in another order')
      from = at + 1
    }
  }

  test('an integer metric keeps whole numbers as integers and other values as doubles', async () => {
    const values = [0, -1, 2 ** 53 - 1, -(2 ** 53 - 1), 1.5, Number.NaN]
    const metric = gauge(
      'ints',
      values.map((value) => ({ value })),
    )
    const batch = [resourceOf('a', [{ ...metric, descriptor: { ...metric.descriptor, valueType: ValueType.INT } }])]
    const [request] = (await encode(batch)).requests
    const points = pointsOf(decodeRequest(request!)[0]!.scopeMetrics[0]!.metrics[0]!)
    assert.deepEqual(
      points.map(({ asInt, asDouble }) => asInt ?? asDouble),
      ['0', '-1', '9007199254740991', '-9007199254740991', 1.5, Number.NaN],
    )
  })

  test('NaN stays NaN and a start time of zero is left out', async () => {
    const batch = [resourceOf('a', [gauge('latency', [{ value: Number.NaN, startTime: [0, 0] }])])]
    const [request] = (await encode(batch)).requests
    const [point] = pointsOf(decodeRequest(request!)[0]!.scopeMetrics[0]!.metrics[0]!)
    assert.deepEqual([point!.asDouble, point!.startTimeUnixNano], [Number.NaN, '0'])
    assert.equal(Buffer.from(request!).includes(Buffer.from([0x11, 0, 0, 0, 0, 0, 0, 0, 0])), false)
  })

  test('nanoseconds are exact to the last digit', async () => {
    const batch = [
      resourceOf('a', [gauge('g', [{ startTime: [1_700_000_001, 1], endTime: [4_294_967_299, 999_999_999] }])]),
    ]
    const [request] = (await encode(batch)).requests
    const [point] = pointsOf(decodeRequest(request!)[0]!.scopeMetrics[0]!.metrics[0]!)
    assert.deepEqual([point!.startTimeUnixNano, point!.timeUnixNano], ['1700000001000000001', '4294967299999999999'])
  })

  test('points without a recorded value get a Metric each, behind those that have one, and no value', async () => {
    const ended = { flags: NO_RECORDED_VALUE, value: 7 }
    const batch = [resourceOf('a', [gauge('g', [ended, { value: 1 }, ended, { value: 2 }])])]
    const [request] = (await encode(batch)).requests
    const { metrics } = decodeRequest(request!)[0]!.scopeMetrics[0]!
    assert.deepEqual(
      metrics.map((metric) => [metric.name, pointsOf(metric).map(({ flags, asDouble }) => [flags, asDouble])]),
      [
        [
          'g',
          [
            [0, 1],
            [0, 2],
          ],
        ],
        ['g', [[1, undefined]]],
        ['g', [[1, undefined]]],
      ],
    )
  })

  test('what has no points is left out, and a batch without any gives no request', async () => {
    const empty = gauge('empty', [])
    assert.deepEqual((await encode([resourceOf('a', [empty])])).requests, [])
    const { requests } = await encode([
      resourceOf('a', [empty, gauge('full', [{}]), empty]),
      resourceOf('b', [empty]),
      resourceOf('c', [gauge('full', [{}])]),
    ])
    assert.deepEqual(outline(requests), [
      [
        ['a', 'full', 1],
        ['c', 'full', 1],
      ],
    ])
  })

  test('the encoder can be used again, also when the last batch was not read to its end', async () => {
    const encoder = createRequestEncoder({ maxRequestBytes: 1024, onTooLarge: () => assert.fail() })
    for await (const _ of encoder.encode([resourceOf('a', [gauge('g', somePoints(50))])])) break
    const requests: Uint8Array[] = []
    for await (const { bytes } of encoder.encode([resourceOf('b', [gauge('h', [{}])])])) requests.push(bytes.slice())
    assert.deepEqual(outline(requests), [[['b', 'h', 1]]])
  })
})

describe('splitting', () => {
  test('cuts between resources where each fits into a request', async () => {
    const batch = ['a', 'b', 'c'].map((name) =>
      resourceOf(name, [gauge('g', somePoints(12)), gauge('h', somePoints(3))]),
    )
    const { requests } = await encode(batch, 2500)
    assert.deepEqual(outline(requests), [
      [
        ['a', 'g', 12],
        ['a', 'h', 3],
      ],
      [
        ['b', 'g', 12],
        ['b', 'h', 3],
      ],
      [
        ['c', 'g', 12],
        ['c', 'h', 3],
      ],
    ])
  })

  test('cuts between metrics where a resource is too large', async () => {
    const batch = [
      resourceOf(
        'a',
        ['g', 'h', 'i'].map((name) => gauge(name, somePoints(12))),
      ),
    ]
    const { requests } = await encode(batch, 2000)
    assert.deepEqual(outline(requests), [[['a', 'g', 12]], [['a', 'h', 12]], [['a', 'i', 12]]])
  })

  test('cuts between scopes before it cuts between their metrics', async () => {
    const [a, b] = ['a', 'b'].map((name) =>
      resourceOf('r', [gauge(`${name}1`, somePoints(4)), gauge(`${name}2`, somePoints(4))], name),
    )
    const batch = [{ resource: a!.resource, scopeMetrics: [...a!.scopeMetrics, ...b!.scopeMetrics] }]
    const { requests } = await encode(batch, 1200)
    assert.deepEqual(outline(requests), [
      [
        ['r', 'a1', 4],
        ['r', 'a2', 4],
      ],
      [
        ['r', 'b1', 4],
        ['r', 'b2', 4],
      ],
    ])
  })

  test('cuts between points where a metric is too large, and goes on with the next', async () => {
    const { requests, points } = await encode(
      [resourceOf('a', [gauge('g', somePoints(25)), gauge('h', somePoints(2))])],
      1100,
    )
    assert.deepEqual(
      outline(requests)
        .flat()
        .map(([, name]) => name),
      ['g', 'g', 'g', 'h'],
    )
    assert.equal(
      points.reduce((sum, count) => sum + count),
      27,
    )
    const values = flatten(requests).map((entry) => (entry as { point: { asDouble: number } }).point.asDouble)
    assert.deepEqual(values, [...Array.from({ length: 25 }, (_, i) => i), 0, 1])
  })

  test('a point that is too large alone is left out and reported; the others arrive', async () => {
    const points = [...somePoints(3), ...somePoints(1, 5000), ...somePoints(3)]
    const { requests, tooLarge } = await encode(
      [resourceOf('a', [gauge('g', points), gauge('h', somePoints(1))])],
      1100,
    )
    assert.deepEqual(tooLarge, ['g'])
    const counts = new Map<string, number>()
    for (const [, name, count] of outline(requests).flat()) counts.set(name, (counts.get(name) ?? 0) + count)
    assert.deepEqual(
      [...counts],
      [
        ['g', 6],
        ['h', 1],
      ],
    )
  })

  test('a resource whose own attributes are too large loses its points and no others', async () => {
    const large = {
      resource: resourceFromAttributes({ note: 'x'.repeat(5000) }),
      scopeMetrics: resourceOf('', [gauge('lost', [{}, {}])]).scopeMetrics,
    }
    const { requests, tooLarge } = await encode(
      [resourceOf('a', [gauge('g', [{}])]), large, resourceOf('b', [gauge('h', [{}])])],
      1100,
    )
    assert.deepEqual(tooLarge, ['lost', 'lost'])
    assert.deepEqual(outline(requests).flat(), [
      ['a', 'g', 1],
      ['b', 'h', 1],
    ])
  })

  test('the event loop gets its turn at least every slice', async () => {
    const sliceMs = 3
    // A clock that goes by looks at it: how fast the machine is does not matter.
    let clockMs = 0
    const now = () => ++clockMs
    const encoder = createRequestEncoder({ maxRequestBytes: 64 << 20, sliceMs, now, onTooLarge: () => assert.fail() })
    const batch = [resourceOf('a', [gauge('g', somePoints(100_000))])]
    const turns = [0]
    let encoding = true
    const turn = () => {
      turns.push(clockMs)
      if (encoding) setImmediate(turn)
    }
    setImmediate(turn)
    for await (const _ of encoder.encode(batch));
    encoding = false
    turns.push(clockMs)
    assert.ok(clockMs > 300, `${clockMs} looks at the clock at 100,000 points`)
    const waits = turns.slice(1).map((at, i) => at - turns[i]!)
    // The slice, the look that finds it over, and the one that begins the next.
    assert.ok(Math.max(...waits) <= sliceMs + 2, `waited up to ${Math.max(...waits)} ms`)
    assert.ok(turns.length >= clockMs / (sliceMs + 2), `${turns.length} turns in ${clockMs} ms`)
  })
})

test('the constants kept here are the SDK’s', () => {
  assert.deepEqual(DATA_POINT_TYPE, {
    histogram: DataPointType.HISTOGRAM,
    exponentialHistogram: DataPointType.EXPONENTIAL_HISTOGRAM,
    gauge: DataPointType.GAUGE,
    sum: DataPointType.SUM,
  })
  assert.deepEqual(TEMPORALITY, {
    delta: AggregationTemporality.DELTA,
    cumulative: AggregationTemporality.CUMULATIVE,
  })
  assert.equal(VALUE_TYPE_INT, ValueType.INT)
})
