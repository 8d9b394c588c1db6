import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { formatAddress, isLinkLocal } from './address.ts'
import { type Cidr, contains, networkOf, parseCidr } from './cidr.ts'

/** The addresses of this network namespace that decide what is near. */
export interface LocalNetworks {
  /** This host's own addresses, loopback included. */
  readonly addresses: readonly string[]
  /** Networks of the bridges that containers hang on: `172.17.0.0/16`. */
  readonly containerNetworks: readonly string[]
}

/**
 * Reads the interfaces. A container bridge without a container has no carrier and is not among those that
 * os.networkInterfaces() gives, but its first container talks at once: its networks come from the routing table.
 * (Not all of it: what is bound to an interface that is down, as kube-proxy's Service addresses are in IPVS mode,
 * is not this host.)
 */
export function readLocalNetworks({ sys = '/sys', proc = '/proc' } = {}): LocalNetworks {
  const bridges = new Set(list(`${sys}/class/net`).filter((name) => isContainerBridge(name, sys)))
  const addresses = new Set<string>()
  for (const infos of Object.values(networkInterfaces())) {
    for (const { address } of infos ?? []) addresses.add(address.replace(/%.*/, ''))
  }
  if (bridges.size === 0) return { addresses: [...addresses], containerNetworks: [] }

  const v6 = ipv6AddressesOf(read(`${proc}/net/if_inet6`))
    .filter(({ name, bytes }) => bridges.has(name) && !isLinkLocal(bytes, 0))
    .map(({ bytes, prefix }) => ({ address: formatAddress(bytes, 0, 6), prefix }))
  const networks = new Set([
    ...connectedNetworks(`${proc}/net/route`, bridges),
    ...v6.map(({ address, prefix }) => `${address}/${prefix}`),
  ])
  const parsed = [...networks].map(networkOf)
  for (const { address } of v6) addresses.add(address)
  for (const address of localIpv4Of(read(`${proc}/net/fib_trie`))) {
    if (isWithin(parsed, address)) addresses.add(address)
  }
  return { addresses: [...addresses], containerNetworks: [...networks] }
}

/**
 * A bridge of docker0's, cni0's, podman0's kind. One with a port that leads out of the host (a device, or a VLAN or
 * bond on top of one) carries the host's own LAN instead.
 */
function isContainerBridge(name: string, sys: string): boolean {
  const at = `${sys}/class/net`
  if (!existsSync(`${at}/${name}/bridge`)) return false
  const leadsOut = (port: string) =>
    existsSync(`${at}/${port}/device`) || list(`${at}/${port}`).some((entry) => entry.startsWith('lower_'))
  return !list(`${at}/${name}/brif`).some(leadsOut)
}

/** Networks that are reached without a gateway through these interfaces. @see proc_pid_net(5); words are in host order */
function connectedNetworks(file: string, interfaces: ReadonlySet<string>): string[] {
  const networks: string[] = []
  for (const line of read(file).split('\n').slice(1)) {
    const [name = '', destination = '', gateway, , , , , mask = ''] = line.split('\t')
    if (!interfaces.has(name) || gateway !== '00000000') continue
    const prefix = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length
    const network = quadOf(destination)
    // A link-local network can be on every interface: it says nothing.
    if (prefix > 0 && !network.startsWith('169.254.')) networks.push(`${network}/${prefix}`)
  }
  return networks
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1

function quadOf(word: string): string {
  const bytes = Buffer.from(word, 'hex')
  return (LITTLE_ENDIAN ? bytes.reverse() : bytes).join('.')
}

/** The IPv4 addresses of the `local` table, of interfaces without a carrier too; from the text of /proc/net/fib_trie. */
export function localIpv4Of(trie: string): string[] {
  return Array.from(trie.matchAll(/\|-- (\S+)\n\s+\/32 host LOCAL/g), ([, address]) => address!)
}

interface Ipv6Address {
  readonly bytes: Uint8Array
  readonly prefix: number
  /** Of its interface. */
  readonly index: number
  readonly name: string
}

/** From the text of /proc/net/if_inet6. @see net/ipv6/addrconf.c if6_seq_show */
export function ipv6AddressesOf(inet6: string): Ipv6Address[] {
  return Array.from(
    inet6.matchAll(/^([0-9a-f]{32}) ([0-9a-f]+) ([0-9a-f]{2}) \S+ \S+ +(\S+)$/gm),
    ([, hex, index, prefix, name]) => ({
      bytes: Buffer.from(hex!, 'hex'),
      prefix: Number.parseInt(prefix!, 16),
      index: Number.parseInt(index!, 16),
      name: name!,
    }),
  )
}

function isWithin(networks: readonly Cidr[], address: string): boolean {
  const cidr = parseCidr(address)
  return networks.some((network) => contains(network, cidr))
}

/** Absent where the kernel has no IPv6, or /proc is not there: then there is nothing to add. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
