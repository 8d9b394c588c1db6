import type { HrTime } from '@opentelemetry/api'
import { ensure, type Writer } from './protobuf-writer.ts'

/** What JSON.stringify writes otherwise than in quotes as it stands. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const NEEDS_ESCAPE = /["\\\u0000-\u001f]/
const textEncoder = new TextEncoder()

/** Text as it is, not a JSON string. */
export function writeRaw(writer: Writer, text: string): void {
  ensure(writer, text.length * 3)
  writer.pos += textEncoder.encodeInto(text, writer.bytes.subarray(writer.pos)).written
}

/** A JSON string; a lone surrogate becomes U+FFFD, as UTF-8 has none. */
export function jsonString(text: string): string {
  const wellFormed = text.toWellFormed()
  return NEEDS_ESCAPE.test(wellFormed) ? JSON.stringify(wellFormed) : `"${wellFormed}"`
}

/** A double as proto3's JSON has it: what JSON has no number for is a string. */
export function jsonDouble(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  return `"${value}"`
}

/** An int64 or fixed64: a decimal string, as JSON's numbers are doubles to many readers. */
export function jsonInteger(value: number): string {
  return `"${Number.isSafeInteger(value) ? value + 0 : BigInt(value)}"`
}

/** Nanoseconds since the epoch, as an int64. */
export function jsonTime([seconds, nanos]: HrTime): string {
  return `"${seconds > 0 ? `${seconds}${String(nanos).padStart(9, '0')}` : nanos}"`
}
