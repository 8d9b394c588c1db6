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

/**
 * Notes from here on who sends echo requests from the namespace: how many identifiers each family's had. Every ping
 * has one of its own, and so has every agent.
 */
export function watchEchoes(namespace: Namespace): () => { ipv4: number; ipv6: number } {
  const set = (name: string, id: string) => `set ${name} {\ntypeof ${id}\nflags dynamic\nsize 1024\n}\n`
  const note = (name: string, kind: string) => `${kind} type echo-request add @${name} { ${kind} id }\n`
  const chain = `chain output {\ntype filter hook output priority 10; policy accept;\n${note('ipv4', 'icmp')}${note('ipv6', 'icmpv6')}}\n`
  const table = `table inet netvitals_echoes {\n${set('ipv4', 'icmp id')}${set('ipv6', 'icmpv6 id')}${chain}}\n`
  namespace.run(['nft', '-f', '-'], table)
  return () => {
    const count = (name: string) => {
      const listed = namespace.run(['nft', '-j', 'list', 'set', 'inet', 'netvitals_echoes', name])
      const [, { set }] = JSON.parse(listed).nftables
      return set.elem?.length ?? 0
    }
    return { ipv4: count('ipv4'), ipv6: count('ipv6') }
  }
}
