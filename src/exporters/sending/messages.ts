import type {
  ExponentialHistogram,
  Histogram,
  MetricData,
  ResourceMetrics,
  ScopeMetrics,
} from '@opentelemetry/sdk-metrics'
import { DATA_POINT_TYPE, TEMPORALITY, VALUE_TYPE_INT } from '../../component/data-model.ts'
import type { DataPoint } from '../../component/types.ts'
import type { AttributeMemo } from './attribute-memo.ts'
import { writeAttributes } from './attributes.ts'
import { writeExponentialHistogramFields, writeHistogramFields, writeNumberFields } from './points.ts'
import {
  closeMessage,
  ensure,
  LENGTH_BYTES,
  openMessage,
  type Writer,
  writeByte,
  writeString,
} from './protobuf-writer.ts'
import { METRIC, type RequestFormat } from './request-format.ts'

/** A ResourceMetrics up to its first scope. As for the other two, closing it only fills in its length. */
function openResource(writer: Writer, { resource }: ResourceMetrics): void {
  openNested(writer, 0x0a)
  const lengthAt = openNested(writer, 0x0a)
  writeAttributes(writer, resource.attributes, 0x0a)
  closeNested(writer, lengthAt)
  writeText(writer, 0x1a, resource.schemaUrl)
}

/** A ScopeMetrics up to its first metric. */
function openScope(writer: Writer, { scope }: ScopeMetrics): void {
  openNested(writer, 0x12)
  const lengthAt = openNested(writer, 0x0a)
  writeText(writer, 0x0a, scope.name)
  writeText(writer, 0x12, scope.version)
  closeNested(writer, lengthAt)
  writeText(writer, 0x1a, scope.schemaUrl)
}

/** Field bytes of Metric.data, by DataPointType. */
const DATA_TAG = [0x4a, 0x52, 0x2a, 0x3a] as const

/** A Metric up to its first point; gives where its data's length is. */
function openMetric(writer: Writer, metric: MetricData): number {
  openNested(writer, 0x12)
  const { descriptor } = metric
  writeText(writer, 0x0a, descriptor.name)
  writeText(writer, 0x12, descriptor.description)
  writeText(writer, 0x1a, descriptor.unit)
  const dataLengthAt = openNested(writer, DATA_TAG[metric.dataPointType])
  ensure(writer, 4)
  if (metric.dataPointType !== DATA_POINT_TYPE.gauge) {
    writeByte(writer, 0x10)
    writeByte(writer, metric.aggregationTemporality === TEMPORALITY.delta ? 1 : 2)
  }
  if (metric.dataPointType === DATA_POINT_TYPE.sum && metric.isMonotonic) {
    writeByte(writer, 0x18)
    writeByte(writer, 1)
  }
  return dataLengthAt
}

/** Field bytes of a point's attributes, by DataPointType. */
const ATTRIBUTES_TAG = [0x4a, 0x0a, 0x3a, 0x3a] as const

/** What a point says besides its attributes. */
function writePointFields(writer: Writer, metric: MetricData, point: DataPoint<unknown>): void {
  switch (metric.dataPointType) {
    case DATA_POINT_TYPE.gauge:
    case DATA_POINT_TYPE.sum:
      writeNumberFields(writer, point as DataPoint<number>, metric.descriptor.valueType === VALUE_TYPE_INT)
      break
    case DATA_POINT_TYPE.histogram:
      writeHistogramFields(writer, point as DataPoint<Histogram>)
      break
    default:
      writeExponentialHistogramFields(writer, point as DataPoint<ExponentialHistogram>)
  }
}

/** Bytes reserved for a point's length: right for 128 bytes to 16 KiB. */
const POINT_LENGTH_BYTES = 2

function writePoint(writer: Writer, metric: MetricData, point: DataPoint<unknown>, memo: AttributeMemo): void {
  ensure(writer, 1)
  writeByte(writer, 0x0a)
  const lengthAt = openMessage(writer, POINT_LENGTH_BYTES)
  writePointFields(writer, metric, point)
  memo.write(point.attributes, ATTRIBUTES_TAG[metric.dataPointType])
  // Its contents are about to move.
  if (writer.pos - lengthAt > 16_000) memo.forget()
  closeMessage(writer, lengthAt, POINT_LENGTH_BYTES)
}

/** An ExportMetricsServiceRequest as protobuf: what is open has its length filled in when it closes. */
export const PROTOBUF: RequestFormat = {
  closingBytes: 0,
  separator: undefined,
  writeAttributes,
  openRequest: () => undefined,
  closeRequest: () => undefined,
  openResource,
  openScope,
  openMetric,
  writePoint,
  close(writer, level, start, dataLengthAt) {
    if (level === METRIC) closeNested(writer, dataLengthAt)
    closeNested(writer, start + 1)
  },
}

function openNested(writer: Writer, tag: number): number {
  ensure(writer, 1)
  writeByte(writer, tag)
  return openMessage(writer, LENGTH_BYTES)
}

function closeNested(writer: Writer, lengthAt: number): void {
  closeMessage(writer, lengthAt, LENGTH_BYTES)
}

function writeText(writer: Writer, tag: number, text: string | undefined): void {
  if (text === undefined || text === '') return
  ensure(writer, 1)
  writeByte(writer, tag)
  writeString(writer, text)
}
