/** One field of a message: a number for varints, bytes for length-delimited and fixed ones. */
export interface Field {
  readonly number: number
  readonly value: number | Uint8Array
}

/**
 * The fields of a short message, such as a response. Varints beyond ±2^53 lose their low bits.
 *
 * @throws {RangeError} when the bytes are not a protobuf message
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function* readFields(bytes: Uint8Array): Generator<Field, void> {
  let pos = 0

  function readVarint(): number {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[pos++]
      if (byte === undefined) throw new RangeError('a varint ends early')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return Number(BigInt.asIntN(64, value))
    }
    throw new RangeError('a varint is longer than 10 bytes')
  }

  function readBytes(length: number): Uint8Array {
    if (length < 0 || pos + length > bytes.length) throw new RangeError('a field ends early')
    pos += length
    return bytes.subarray(pos - length, pos)
  }

  while (pos < bytes.length) {
    const key = readVarint()
    const number = Math.floor(key / 8)
    const type = key % 8
    if (type === 0) yield { number, value: readVarint() }
    else if (type === 1) yield { number, value: readBytes(8) }
    else if (type === 2) yield { number, value: readBytes(readVarint()) }
    else if (type === 5) yield { number, value: readBytes(4) }
    else throw new RangeError(`wire type ${type} is unknown`)
  }
}

/** The last integer in field `number`, 0 without one: what protobuf calls a field's default. */
export function integerField(bytes: Uint8Array, number: number): number {
  let result = 0
  for (const field of readFields(bytes)) {
    if (field.number === number && typeof field.value === 'number') result = field.value
  }
  return result
}

/** What is in the length-delimited fields `number`, in order. */
export function bytesFields(bytes: Uint8Array, number: number): Uint8Array[] {
  const result: Uint8Array[] = []
  for (const field of readFields(bytes)) {
    if (field.number === number && typeof field.value !== 'number') result.push(field.value)
  }
  return result
}

/** The last string in field `number`, '' without one. */
export function stringField(bytes: Uint8Array, number: number): string {
  return new TextDecoder().decode(bytesFields(bytes, number).at(-1) ?? new Uint8Array())
}
