import type { Attributes } from '@opentelemetry/api'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import { DATA_POINT_TYPE, TEMPORALITY } from '../../component/data-model.ts'
import type { DataPoint } from '../../component/types.ts'
import { jsonAttributes } from './json-attributes.ts'
import { jsonPointFields } from './json-points.ts'
import { jsonString, writeRaw } from './json-writer.ts'
import type { Writer } from './protobuf-writer.ts'
import { METRIC, type RequestFormat } from './request-format.ts'

/** Names of Metric.data, by DataPointType. */
const DATA_NAME = ['histogram', 'exponentialHistogram', 'gauge', 'sum'] as const

/** What ends a ResourceMetrics, a ScopeMetrics, and a Metric with its data. */
const CLOSING = [']}', ']}', ']}}'] as const
const REQUEST_CLOSING = ']}'

/** `,"name":"text"`, nothing for an empty one: its absence means the same. */
function member(name: string, text: string | undefined): string {
  return text === undefined || text === '' ? '' : `,"${name}":${jsonString(text)}`
}

function dataHead(metric: MetricData): string {
  const { dataPointType } = metric
  if (dataPointType === DATA_POINT_TYPE.gauge) return ''
  const temporality = `"aggregationTemporality":${metric.aggregationTemporality === TEMPORALITY.delta ? 1 : 2},`
  const isMonotonic = dataPointType === DATA_POINT_TYPE.sum && metric.isMonotonic
  return isMonotonic ? `${temporality}"isMonotonic":true,` : temporality
}

/**
 * An ExportMetricsServiceRequest as OTLP/JSON: names in lowerCamelCase, 64-bit integers as strings, enums as integers,
 * NaN and the infinities as words.
 *
 * @see opentelemetry-proto docs/specification.md "JSON Protobuf Encoding"
 */
export const JSON_FORMAT: RequestFormat = {
  closingBytes: [...CLOSING, REQUEST_CLOSING].join('').length,
  separator: 0x2c,
  writeAttributes: (writer: Writer, attributes: Attributes) => writeRaw(writer, jsonAttributes(attributes)),
  openRequest: (writer) => writeRaw(writer, '{"resourceMetrics":['),
  closeRequest: (writer) => writeRaw(writer, REQUEST_CLOSING),
  openResource(writer, { resource }) {
    const attributes = jsonAttributes(resource.attributes)
    writeRaw(
      writer,
      `{"resource":{"attributes":${attributes}}${member('schemaUrl', resource.schemaUrl)},"scopeMetrics":[`,
    )
  },
  openScope(writer, { scope }) {
    const { name, version, schemaUrl } = scope
    const about = `"name":${jsonString(name)}${member('version', version)}`
    writeRaw(writer, `{"scope":{${about}}${member('schemaUrl', schemaUrl)},"metrics":[`)
  },
  openMetric(writer, metric) {
    const { name, description, unit } = metric.descriptor
    const about = `"name":${jsonString(name)}${member('description', description)}${member('unit', unit)}`
    writeRaw(writer, `{${about},"${DATA_NAME[metric.dataPointType]}":{${dataHead(metric)}"dataPoints":[`)
    return 0
  },
  writePoint(writer, metric: MetricData, point: DataPoint<unknown>, memo) {
    writeRaw(writer, `{${jsonPointFields(metric, point)},"attributes":`)
    memo.write(point.attributes, METRIC)
    writeRaw(writer, '}')
  },
  close: (writer, level) => writeRaw(writer, CLOSING[level]!),
}
