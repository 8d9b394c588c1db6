import { open } from 'node:fs/promises'
import { isLinkLocal } from '../destinations/address.ts'
import { ipv6AddressesOf, localIpv4Of } from '../destinations/local.ts'

/** The addresses of a network namespace, as its own processes see them. */
export interface OwnAddresses {
  has(address: Uint8Array, family: 4 | 6): boolean
  /** Interface index by which an IPv6 link-local address is reached from that local one; 0 when it can't be told. */
  zoneOf(local: Uint8Array | undefined): number
}

/** A routing table of a hundred thousand routes is not read for this: the kernel's choice of source still tells. */
const BYTES_MAX = 4 * 1024 * 1024

export const noAddresses: OwnAddresses = { has: () => false, zoneOf: () => 0 }

/** @param net `/proc/<pid>/net` of a process that is in the namespace */
export async function readOwnAddresses(net: string): Promise<OwnAddresses> {
  const [trie, inet6] = await Promise.all([read(`${net}/fib_trie`), read(`${net}/if_inet6`)])
  const own = new Set(localIpv4Of(trie).map((address) => keyOf(Uint8Array.from(address.split('.'), Number), 4)))
  const zones = new Map<string, number>()
  for (const { bytes, index } of ipv6AddressesOf(inet6)) {
    const key = keyOf(bytes, 6)
    own.add(key)
    if (isLinkLocal(bytes, 0)) zones.set(key, index)
  }
  const all = new Set(zones.values())
  const only = all.size === 1 ? [...all][0]! : 0
  return {
    has: (address, family) => own.has(keyOf(address, family)),
    zoneOf: (local) => (local && zones.get(keyOf(local, 6))) ?? only,
  }
}

function keyOf(address: Uint8Array, family: 4 | 6): string {
  return String.fromCharCode(...address.subarray(0, family === 4 ? 4 : 16))
}

/** '' where it is too long, or not there: a kernel without IPv6, a process that ended. */
async function read(file: string): Promise<string> {
  try {
    const handle = await open(file)
    try {
      const chunks: Buffer[] = []
      for (let size = 0; ; ) {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(64 * 1024), 0, 64 * 1024)
        if (bytesRead === 0) return Buffer.concat(chunks).toString('latin1')
        chunks.push(buffer.subarray(0, bytesRead))
        size += bytesRead
        if (size > BYTES_MAX) return ''
      }
    } finally {
      await handle.close()
    }
  } catch {
    return ''
  }
}
