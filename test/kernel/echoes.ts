import type { Namespace } from './lab.ts'

/** Echo requests that a namespace's kernel has sent: IcmpOutEchos of snmp, Icmp6OutEchos of snmp6. */
export function echoesSent(namespace: Namespace): { ipv4: number; ipv6: number } {
  const text = namespace.run(['cat', '/proc/net/snmp', '/proc/net/snmp6'])
  const [names, values] = [...text.matchAll(/^Icmp: (.*)$/gm)].map(([, line]) => line!.split(' '))
  return {
    ipv4: Number(values![names!.indexOf('OutEchos')]),
    ipv6: Number(/^Icmp6OutEchos\s+(\d+)$/m.exec(text)![1]),
  }
}
