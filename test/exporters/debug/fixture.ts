import { resourceFromAttributes } from '@opentelemetry/resources'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { Batch } from '../../../src/component/types.ts'

const INT = 0
const DOUBLE = 1
const DELTA = 0
const CUMULATIVE = 1
const HISTOGRAM = 0
const EXPONENTIAL_HISTOGRAM = 1
const GAUGE = 2
const SUM = 3

const startTime = [1581452772, 321]
const endTime = [1581452773, 789_000_000]
const wholeSecond = [1581452774, 0]

const metric = (name: string, dataPointType: number, rest: object) => ({
  descriptor: { name, description: `About ${name}`, unit: 's', valueType: DOUBLE },
  aggregationTemporality: CUMULATIVE,
  dataPointType,
  dataPoints: [],
  ...rest,
})
const point = (value: unknown, attributes: object = {}) => ({ startTime, endTime, attributes, value })

/** Values at which printing is easy to get wrong: NaN, infinities, halves, exponents, the widest integers. */
const HARD_VALUES = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  1,
  0.1,
  -2.5,
  0.0078125,
  0.0234375,
  0.0000005,
  0.00009999,
  0.0001,
  123456.789,
  999999,
  1000000,
  -1234567.5,
  1e15,
  1e20,
  123456789012345680000,
  1e21,
  1.5e300,
  5e-324,
]

/**
 * Everything that the SDK's data model can say. testdata/ holds what the Collector's own debug exporter printed for it
 * (testdata/README.md).
 */
export const fixture = [
  {
    resource: resourceFromAttributes(
      {
        'service.name': 'front-end',
        'service.instance.id': 'shop.front-end-58987ffbcd-2w9gz.front-end',
        'k8s.pod.start': 1581452772,
        'host.load': 0.25,
        'host.tiny': 1e-7,
        'host.spot': true,
        'process.command_args': ['node', '--flag=<a&b>', 'line\u2028break', '"quoted"'],
        'host.ports': [80, 443],
        'host.loads': [0.5, 1.25],
        'host.flags': [true, false],
        'host.none': [],
        text: 'two\nlines, ünïcode',
        empty: '',
      },
      { schemaUrl: 'https://opentelemetry.io/schemas/1.37.0' },
    ),
    scopeMetrics: [
      {
        scope: { name: 'netvitals', version: '0.1.0', schemaUrl: 'https://example.com/scope' },
        metrics: [
          metric('container.net.latency', GAUGE, { dataPoints: HARD_VALUES.map((value, at) => point(value, { at })) }),
          metric('container.net.tcp.retransmits', SUM, {
            descriptor: { name: 'container.net.tcp.retransmits', description: '', unit: '{segment}', valueType: INT },
            isMonotonic: true,
            dataPoints: [
              point(0, { direction: 'outbound', 'destination.address': '10.42.2.243', 'destination.port': 8080 }),
              point(9007199254740991, { 'otel.metric.overflow': true }),
            ],
          }),
          metric('container.net.tcp.active_connections', SUM, {
            descriptor: { name: 'container.net.tcp.active_connections', description: '', unit: '', valueType: INT },
            isMonotonic: false,
            dataPoints: [{ ...point(3), endTime: wholeSecond }],
          }),
          metric('delta', SUM, {
            aggregationTemporality: DELTA,
            isMonotonic: true,
            dataPoints: [point(0.75)],
          }),
          metric('histogram', HISTOGRAM, {
            dataPoints: [
              point({ count: 6, sum: 12.5, min: 0.25, max: 8, buckets: { boundaries: [1, 2.5], counts: [3, 2, 1] } }),
              point({ count: 0, buckets: { boundaries: [], counts: [] } }, { kind: 'bare' }),
            ],
          }),
          metric('exponential', EXPONENTIAL_HISTOGRAM, {
            aggregationTemporality: DELTA,
            dataPoints: [
              point({
                count: 9,
                sum: 3.5,
                min: -4,
                max: 8,
                scale: 0,
                zeroCount: 2,
                positive: { offset: 1, bucketCounts: [1, 1, 0, 2] },
                negative: { offset: -2, bucketCounts: [1, 2] },
              }),
            ],
          }),
        ],
      },
      { scope: { name: '' }, metrics: [] },
      { scope: { name: 'no version' }, metrics: [metric('nothing', GAUGE, {})] },
    ],
  },
  { resource: resourceFromAttributes({}), scopeMetrics: [{ scope: { name: '', version: '1' }, metrics: [] }] },
] as unknown as ResourceMetrics[] as Batch
