import { isIPv4, isIPv6 } from 'node:net'
import { formatAddress } from './address.ts'

export interface Cidr {
  readonly family: 4 | 6
  /** First address: 32 or 128 bits, the most significant first, those after the prefix zero. */
  readonly network: bigint
  /** Bits of the prefix. */
  readonly prefix: number
}

const BITS = { 4: 32, 6: 128 } as const

/**
 * Reads `10.0.0.0/8`, `fd00::/8`, or a single address. Throws an Error that says what is wrong and what to write.
 * @see RFC 4632 section 3.1, RFC 4291 section 2.3
 */
export function parseCidr(text: string): Cidr {
  const [, address = '', length] = /^([^/]*)(?:\/(.*))?$/s.exec(text) ?? []
  const family = isIPv4(address) ? 4 : isIPv6(address) && !address.includes('%') ? 6 : undefined
  if (family === undefined) {
    throw new Error(`"${text}" is not a CIDR: "${address}" is no IPv4 or IPv6 address; write one such as 10.0.0.0/8`)
  }
  const bits = BITS[family]
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  if (!(prefix <= bits)) {
    throw new Error(`"${text}" is not a CIDR: the prefix length of an IPv${family} network is 0 to ${bits}`)
  }
  const value = family === 4 ? ipv4Value(address) : ipv6Value(address)
  const network = (value >> BigInt(bits - prefix)) << BigInt(bits - prefix)
  if (network !== value) {
    throw new Error(
      `"${text}" is not a CIDR: it has bits set after the first ${prefix}; write ${addressOf(network, family)}/${prefix}, or ${address}/${bits} for the one address`,
    )
  }
  return { family, network, prefix }
}

/** The network that an interface's address `192.0.2.7/24` lies in. */
export function networkOf(cidr: string): Cidr {
  const [address = '', length] = cidr.split('/')
  const host = parseCidr(address)
  const shift = BigInt(BITS[host.family] - Number(length))
  return { family: host.family, network: (host.network >> shift) << shift, prefix: Number(length) }
}

export function contains(outer: Cidr, inner: Cidr): boolean {
  const shift = BigInt(BITS[outer.family] - outer.prefix)
  return (
    outer.family === inner.family && outer.prefix <= inner.prefix && outer.network >> shift === inner.network >> shift
  )
}

function ipv4Value(address: string): bigint {
  return address.split('.').reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

function ipv6Value(address: string): bigint {
  const dotted = /[^:]+\.[^:]+$/.exec(address)?.[0]
  const low = dotted === undefined ? 0n : ipv4Value(dotted)
  const tail =
    dotted === undefined
      ? address
      : address.replace(dotted, `${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`)
  const [left = '', right] = tail.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const [head, rest] = [groups(left), groups(right ?? '')]
  const all = right === undefined ? head : [...head, ...new Array(8 - head.length - rest.length).fill('0'), ...rest]
  return all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n)
}

function addressOf(value: bigint, family: 4 | 6): string {
  const bytes = new Uint8Array(16)
  const count = family === 4 ? 4 : 16
  for (let i = 0; i < count; i++) bytes[i] = Number((value >> BigInt(8 * (count - 1 - i))) & 0xffn)
  return formatAddress(bytes, 0, family)
}
