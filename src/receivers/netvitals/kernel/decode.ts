import { CgroupLayout, ConnLayout, EndedLayout, EndsLayout, Kind } from './layout.gen.ts'

/**
 * Records in the addon's buffer, read where they lie: no object per record. Valid during the call that gave it.
 * All numbers are in the host's byte order (netvitals runs on little-endian machines alone), addresses in the
 * network's.
 */
export interface Records {
  readonly bytes: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  /** Byte offset of the record being read; a multiple of 8. */
  offset: number
}

export function createRecords(bytes: Uint8Array): Records {
  const { buffer, byteOffset, byteLength } = bytes
  return {
    bytes,
    u16: new Uint16Array(buffer, byteOffset, byteLength >>> 1),
    u32: new Uint32Array(buffer, byteOffset, byteLength >>> 2),
    offset: 0,
  }
}

const U32 = 2 ** 32

/** A u64 that counts, at a word of `u32`: exact to 2^53. */
export const u64At = (u32: Uint32Array, word: number) => u32[word]! + u32[word + 1]! * U32

const u32 = (r: Records, at: number) => r.u32[(r.offset + at) >>> 2] as number
const u16 = (r: Records, at: number) => r.u16[(r.offset + at) >>> 1] as number
const u8 = (r: Records, at: number) => r.bytes[r.offset + at] as number
const u64 = (r: Records, at: number) => u64At(r.u32, (r.offset + at) >>> 2)
/** A u64 that identifies. */
const identity = (r: Records, at: number) => {
  const index = (r.offset + at) >>> 2
  return (BigInt(r.u32[index + 1] as number) << 32n) | BigInt(r.u32[index] as number)
}

export const kindOf = (r: Records) => u32(r, 0)

/** struct nv_conn, field by field; the fields' meaning and units stand in bpf/events.h. */
export const Conn = {
  netns: (r: Records) => u32(r, ConnLayout.netns),
  id: (r: Records) => u64(r, ConnLayout.id),
  cgroupId: (r: Records) => identity(r, ConnLayout.cgroupId),
  connectNs: (r: Records) => u64(r, ConnLayout.connectNs),
  bytesSent: (r: Records) => u64(r, ConnLayout.bytesSent),
  bytesReceived: (r: Records) => u64(r, ConnLayout.bytesReceived),
  segmentsSent: (r: Records) => u32(r, ConnLayout.segmentsSent),
  retransData: (r: Records) => u32(r, ConnLayout.retransData),
  retransHandshake: (r: Records) => u32(r, ConnLayout.retransHandshake),
  srttUs: (r: Records) => u32(r, ConnLayout.srttUs),
  minRttUs: (r: Records) => u32(r, ConnLayout.minRttUs),
  error: (r: Records) => u32(r, ConnLayout.error),
  state: (r: Records) => u8(r, ConnLayout.state),
  direction: (r: Records) => u8(r, ConnLayout.direction),
  family: (r: Records) => u8(r, ConnLayout.family) as 4 | 6,
  flags: (r: Records) => u8(r, ConnLayout.flags),
  localPort: (r: Records) => u16(r, ConnLayout.localPort),
  remotePort: (r: Records) => u16(r, ConnLayout.remotePort),
} as const

/**
 * Words (32 bits) from a record's beginning. Where every record passes, fields are read with these: the compiler inlines
 * only so many calls.
 */
export const ConnWord = {
  netns: ConnLayout.netns >>> 2,
  id: ConnLayout.id >>> 2,
  cgroupId: ConnLayout.cgroupId >>> 2,
  bytesSent: ConnLayout.bytesSent >>> 2,
  bytesReceived: ConnLayout.bytesReceived >>> 2,
  segmentsSent: ConnLayout.segmentsSent >>> 2,
  retransData: ConnLayout.retransData >>> 2,
  retransHandshake: ConnLayout.retransHandshake >>> 2,
  srttUs: ConnLayout.srttUs >>> 2,
  local: ConnLayout.local >>> 2,
  remote: ConnLayout.remote >>> 2,
} as const

const ofEnds = (r: Records, at: number) => r.u32[(Conn.id(r) + at) >>> 2] as number

/** struct nv_ends, of a record of Kind.ends. */
export const Ends = {
  /** Of each: Kind.end or Kind.fail. */
  kind: (r: Records) => ofEnds(r, EndsLayout.kind),
  count: (r: Records) => ofEnds(r, EndsLayout.count),
  /** Sum of those that have one, microseconds. */
  srttUs: (r: Records) => u64At(r.u32, (Conn.id(r) + EndsLayout.srttUs) >>> 2),
  withSrtt: (r: Records) => ofEnds(r, EndsLayout.withSrtt),
} as const

/** What a record of Kind.ends was made of, as `eachRecord` gives others. `records.offset` is then as before. */
export function eachEnd(records: Records, take: (records: Records, kind: number) => void): void {
  const { u32, offset } = records
  const kind = Ends.kind(records)
  let place = ofEnds(records, EndsLayout.first)
  try {
    while (place !== 0) {
      records.offset = place + EndedLayout.r
      place = u32[(place + EndedLayout.next) >>> 2]!
      take(records, kind)
    }
  } finally {
    records.offset = offset
  }
}

const text = new TextDecoder()

/** struct nv_cgroup. */
export const Cgroup = {
  id: (r: Records) => identity(r, CgroupLayout.id),
  path: (r: Records) => {
    const from = r.offset + CgroupLayout.path
    return text.decode(r.bytes.subarray(from, from + u32(r, CgroupLayout.pathLen)))
  },
} as const

/**
 * Calls `take(records, kind)` with `records.offset` at each record of the first `length` bytes; the number of records,
 * each of the joined ones included.
 * @throws {Error} for a kind that the layout doesn't know: the rest of the buffer can't be read.
 */
export function eachRecord(records: Records, length: number, take: (records: Records, kind: number) => void): number {
  let count = 0
  for (records.offset = 0; records.offset < length; ) {
    const kind = kindOf(records)
    if (kind === Kind.none || kind >= Kind.kinds)
      throw new Error(`record of unknown kind ${kind} at byte ${records.offset} of ${length}`)
    count += kind === Kind.ends ? Ends.count(records) : 1
    take(records, kind)
    records.offset += kind >= Kind.cgroupMkdir ? CgroupLayout.size : ConnLayout.size
  }
  return count
}
