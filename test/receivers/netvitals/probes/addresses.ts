import { isIPv4 } from 'node:net'
import { parseCidr } from '../../../../src/receivers/netvitals/destinations/cidr.ts'

/** 16 bytes as the kernel's record has an address: IPv4 in the first 4. */
export function bytesOf(text: string): Uint8Array {
  const { network } = parseCidr(text)
  const bytes = new Uint8Array(16)
  const size = isIPv4(text) ? 4 : 16
  for (let i = 0; i < size; i++) bytes[i] = Number((network >> BigInt(8 * (size - 1 - i))) & 0xffn)
  return bytes
}
