import { parseCidr } from '../destinations/cidr.ts'
import { compileRanges, type Lookup, type Range } from '../destinations/ranges.ts'

/** Unspecified, loopback, multicast, broadcast. @see RFC 1122 3.2.1.3, RFC 5771, RFC 4291 2.5 and 2.7 */
const NEVER = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '255.255.255.255', '::', '::1', 'ff00::/8']

export interface WantedOptions {
  /** Networks; all of them when empty. */
  readonly include: readonly string[]
  /** These not, whatever `include` says. */
  readonly exclude: readonly string[]
}

/** Whether an address may be pinged. */
export function createWanted({ include, exclude }: WantedOptions): Lookup<boolean> {
  const ranges = (rank: number, value: boolean, cidrs: readonly string[]): Range<boolean>[] =>
    cidrs.map((text) => ({ cidr: parseCidr(text), rank, value }))
  return compileRanges<boolean>(
    [...ranges(0, true, include), ...ranges(1, false, exclude), ...ranges(2, false, NEVER)],
    include.length === 0,
  )
}
