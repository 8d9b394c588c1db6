import { type Container, createLab, type Lab, type Namespace } from './lab.ts'
import { type Program, startProgram } from './programs.ts'
import type { Tally } from './tally.ts'

/** Ports of the servers, and of what is not there. */
export const ports = {
  dual: 8000, // api: one IPv6 socket for both families
  api: 8001, // api: four SO_REUSEPORT sockets a family
  multipath: 8002, // store: Multipath TCP
  fastOpen: 8003, // api: TCP Fast Open
  store: 8004,
  cache: 8005, // in the west
  dropped: 8010, // nothing, when a firewall drops it
  closed: 8009,
  slow: 8011, // api: its SYN-ACKs get lost
  cutOff: 8012, // api: established, then cut off
  keepalive: 8013, // api: the same, and the server finds out
  hostUnreachable: 8014, // a firewall answers with ICMP
  netUnreachable: 8015,
  prohibited: 8016,
  idle: 8017, // api: listens and does not accept
  itself: 8018, // west
} as const

/**
 * Two hosts, two containers each. West: shop and worker dial; worker listens too (cache). East: api and store
 * listen; store dials too. Every program is of one container, every container of one namespace: so the sums over a
 * namespace's containers compare with its counters.
 */
export interface World {
  readonly lab: Lab
  readonly west: Namespace
  readonly east: Namespace
  readonly containers: Readonly<Record<'shop' | 'worker' | 'api' | 'store', Container>>
  readonly programs: Readonly<
    Record<'shop' | 'keeper' | 'closeWaiter' | 'worker' | 'cache' | 'api' | 'store' | 'caller', Program>
  >
  /** One more dialling program, for what is to happen at the same time. */
  driver(container: Container): Program
  /** A number of connections at this world's scale, at least 1. */
  n(full: number): number
  /** Request sockets of a namespace that a RST ended: in AttemptFails and nowhere else. */
  readonly halfOpenResets: Map<Namespace, number>
  /** Has every program report; tallies by container. */
  report(): Promise<Map<Container, Tally[]>>
  namespaceOf(container: Container): Namespace
  close(): Promise<void>
}

/** @param scale 1: more than 20,000 connections */
export async function createWorld({ scale }: { readonly scale: number }): Promise<World> {
  const lab = createLab({ namespaces: 2 })
  try {
    return await furnish(lab, scale)
  } catch (error) {
    await lab.close()
    throw error
  }
}

async function furnish(lab: Lab, scale: number): Promise<World> {
  const [west, east] = lab.namespaces as [Namespace, Namespace]
  for (const namespace of lab.namespaces) configure(namespace)
  const containers = {
    shop: lab.container('docker'),
    worker: lab.container('kubepods'),
    api: lab.container('docker'),
    store: lab.container('kubepods'),
  }
  const programs = {
    shop: startProgram(lab, west, containers.shop, 'drive'),
    keeper: startProgram(lab, west, containers.shop, 'drive'),
    closeWaiter: startProgram(lab, west, containers.shop, 'drive'),
    worker: startProgram(lab, west, containers.worker, 'drive'),
    cache: startProgram(lab, west, containers.worker, 'serve'),
    api: startProgram(lab, east, containers.api, 'serve'),
    store: startProgram(lab, east, containers.store, 'serve'),
    caller: startProgram(lab, east, containers.store, 'drive'),
  }
  const { api, store, cache } = programs
  await api.listen(`port=${ports.dual} family=46`)
  for (const family of [4, 6]) {
    await api.listen(`port=${ports.api} family=${family} copies=4`)
    await api.listen(`port=${ports.fastOpen} family=${family} tfo=1`)
    for (const port of [ports.slow, ports.cutOff, ports.keepalive]) await api.listen(`port=${port} family=${family}`)
    await store.listen(`port=${ports.store} family=${family}`)
    if (hasMultipath(east)) await store.listen(`port=${ports.multipath} family=${family} mptcp=1`)
    await cache.listen(`port=${ports.cache} family=${family}`)
  }

  const all: Program[] = Object.values(programs)
  return {
    lab,
    west,
    east,
    containers,
    programs,
    driver,
    n: (full) => Math.max(1, Math.round(full * scale)),
    halfOpenResets: new Map([
      [west, 0],
      [east, 0],
    ]),
    report,
    namespaceOf,
    close: () => lab.close(),
  }

  function driver(container: Container): Program {
    const program = startProgram(lab, namespaceOf(container), container, 'drive')
    all.push(program)
    return program
  }

  function namespaceOf(container: Container): Namespace {
    return all.find((program) => program.container === container)!.namespace
  }

  async function report(): Promise<Map<Container, Tally[]>> {
    const byContainer = new Map<Container, Tally[]>()
    for (const program of all) {
      await program.command('report')
      byContainer.set(program.container, [...(byContainer.get(program.container) ?? []), ...program.tallies()])
    }
    return byContainer
  }
}

/** So that a phase takes seconds, not minutes, and nothing but the phase decides what happens. */
function configure(namespace: Namespace): void {
  const optional = { optional: true }
  namespace.sysctl('net.ipv4.ip_local_port_range', '10000 49999')
  namespace.sysctl('net.ipv4.tcp_max_syn_backlog', 8192)
  namespace.sysctl('net.ipv4.tcp_syncookies', 0)
  namespace.sysctl('net.ipv4.tcp_fastopen', 3)
  namespace.sysctl('net.ipv4.tcp_fastopen_blackhole_timeout_sec', 0)
  namespace.sysctl('net.ipv4.tcp_syn_linear_timeouts', 0, optional)
  namespace.sysctl('net.ipv4.icmp_ratemask', 0)
  namespace.sysctl('net.ipv6.icmp.ratelimit', 0)
  namespace.sysctl('net.mptcp.enabled', 1, optional)
  namespace.sysctl('net.mptcp.blackhole_timeout', 0, optional)
}

export function hasMultipath(namespace: Namespace): boolean {
  return namespace.run(['sh', '-c', 'cat /proc/sys/net/mptcp/enabled 2>/dev/null || echo 0']).trim() === '1'
}
