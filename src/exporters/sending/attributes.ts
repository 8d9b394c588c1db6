import type { Attributes, AttributeValue } from '@opentelemetry/api'
import {
  closeMessage,
  ensure,
  isInt64,
  openMessage,
  type Writer,
  writeByte,
  writeBytes,
  writeDouble,
  writeString,
  writeVarint64,
} from './protobuf-writer.ts'

/** What an attribute's value may be, more than the API's type allows: bytes and maps are in the protocol. */
export type Value =
  | AttributeValue
  | Uint8Array
  | null
  | undefined
  | readonly Value[]
  | { readonly [key: string]: Value }

/** Each attribute as a KeyValue with the field byte `tag`. @see opentelemetry-proto common.proto */
export function writeAttributes(writer: Writer, attributes: Attributes, tag: number): void {
  for (const key in attributes) writeKeyValue(writer, key, attributes[key], tag)
}

function writeKeyValue(writer: Writer, key: string, value: Value, tag: number): void {
  if (typeof value === 'string' && writeShortText(writer, key, value, tag)) return
  ensure(writer, 1)
  writeByte(writer, tag)
  const lengthAt = openMessage(writer, 1)
  ensure(writer, 2)
  writeByte(writer, 0x0a)
  writeString(writer, key)
  ensure(writer, 1)
  writeByte(writer, 0x12)
  writeAnyValue(writer, value)
  closeMessage(writer, lengthAt, 1)
}

/** The common case, in one go: ASCII, short enough for one-byte lengths. Else nothing is written. */
function writeShortText(writer: Writer, key: string, value: string, tag: number): boolean {
  const length = key.length + value.length + 6
  if (length > 0x7f) return false
  ensure(writer, length + 2)
  const { bytes } = writer
  let { pos } = writer
  let seen = 0
  bytes[pos++] = tag
  bytes[pos++] = length
  bytes[pos++] = 0x0a
  bytes[pos++] = key.length
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i)
    seen |= code
    bytes[pos++] = code
  }
  bytes[pos++] = 0x12
  bytes[pos++] = value.length + 2
  bytes[pos++] = 0x0a
  bytes[pos++] = value.length
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    seen |= code
    bytes[pos++] = code
  }
  if (seen > 0x7f) return false
  writer.pos = pos
  return true
}

/** Length and message: null and undefined are a value without content. */
function writeAnyValue(writer: Writer, value: Value): void {
  const lengthAt = openMessage(writer, 1)
  ensure(writer, 10)
  if (typeof value === 'string') {
    writeByte(writer, 0x0a)
    writeString(writer, value)
  } else if (typeof value === 'number') {
    writeNumber(writer, value)
  } else if (typeof value === 'boolean') {
    writeByte(writer, 0x10)
    writeByte(writer, value ? 1 : 0)
  } else if (value instanceof Uint8Array) {
    writeByte(writer, 0x3a)
    writeBytes(writer, value)
  } else if (Array.isArray(value)) {
    writeByte(writer, 0x2a)
    writeList(writer, value)
  } else if (value !== null && value !== undefined) {
    writeByte(writer, 0x32)
    const mapAt = openMessage(writer, 1)
    writeAttributes(writer, value as Attributes, 0x0a)
    closeMessage(writer, mapAt, 1)
  }
  closeMessage(writer, lengthAt, 1)
}

function writeNumber(writer: Writer, value: number): void {
  if (isInt64(value)) {
    writeByte(writer, 0x18)
    writeVarint64(writer, value)
  } else {
    writeByte(writer, 0x21)
    writeDouble(writer, value)
  }
}

function writeList(writer: Writer, items: readonly Value[]): void {
  const lengthAt = openMessage(writer, 1)
  for (const item of items) {
    ensure(writer, 1)
    writeByte(writer, 0x0a)
    writeAnyValue(writer, item)
  }
  closeMessage(writer, lengthAt, 1)
}
