import type { Cidr } from './cidr.ts'

/** A network with what it means; of two that cover an address the higher rank counts, then the longer prefix. */
export interface Range<T> {
  readonly cidr: Cidr
  readonly rank: number
  readonly value: T
}

/** Finds what an address means; `bytes` in network byte order, IPv4 in the first 4 at `offset`. */
export type Lookup<T> = (bytes: Uint8Array, offset: number, family: 4 | 6) => T

/**
 * Compiles ranges into sorted, disjoint intervals, so that a look-up is one binary search over numbers: no
 * allocation, and tens of nanoseconds for one range as for ten thousand.
 */
export function compileRanges<T>(ranges: readonly Range<T>[], otherwise: T): Lookup<T> {
  const v4 = intervals(ranges, 4, otherwise)
  const v6 = intervals(ranges, 6, otherwise)
  const starts4 = Uint32Array.from(v4, ({ start }) => Number(start))
  const starts6 = Uint32Array.from(v6.flatMap(({ start }) => words(start)))
  const values4 = v4.map(({ value }) => value)
  const values6 = v6.map(({ value }) => value)

  return function lookup(bytes, offset, family) {
    if (family === 4) return values4[last4(starts4, word(bytes, offset))] as T
    return values6[last6(starts6, bytes, offset)] as T
  }
}

interface Interval<T> {
  /** First address; it reaches to the next one's. */
  readonly start: bigint
  readonly value: T
}

/** Networks are disjoint or nested, so a stack of the ones that are open says which counts where. */
function intervals<T>(ranges: readonly Range<T>[], family: 4 | 6, otherwise: T): Interval<T>[] {
  const bits = family === 4 ? 32 : 128
  const end = ({ cidr }: Range<T>) => cidr.network + (1n << BigInt(bits - cidr.prefix))
  const sorted = ranges
    .filter(({ cidr }) => cidr.family === family)
    .sort((a, b) => compare(a.cidr.network, b.cidr.network) || a.cidr.prefix - b.cidr.prefix || a.rank - b.rank)
  const result: Interval<T>[] = [{ start: 0n, value: otherwise }]
  const from = (start: bigint, value: T) => {
    if (result.at(-1)!.start === start) result.pop()
    if (result.at(-1)?.value !== value) result.push({ start, value })
  }
  /** The open networks, outermost first, each with the one that counts within it. */
  const open: { end: bigint; wins: Range<T> }[] = []
  const close = (until: bigint) => {
    while (open.length > 0 && open.at(-1)!.end <= until) {
      const closed = open.pop()!
      if (closed.end < 1n << BigInt(bits)) from(closed.end, open.at(-1)?.wins.value ?? otherwise)
    }
  }
  for (const range of sorted) {
    close(range.cidr.network)
    const outer = open.at(-1)?.wins
    const wins = outer !== undefined && outer.rank > range.rank ? outer : range
    open.push({ end: end(range), wins })
    from(range.cidr.network, wins.value)
  }
  close(1n << BigInt(bits))
  return result
}

/** Index of the last start that is not above the address; the first start is 0. */
function last4(starts: Uint32Array, address: number): number {
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (starts[middle]! <= address) low = middle
    else high = middle
  }
  return low
}

function last6(starts: Uint32Array, bytes: Uint8Array, offset: number): number {
  const a = word(bytes, offset)
  const b = word(bytes, offset + 4)
  const c = word(bytes, offset + 8)
  const d = word(bytes, offset + 12)
  let low = 0
  let high = starts.length >>> 2
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    const at = middle << 2
    const difference = starts[at]! - a || starts[at + 1]! - b || starts[at + 2]! - c || starts[at + 3]! - d
    if (difference <= 0) low = middle
    else high = middle
  }
  return low
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

function words(value: bigint): number[] {
  return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffffffffn))
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
