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

/** By identifier: how many echo requests of each family had it. */
export type Senders = ReadonlyMap<number, { readonly ipv4: number; readonly ipv6: number }>

/**
 * Notes from here on who sends echo requests from the namespace, and how many. Every ping has an identifier of its own,
 * and every agent one for both families.
 */
export function watchEchoes(namespace: Namespace): () => Senders {
  const set = (name: string, id: string) => `set ${name} {\ntypeof ${id}\nflags dynamic\nsize 1024\ncounter\n}\n`
  const note = (name: string, kind: string) => `${kind} type echo-request add @${name} { ${kind} id counter }\n`
  const chain = `chain output {\ntype filter hook output priority 10; policy accept;\n${note('ipv4', 'icmp')}${note('ipv6', 'icmpv6')}}\n`
  const table = `table inet netvitals_echoes {\n${set('ipv4', 'icmp id')}${set('ipv6', 'icmpv6 id')}${chain}}\n`
  namespace.run(['nft', '-f', '-'], table)
  return () => {
    const senders = new Map<number, { ipv4: number; ipv6: number }>()
    for (const family of ['ipv4', 'ipv6'] as const) {
      const listed = namespace.run(['nft', '-j', 'list', 'set', 'inet', 'netvitals_echoes', family])
      const [, { set }] = JSON.parse(listed).nftables
      for (const { elem } of set.elem ?? []) {
        const sent = senders.get(elem.val) ?? { ipv4: 0, ipv6: 0 }
        senders.set(elem.val, { ...sent, [family]: elem.counter.packets })
      }
    }
    return senders
  }
}
