import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'

/** Random metrics of every kind, with every kind of attribute, as the SDK's own serializer takes them. */
export function batches(): fc.Arbitrary<ResourceMetrics[]> {
  return fc.array(resource, { maxLength: 4 })
}

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: fc.constantFrom('a', 'é', '漢', '\ud83d\ude00', '\ud800'), minLength: 90, maxLength: 150 }),
)

const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double(), fc.constantFrom(0, -0, 2 ** 53, -(2 ** 53)))

const attributeValue: fc.Arbitrary<unknown> = fc.oneof(
  text,
  number,
  fc.boolean(),
  fc.array(fc.option(text), { maxLength: 3 }),
  fc.array(fc.option(number), { maxLength: 3 }),
  fc.array(fc.boolean(), { maxLength: 3 }),
  fc.uint8Array({ maxLength: 200 }),
  fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), fc.oneof(text, number), {
    maxKeys: 2,
    noNullPrototype: true,
  }),
  fc.constant(undefined),
)

const attributes = fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), attributeValue, {
  maxKeys: 6,
  noNullPrototype: true,
}) as fc.Arbitrary<Attributes>

/** As the store's: the same object on several points. */
const sharedAttributes = fc.array(attributes, { minLength: 1, maxLength: 3 }).chain((sets) => fc.constantFrom(...sets))

const time = fc.tuple(fc.nat(), fc.nat(999_999_999)) as fc.Arbitrary<HrTime>
const count = fc.nat()

function points<T>(value: fc.Arbitrary<T>) {
  return fc.array(fc.record({ startTime: time, endTime: time, attributes: sharedAttributes, value }), { maxLength: 8 })
}

const optionalNumbers = { sum: fc.double(), min: fc.double(), max: fc.double() }

const histogram = fc
  .tuple(
    fc.array(fc.double(), { maxLength: 20 }),
    fc.record({ count, ...optionalNumbers }, { requiredKeys: ['count'] }),
    fc.array(count, { minLength: 21, maxLength: 21 }),
  )
  .map(([boundaries, rest, counts]) => ({
    ...rest,
    buckets: { boundaries, counts: counts.slice(0, boundaries.length + 1) },
  }))

const buckets = fc.record({
  offset: fc.integer({ min: -1000, max: 1000 }),
  bucketCounts: fc.array(fc.maxSafeInteger().map(Math.abs), { maxLength: 30 }),
})

const exponentialHistogram = fc.record(
  {
    count,
    zeroCount: count,
    scale: fc.integer({ min: -10, max: 20 }),
    positive: buckets,
    negative: buckets,
    ...optionalNumbers,
  },
  { requiredKeys: ['count', 'zeroCount', 'scale', 'positive', 'negative'] },
)

function descriptor(valueType: ValueType) {
  return fc.record({
    name: fc.string({ minLength: 1 }),
    description: text,
    unit: text,
    valueType: fc.constant(valueType),
  })
}

const temporality = fc.constantFrom(AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE)

function numberMetrics(valueType: ValueType, value: fc.Arbitrary<number>) {
  const common = { descriptor: descriptor(valueType), aggregationTemporality: temporality, dataPoints: points(value) }
  return fc.oneof(
    fc.record({ ...common, dataPointType: fc.constant(DataPointType.GAUGE as const) }),
    fc.record({ ...common, dataPointType: fc.constant(DataPointType.SUM as const), isMonotonic: fc.boolean() }),
  )
}

const metric: fc.Arbitrary<MetricData> = fc.oneof(
  numberMetrics(ValueType.INT, fc.maxSafeInteger()),
  numberMetrics(ValueType.DOUBLE, fc.double()),
  fc.record({
    descriptor: descriptor(ValueType.DOUBLE),
    aggregationTemporality: temporality,
    dataPointType: fc.constant(DataPointType.HISTOGRAM as const),
    dataPoints: points(histogram),
  }),
  fc.record({
    descriptor: descriptor(ValueType.DOUBLE),
    aggregationTemporality: temporality,
    dataPointType: fc.constant(DataPointType.EXPONENTIAL_HISTOGRAM as const),
    dataPoints: points(exponentialHistogram),
  }),
) as fc.Arbitrary<MetricData>

const scope = fc.record({
  scope: fc.record({ name: text, version: text, schemaUrl: text }, { requiredKeys: ['name'] }),
  metrics: fc.array(metric, { maxLength: 4 }),
})

const resource: fc.Arbitrary<ResourceMetrics> = fc
  .record({
    attributes,
    schemaUrl: fc.option(text, { nil: undefined }),
    scopeMetrics: fc.array(scope, { maxLength: 3 }),
  })
  .map(({ attributes: given, schemaUrl, scopeMetrics }) => ({
    resource: resourceFromAttributes(given, schemaUrl === undefined ? {} : { schemaUrl }),
    scopeMetrics: scopeMetrics as ResourceMetrics['scopeMetrics'],
  }))
