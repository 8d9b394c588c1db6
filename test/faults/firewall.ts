import { addressesOf } from './addresses.ts'
import type { Path } from './types.ts'

/** Two tables may not share a name in a namespace. */
let tables = 0

/**
 * Drops packets of the path behind the sender's own device, so that its kernel transmits them and never learns of it,
 * as on a wire. (A drop in its OUTPUT would answer EPERM.) Neighbour discovery passes, as ARP does.
 *
 * @param percent 100, or less for a random share of them
 * @returns what takes it away
 */
export function dropBehind({ from, to }: Path, percent: number): () => void {
  const { namespace, device } = from.farHalf
  const table = `netdev netvitals_fault_${++tables}`
  const share = percent === 100 ? '' : `numgen random mod 100000 < ${Math.round(percent * 1000)} `
  const { ipv4, ipv6 } = addressesOf(to)
  const rules = [
    ...ipv6.map((each) => `ip6 daddr ${each} icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept`),
    ...ipv4.map((each) => `ip daddr ${each} ${share}drop`),
    ...ipv6.map((each) => `ip6 daddr ${each} ${share}drop`),
  ]
  const chain = `chain leaving {\ntype filter hook ingress device "${device}" priority 0; policy accept;\n${rules.join('\n')}\n}`
  namespace.run(['nft', '-f', '-'], `table ${table} {\n${chain}\n}\n`)
  return () => namespace.run(['nft', 'delete', 'table', ...table.split(' ')])
}
