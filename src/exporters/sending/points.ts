import type { HrTime } from '@opentelemetry/api'
import type { ExponentialHistogram, Histogram } from '@opentelemetry/sdk-metrics'
import { NO_RECORDED_VALUE } from '../../component/data-model.ts'
import type { DataPoint } from '../../component/types.ts'
import {
  closeMessage,
  ensure,
  isInt64,
  openMessage,
  type Writer,
  writeByte,
  writeDouble,
  writeFixed64,
  writeSint32,
  writeVarint,
  writeVarint64,
} from './protobuf-writer.ts'

/**
 * The fields of a NumberDataPoint without its attributes. An integer instrument's value is as_int while it is one
 * (a counter that was given a fraction is not); all else, NaN too, is as_double.
 *
 * @see opentelemetry-proto metrics.proto NumberDataPoint
 */
export function writeNumberFields(writer: Writer, point: DataPoint<number>, isInteger: boolean): void {
  ensure(writer, 40)
  writeTimes(writer, point)
  const { value, flags } = point
  if (flags !== undefined && flags !== 0) {
    writeByte(writer, 0x40)
    writeVarint(writer, flags)
    if (flags & NO_RECORDED_VALUE) return
  }
  if (isInteger && isInt64(value)) {
    writeByte(writer, 0x31)
    writeFixed64(writer, value)
  } else {
    writeByte(writer, 0x21)
    writeDouble(writer, value)
  }
}

/** The fields of a HistogramDataPoint without its attributes. */
export function writeHistogramFields(writer: Writer, point: DataPoint<Histogram>): void {
  const { value } = point
  ensure(writer, 80)
  writeTimes(writer, point)
  writeFlags(writer, 0x50, point.flags)
  writeByte(writer, 0x21)
  writeFixed64(writer, value.count)
  writeOptionalDouble(writer, 0x29, value.sum)
  writeOptionalDouble(writer, 0x59, value.min)
  writeOptionalDouble(writer, 0x61, value.max)
  writePacked(writer, 0x32, value.buckets.counts, writeFixed64)
  writePacked(writer, 0x3a, value.buckets.boundaries, writeDouble)
}

/** The fields of an ExponentialHistogramDataPoint without its attributes. */
export function writeExponentialHistogramFields(writer: Writer, point: DataPoint<ExponentialHistogram>): void {
  const { value } = point
  ensure(writer, 100)
  writeTimes(writer, point)
  writeFlags(writer, 0x50, point.flags)
  writeByte(writer, 0x21)
  writeFixed64(writer, value.count)
  writeOptionalDouble(writer, 0x29, value.sum)
  writeByte(writer, 0x30)
  writeSint32(writer, value.scale)
  ensure(writer, 40)
  writeByte(writer, 0x39)
  writeFixed64(writer, value.zeroCount)
  writeOptionalDouble(writer, 0x61, value.min)
  writeOptionalDouble(writer, 0x69, value.max)
  writeBuckets(writer, 0x42, value.positive)
  writeBuckets(writer, 0x4a, value.negative)
}

function writeBuckets(writer: Writer, tag: number, buckets: { offset: number; bucketCounts: number[] }): void {
  ensure(writer, 1)
  writeByte(writer, tag)
  const lengthAt = openMessage(writer, 1)
  ensure(writer, 1)
  writeByte(writer, 0x08)
  writeSint32(writer, buckets.offset)
  ensure(writer, 1)
  writeByte(writer, 0x12)
  const countsAt = openMessage(writer, 1)
  for (const count of buckets.bucketCounts) writeVarint64(writer, count)
  closeMessage(writer, countsAt, 1)
  closeMessage(writer, lengthAt, 1)
}

function writePacked(
  writer: Writer,
  tag: number,
  values: readonly number[],
  write: (writer: Writer, value: number) => void,
): void {
  if (values.length === 0) return
  ensure(writer, 6 + values.length * 8)
  writeByte(writer, tag)
  writeVarint(writer, values.length * 8)
  for (const value of values) write(writer, value)
}

function writeOptionalDouble(writer: Writer, tag: number, value: number | undefined): void {
  if (value === undefined) return
  writeByte(writer, tag)
  writeDouble(writer, value)
}

function writeFlags(writer: Writer, tag: number, flags: number | undefined): void {
  if (flags === undefined || flags === 0) return
  writeByte(writer, tag)
  writeVarint(writer, flags)
  ensure(writer, 70)
}

/** start_time_unix_nano (left out when there is none: a gauge may have no start) and time_unix_nano. */
function writeTimes(writer: Writer, { startTime, endTime }: DataPoint<unknown>): void {
  if (startTime !== undefined && (startTime[0] !== 0 || startTime[1] !== 0)) {
    writeByte(writer, 0x11)
    writeNanoseconds(writer, startTime)
  }
  writeByte(writer, 0x19)
  writeNanoseconds(writer, endTime)
}

/** seconds * 10^9 + nanoseconds needs 61 bits: the seconds are split at 2^16 so that every product stays exact. */
function writeNanoseconds(writer: Writer, time: HrTime): void {
  const upper = Math.floor(time[0] / 0x10000) * 1e9
  const lower = (time[0] & 0xffff) * 1e9 + time[1]
  const low = (upper % 0x10000) * 0x10000 + (lower % 2 ** 32)
  const high = Math.floor(upper / 0x10000) + Math.floor(lower / 2 ** 32) + (low >= 2 ** 32 ? 1 : 0)
  writer.view.setUint32(writer.pos, low >>> 0, true)
  writer.view.setUint32(writer.pos + 4, high, true)
  writer.pos += 8
}
