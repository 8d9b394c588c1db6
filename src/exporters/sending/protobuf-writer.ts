/**
 * A protobuf writer for one growing buffer. Plain functions on a plain object: V8 inlines them into the loop over
 * data points, which runs hundreds of thousands of times a cycle.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export interface Writer {
  bytes: Uint8Array<ArrayBuffer>
  view: DataView
  /** Where the next byte goes. */
  pos: number
  /** The buffer doubles up to here and then grows only by what is needed. */
  readonly expectedBytes: number
}

const INITIAL_BYTES = 64 * 1024
/** Strings at least this long go to the native encoder: below, the call costs more than the loop. */
const NATIVE_STRING_LENGTH = 96
/** Bytes reserved for a nested message's length when its size is not known: enough for 256 MiB. */
export const LENGTH_BYTES = 4

const textEncoder = new TextEncoder()

export function createWriter(expectedBytes: number): Writer {
  const bytes = new Uint8Array(Math.min(INITIAL_BYTES, expectedBytes))
  return { bytes, view: new DataView(bytes.buffer), pos: 0, expectedBytes }
}

/** Makes room for `length` more bytes. */
export function ensure(writer: Writer, length: number): void {
  if (writer.pos + length > writer.bytes.length) grow(writer, writer.pos + length)
}

function grow(writer: Writer, needed: number): void {
  const doubled = Math.min(writer.bytes.length * 2, writer.expectedBytes)
  const bytes = new Uint8Array(doubled >= needed ? doubled : needed + INITIAL_BYTES)
  bytes.set(writer.bytes.subarray(0, writer.pos))
  writer.bytes = bytes
  writer.view = new DataView(bytes.buffer)
}

/** A field number and wire type below 16, as one byte: `number << 3 | type`. Room is the caller's to ensure. */
export function writeByte(writer: Writer, byte: number): void {
  writer.bytes[writer.pos++] = byte
}

/** An unsigned integer below 2^32. */
export function writeVarint(writer: Writer, value: number): void {
  ensure(writer, 5)
  const { bytes } = writer
  let { pos } = writer
  while (value > 0x7f) {
    bytes[pos++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  bytes[pos++] = value
  writer.pos = pos
}

/** An int64 or uint64, negative ones in two's complement (10 bytes). */
export function writeVarint64(writer: Writer, value: number): void {
  ensure(writer, 10)
  let low = value >>> 0
  let high = Math.floor(value / 2 ** 32) >>> 0
  while (high > 0 || low > 0x7f) {
    writer.bytes[writer.pos++] = (low & 0x7f) | 0x80
    low = ((low >>> 7) | (high << 25)) >>> 0
    high >>>= 7
  }
  writer.bytes[writer.pos++] = low
}

/** A sint32, zigzag. */
export function writeSint32(writer: Writer, value: number): void {
  writeVarint(writer, ((value << 1) ^ (value >> 31)) >>> 0)
}

/** Eight bytes, little-endian. Room is the caller's to ensure. */
export function writeDouble(writer: Writer, value: number): void {
  writer.view.setFloat64(writer.pos, value, true)
  writer.pos += 8
}

export function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63
}

/** An integer within ±2^63 as fixed64 or sfixed64. Room is the caller's to ensure. */
export function writeFixed64(writer: Writer, value: number): void {
  writer.view.setUint32(writer.pos, value >>> 0, true)
  writer.view.setInt32(writer.pos + 4, Math.floor(value / 2 ** 32) | 0, true)
  writer.pos += 8
}

/** Length and UTF-8 bytes; a lone surrogate becomes U+FFFD. */
export function writeString(writer: Writer, text: string): void {
  ensure(writer, text.length * 3 + 5)
  if (text.length >= NATIVE_STRING_LENGTH || !writeAscii(writer, text)) writeUtf8(writer, text)
}

function writeAscii(writer: Writer, text: string): boolean {
  const { length } = text
  const { bytes } = writer
  let pos = writer.pos + 1
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return false
    bytes[pos++] = code
  }
  bytes[writer.pos] = length
  writer.pos = pos
  return true
}

function writeUtf8(writer: Writer, text: string): void {
  const lengthAt = openMessage(writer, 1)
  writer.pos += textEncoder.encodeInto(text, writer.bytes.subarray(writer.pos)).written
  closeMessage(writer, lengthAt, 1)
}

/** Length and bytes. */
export function writeBytes(writer: Writer, value: Uint8Array): void {
  writeVarint(writer, value.length)
  ensure(writer, value.length)
  writer.bytes.set(value, writer.pos)
  writer.pos += value.length
}

/** Reserves `reserved` bytes for a length; gives where they are, for closeMessage. */
export function openMessage(writer: Writer, reserved: number): number {
  ensure(writer, reserved)
  const lengthAt = writer.pos
  writer.pos += reserved
  return lengthAt
}

/**
 * Writes the length of what came after `lengthAt`. A varint shorter than the reserved bytes is padded to them, which
 * the encoding allows; for a longer one the contents move up.
 */
export function closeMessage(writer: Writer, lengthAt: number, reserved: number): void {
  let length = writer.pos - lengthAt - reserved
  let size = reserved
  while (length >= 2 ** (7 * size)) size++
  if (size > reserved) {
    ensure(writer, size - reserved)
    writer.bytes.copyWithin(lengthAt + size, lengthAt + reserved, writer.pos)
    writer.pos += size - reserved
  }
  const { bytes } = writer
  const last = lengthAt + size - 1
  for (let at = lengthAt; at < last; at++) {
    bytes[at] = (length & 0x7f) | 0x80
    length >>>= 7
  }
  bytes[last] = length
}
