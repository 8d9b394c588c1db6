/**
 * One text for each address, whoever wrote it: IPv6 as RFC 5952 has it, an IPv4-mapped one as IPv4.
 * What is no address is left as it is and matches none.
 */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped) return mapped[1]!
  // What the kernel's addresses are printed as is so already, and is most of what is asked.
  if (!/[A-Z]|(^|:)0/.test(address)) return address
  const url = URL.parse(`http://[${address}]`)
  return url === null ? address : url.hostname.slice(1, -1)
}
