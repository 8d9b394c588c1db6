import type { Attributes } from '@opentelemetry/api'
import { ensure, type Writer } from './protobuf-writer.ts'

/** Beyond this many different attribute sets, remembering them costs more than it saves. */
const MAX_SETS = 16_384

/** Encodes attributes, as fields `tag` where the encoding has such. */
export type WriteAttributes = (writer: Writer, attributes: Attributes, tag: number) => void

/**
 * Copies attributes that are already in the buffer instead of encoding them again. The metrics of one container
 * share their attribute objects, so that is most of them; and as what is remembered is the place in the buffer, for
 * the length of one resource, no bytes are kept between cycles: at 100,000 series those would be 20 to 40 MB.
 */
export function createAttributeMemo(writer: Writer, writeAttributes: WriteAttributes) {
  let seen = new Map<Attributes, number>()
  const offsets: number[] = []
  const lengths: number[] = []
  let lastTag = 0

  /** Writes the attributes as fields `tag`. */
  function write(attributes: Attributes, tag: number): void {
    if (tag !== lastTag) forget()
    lastTag = tag
    const index = seen.get(attributes)
    if (index !== undefined) {
      const offset = offsets[index]!
      const length = lengths[index]!
      ensure(writer, length)
      writer.bytes.copyWithin(writer.pos, offset, offset + length)
      writer.pos += length
      return
    }
    const start = writer.pos
    writeAttributes(writer, attributes, tag)
    if (seen.size >= MAX_SETS) return
    seen.set(attributes, offsets.length)
    offsets.push(start)
    lengths.push(writer.pos - start)
  }

  /** To be called whenever what was written has moved or gone. */
  function forget(): void {
    if (seen.size === 0) return
    // Not clear(): a map that has grown old makes its tables anew in the old generation, 5 MB of garbage a cycle.
    seen = new Map()
    offsets.length = 0
    lengths.length = 0
  }

  return { write, forget }
}

export type AttributeMemo = ReturnType<typeof createAttributeMemo>
