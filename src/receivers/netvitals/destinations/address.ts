/** Text of an address as the kernel has it: IPv4 dotted, IPv6 by RFC 5952, an IPv4-mapped one with its dotted end. */
export function formatAddress(bytes: Uint8Array, offset: number, family: 4 | 6): string {
  return family === 4 ? dottedQuad(bytes, offset) : formatIpv6(bytes, offset)
}

/** Of an IPv6 address: it means something on one link alone. @see RFC 4291 section 2.5.6 */
export function isLinkLocal(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset] === 0xfe && (bytes[offset + 1]! & 0xc0) === 0x80
}

function dottedQuad(bytes: Uint8Array, offset: number): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`
}

function formatIpv6(bytes: Uint8Array, offset: number): string {
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push((bytes[offset + i]! << 8) | bytes[offset + i + 1]!)
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return `::ffff:${dottedQuad(bytes, offset + 12)}`
  }
  const [start, length] = longestZeros(groups)
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  // RFC 5952 section 4.2.2: a single zero group is not shortened.
  return length < 2 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`
}

/** The first of the longest runs of zero groups (RFC 5952 section 4.2.3). */
function longestZeros(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0]
  for (let i = 0, start = 0; i < groups.length; i++) {
    if (groups[i] !== 0) start = i + 1
    else if (i + 1 - start > best[1]) best = [start, i + 1 - start]
  }
  return best
}
