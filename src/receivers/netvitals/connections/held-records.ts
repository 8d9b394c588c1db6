import { createRecords, type Records } from '../kernel/decode.ts'
import { ConnLayout } from '../kernel/layout.gen.ts'

/** Copies of records of struct nv_conn, in their order. */
export interface HeldRecords {
  /** False: there is no room. */
  add(records: Records): boolean
  /** Each of those held; what `visit` is given is valid during the call. */
  each(visit: (records: Records) => void): void
  /** As `each`; none of them is held any more, unless `visit` adds it again. */
  drain(visit: (records: Records) => void): void
  readonly size: number
}

const RECORDS_AT_FIRST = 64

export function createHeldRecords(max: number): HeldRecords {
  let bytes = new Uint8Array(0)
  let size = 0

  function read(from: Uint8Array, count: number, visit: (records: Records) => void): void {
    const records = createRecords(from)
    for (let i = 0; i < count; i++) {
      records.offset = i * ConnLayout.size
      visit(records)
    }
  }

  return {
    add({ bytes: from, offset }) {
      if (size >= max) return false
      const at = size * ConnLayout.size
      if (at === bytes.length) {
        const longer = new Uint8Array(Math.max(RECORDS_AT_FIRST * ConnLayout.size, 2 * bytes.length))
        longer.set(bytes)
        bytes = longer
      }
      bytes.set(from.subarray(offset, offset + ConnLayout.size), at)
      size++
      return true
    },
    each: (visit) => read(bytes, size, visit),
    drain(visit) {
      const [from, count] = [bytes, size]
      bytes = new Uint8Array(0)
      size = 0
      read(from, count, visit)
    },
    get size() {
      return size
    },
  }
}
