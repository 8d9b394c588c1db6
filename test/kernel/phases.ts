import { setTimeout as sleep } from 'node:timers/promises'
import type { Namespace } from './lab.ts'
import type { Program } from './programs.ts'
import { hasMultipath, ports, type World } from './world.ts'

/**
 * The workload, a phase at a time, from quiet to quiet. A phase says what it does to the network; what comes of each
 * connection is the programs' to tell.
 */
export interface Phase {
  readonly name: string
  run(world: World): Promise<void>
  /** It waits for timers: takes seconds, and what it brings about happens in whatever task a timer interrupts. */
  readonly timers?: true
  /** Why it can't be run here. */
  skip?(world: World): string | undefined
}

/** Connections that are there before anything watches: 40 that live on, 20 in CLOSE_WAIT. */
export async function openExisting({ programs, east }: World): Promise<void> {
  const { keeper, closeWaiter } = programs
  await inTurn(
    keeper,
    both(east, ports.api).map((to) => `connect to=${to} n=20 end=more up=5000 down=7000`),
  )
  await inTurn(
    closeWaiter,
    both(east, ports.dual).map((to) => `connect to=${to} n=10 end=more`),
  )
  await closeWaiter.command('exchange end=server_half up=3000 down=2000')
}

export const phases: readonly Phase[] = [
  { name: 'accepted, closed by either side or half', run: ordinary },
  { name: 'dialled from the other side too', run: reverse },
  { name: 'non-blocking, io_uring, IPv4-mapped', run: ways },
  { name: 'descriptors dup2ed, passed, inherited', run: descriptors },
  { name: 'children that live milliseconds, exits without close', run: processes },
  { name: 'refused, and tried again', run: refused },
  { name: 'reset by either side', run: resets },
  { name: 'TCP Fast Open', run: fastOpen },
  { name: 'Multipath TCP', run: multipath, skip: ({ east }) => (hasMultipath(east) ? undefined : 'no Multipath TCP') },
  { name: 'connected to itself', run: toItself },
  { name: 'never accepted', run: neverAccepted },
  { name: 'no local port left', run: noPort },
  { name: 'given up by the application', run: aborted, timers: true },
  { name: 'no answer, unreachable, cut off', run: unanswered, timers: true },
  { name: 'SYN-ACKs lost, half-open requests reset', run: synAcksLost, timers: true },
  { name: 'retransmits that do not get out', run: cannotSend, timers: true },
  { name: 'held open', run: heldOpen },
  { name: 'held ones ended, those from before the start too', run: heldEnded },
]

async function ordinary({ programs, east, n }: World): Promise<void> {
  const shop = inTurn(programs.shop, [
    ...both(east, ports.api).map((to) => `connect to=${to} n=${n(2000)} end=client_fin up=200 down=1500`),
    ...both(east, ports.api).map((to) => `connect to=${to} n=${n(2000)} end=server_fin up=300 down=200`),
    ...both(east, ports.dual).map((to) => `connect to=${to} n=${n(500)} end=half up=3000 down=9000`),
  ])
  const worker = inTurn(programs.worker, [
    ...both(east, ports.store).map((to) => `connect to=${to} n=${n(500)} end=server_half up=100 down=20000`),
    ...both(east, ports.store).map((to) => `connect to=${to} n=${n(500)} end=half up=40000 down=100`),
    ...both(east, ports.api).map((to) => `connect to=${to} n=${n(100)} end=client_fin up=90000 down=90000`),
  ])
  await Promise.all([shop, worker])
}

async function reverse({ programs, west, east, n }: World): Promise<void> {
  const caller = both(west, ports.cache).flatMap((to) => [
    `connect to=${to} n=${n(1000)} end=server_fin`,
    `connect to=${to} n=${n(1000)} end=client_fin up=2000 down=10`,
  ])
  const worker = both(east, ports.store).map((to) => `connect to=${to} n=${n(500)} end=client_fin`)
  await Promise.all([inTurn(programs.caller, caller), inTurn(programs.worker, worker)])
}

async function ways({ programs, east, n }: World): Promise<void> {
  const shop = both(east, ports.api).flatMap((to) => [
    `connect to=${to} n=${n(500)} how=nonblock end=client_fin`,
    `connect to=${to} n=${n(200)} how=batch end=server_fin`,
  ])
  const mapped = [
    `connect to=${east.ipv4}:${ports.dual} n=${n(400)} mapped=1 end=server_fin`,
    `connect to=${east.ipv4}:${ports.store} n=${n(200)} mapped=1 end=client_fin`,
  ]
  await Promise.all([inTurn(programs.shop, shop), inTurn(programs.worker, mapped)])
  for (const to of both(east, ports.api)) {
    try {
      await programs.shop.command(`connect to=${to} n=${n(250)} how=uring end=client_fin`)
    } catch (error) {
      if (!/Function not implemented|Operation not permitted/.test(String(error))) throw error
    }
  }
}

async function descriptors({ programs, east, n }: World): Promise<void> {
  const commands = (port: number) =>
    both(east, port).flatMap((to) => [
      `connect to=${to} n=${n(200)} fd=dup end=client_fin`,
      `connect to=${to} n=${n(200)} fd=scm end=server_fin`,
      `connect to=${to} n=${n(100)} fd=fork end=client_fin`,
      `connect to=${to} n=${n(100)} fd=fork end=client_rst`,
    ])
  await Promise.all([inTurn(programs.shop, commands(ports.api)), inTurn(programs.worker, commands(ports.store))])
}

async function processes({ programs, east, n }: World): Promise<void> {
  const exits = both(east, ports.api).map((to) => `connect to=${to} n=${n(1500)} fd=exit end=more`)
  const children = both(east, ports.store).map((to) => `connect to=${to} n=${n(200)} fd=exec parallel=4 end=more`)
  await Promise.all([inTurn(programs.shop, exits), inTurn(programs.worker, children)])
}

async function refused({ programs, east, n }: World): Promise<void> {
  const shop = both(east, ports.closed).flatMap((to) => [
    `connect to=${to} n=${n(300)}`,
    `connect to=${to} n=${n(200)} how=batch`,
    `connect to=${to} n=${n(50)} how=nonblock`,
  ])
  const worker = both(east, ports.store).map((to) => `connect to=${to} n=${n(50)} how=retry retry_port=${ports.closed}`)
  await Promise.all([inTurn(programs.shop, shop), inTurn(programs.worker, worker)])
}

const resetEnds = [
  'client_rst',
  'server_rst',
  'client_unread',
  'server_unread',
  'client_unspec',
  'client_half_rst',
  'server_half_rst',
]

async function resets({ programs, east, n }: World): Promise<void> {
  const commands = (port: number) =>
    resetEnds.flatMap((end) =>
      // After a half-close the ACK of the FIN is a delayed one: 40 ms each.
      both(east, port).map((to) => `connect to=${to} n=${n(/half/.test(end) ? 10 : 60)} end=${end} up=900 down=3000`),
    )
  await Promise.all([inTurn(programs.shop, commands(ports.api)), inTurn(programs.worker, commands(ports.store))])
}

async function fastOpen({ programs, east, n }: World): Promise<void> {
  const { shop } = programs
  for (const to of both(east, ports.fastOpen)) {
    await shop.command(`connect to=${to} n=1 how=tfo_send`) // asks for the cookie
    for (const how of ['tfo_send', 'tfo_connect']) {
      await shop.command(`connect to=${to} n=${n(150)} how=${how} end=client_fin up=700`)
      await shop.command(`connect to=${to} n=${n(100)} how=${how} end=server_fin down=5000`)
      await shop.command(`connect to=${to} n=${n(20)} how=${how} end=half`)
      await shop.command(`connect to=${to} n=${n(20)} how=${how} end=client_rst`)
    }
    // Without a cookie the server's kernel takes the SYN and not the data.
    await shop.command(`connect to=${to} n=${n(50)} how=tfo_send_no_cookie up=700`)
    await shop.command(`connect to=${to} n=${n(20)} how=abort_unsent`)
  }
  for (const to of both(east, ports.closed)) await shop.command(`connect to=${to} n=${n(20)} how=tfo_connect up=700`)
  for (const to of both(east, ports.api)) await shop.command(`connect to=${to} n=${n(20)} how=tfo_send up=700`)
}

async function multipath({ programs, east, n }: World): Promise<void> {
  const ends = ['client_fin', 'server_fin', 'half', 'server_half']
  const commands = ends.flatMap((end) => [
    ...both(east, ports.multipath).map((to) => `connect to=${to} n=${n(40)} mptcp=1 end=${end} up=5000 down=5000`),
    ...both(east, ports.multipath).map((to) => `connect to=${to} n=${n(40)} end=${end}`),
    ...both(east, ports.store).map((to) => `connect to=${to} n=${n(40)} mptcp=1 end=${end}`),
  ])
  const closed = both(east, ports.closed).map((to) => `connect to=${to} n=${n(20)} mptcp=1`)
  await inTurn(programs.worker, [...commands, ...closed])
}

/** A simultaneous open with one socket: outbound, whatever the states say. */
async function toItself({ programs, west, n }: World): Promise<void> {
  for (const to of both(west, ports.itself)) await programs.shop.command(`connect to=${to} n=${n(10)} how=self up=1000`)
}

async function neverAccepted({ programs, east, n }: World): Promise<void> {
  for (const to of both(east, ports.idle)) {
    await programs.api.listen(`to=${to} idle=1`)
    await programs.shop.command(`connect to=${to} n=${n(30)} how=batch end=unaccepted`)
  }
  await programs.api.command(`close port=${ports.idle}`)
  await programs.shop.command('end end=unaccepted')
}

/** The sender's own firewall takes what is sent again: the kernel counts these as it counts others. */
async function cannotSend({ programs, west, east, n }: World): Promise<void> {
  const { shop } = programs
  await inTurn(
    shop,
    both(east, ports.api).map((to) => `connect to=${to} n=${n(20)} end=more`),
  )
  // Lost on the way first: what never got out at all is not sent "again".
  east.filter({ input: [`tcp dport ${ports.api} drop`] })
  const exchange = shop.command('exchange up=3000 down=100 for_ms=100')
  await sleep(100)
  west.filter({ output: [`tcp dport ${ports.api} drop`] })
  await sleep(700)
  east.filter({})
  west.filter({})
  await exchange
  await shop.command('end end=client_fin')
}

async function noPort({ programs, west, east, n }: World): Promise<void> {
  west.sysctl('net.ipv4.ip_local_port_range', '50000 50003')
  for (const to of both(east, ports.api)) {
    await programs.shop.command(`connect to=${to} n=${n(30)} end=more`)
    // The port is the application's choice, and taken: the socket has a local port when it fails.
    await programs.shop.command(`connect to=${to} n=${n(5)} bind_port=50100 end=more`)
    await programs.shop.command(`connect to=${to} n=${n(5)} how=batch end=more`)
  }
  west.sysctl('net.ipv4.ip_local_port_range', '10000 49999')
  await programs.shop.command('end end=client_fin')
}

async function aborted({ programs, containers, east, n, driver }: World): Promise<void> {
  east.filter({ input: [`tcp dport ${ports.dropped} drop`] })
  const ways = ['close', 'unspec', 'linger', 'shutdown', 'exit']
  const shop = ways.flatMap((way) =>
    both(east, ports.dropped).map((to) => `connect to=${to} n=${n(60)} how=abort_${way} wait_ms=20`),
  )
  const worker = [
    ...both(east, ports.dropped).map((to) => `connect to=${to} n=${n(20)} how=abort_sndtimeo wait_ms=10`),
    `connect to=${east.ipv4}:${ports.dropped} n=${n(20)} how=abort_close wait_ms=5 mapped=1`,
  ]
  // Long enough for one SYN to go twice.
  const longer = both(east, ports.dropped).map((to) =>
    driver(containers.worker).command(`connect to=${to} n=${n(20)} how=abort_close wait_ms=1200`),
  )
  await Promise.all([inTurn(programs.shop, shop), inTurn(programs.worker, worker), ...longer])
  east.filter({})
}

async function unanswered(world: World): Promise<void> {
  const { west, east, containers, programs, n, driver } = world
  west.sysctl('net.ipv4.tcp_syn_retries', 1)
  await inTurn(
    programs.shop,
    both(east, ports.cutOff).map((to) => `connect to=${to} n=${n(30)} end=more`),
  )
  await inTurn(
    programs.worker,
    both(east, ports.keepalive).map((to) => `connect to=${to} n=${n(30)} end=keepalive`),
  )
  east.filter({
    input: [
      `tcp dport { ${ports.dropped}, ${ports.cutOff}, ${ports.keepalive} } drop`,
      `tcp dport ${ports.hostUnreachable} reject with icmpx type host-unreachable`,
      `meta nfproto ipv4 tcp dport ${ports.netUnreachable} reject with icmp type net-unreachable`,
      `meta nfproto ipv6 tcp dport ${ports.netUnreachable} reject with icmpv6 type no-route`,
      `meta nfproto ipv6 tcp dport ${ports.prohibited} reject with icmpv6 type admin-prohibited`,
    ],
  })
  // The server's keepalive gives up with a RST, which shall not get there.
  west.filter({ input: [`tcp sport ${ports.keepalive} drop`] })
  const batch = (to: string, full: number, more = '') => `connect to=${to} n=${n(full)} how=batch ${more}`
  const neighbourless = ['10.213.0.77:80', '[fd6e:7600::77]:80']
  await Promise.all([
    programs.shop.command('stall up=3000 user_timeout_ms=1500'),
    ...both(east, ports.dropped).map((to) => driver(containers.shop).command(batch(to, 150))),
    driver(containers.worker).command(batch(both(east, ports.dropped)[0]!, 20, 'mptcp=1')),
    ...neighbourless.map((to) => driver(containers.worker).command(batch(to, 10))),
    inTurn(driver(containers.worker), [
      ...both(east, ports.hostUnreachable).map((to) => batch(to, 30)),
      ...both(east, ports.netUnreachable).map((to) => batch(to, 30)),
      `connect to=${both(east, ports.netUnreachable)[0]} n=${n(30)} how=batch_patient`,
      batch(both(east, ports.prohibited)[1]!, 10),
      `connect to=192.0.2.1:80 n=${n(10)} unrouted=1`,
      `connect to=[2001:db8::1]:80 n=${n(10)} unrouted=1`,
    ]),
  ])
  west.filter({})
  east.filter({})
  west.sysctl('net.ipv4.tcp_syn_retries', 6)
  // What is left of the broken ones: neither side knows of the other any more, so a FIN is answered by a RST.
  await programs.api.command(`close port=${ports.cutOff}`)
  await programs.worker.command('end end=more')
}

async function synAcksLost({ programs, containers, west, east, n, driver, halfOpenResets }: World): Promise<void> {
  west.filter({ input: [`tcp sport ${ports.slow} tcp flags & (syn | ack) == syn | ack drop`] })
  const patient = both(east, ports.slow).map((to) =>
    driver(containers.worker).command(`connect to=${to} n=${n(40)} how=batch end=client_fin`),
  )
  // Their SYN-ACKs arrive, after a second, where there is no socket any more.
  const given = n(60)
  for (const to of both(east, ports.slow)) {
    await programs.shop.command(`connect to=${to} n=${given} how=abort_close wait_ms=20`)
    halfOpenResets.set(east, halfOpenResets.get(east)! + given)
  }
  await sleep(400)
  west.filter({})
  await Promise.all(patient)
}

async function heldOpen({ programs, east, n }: World): Promise<void> {
  await inTurn(
    programs.shop,
    both(east, ports.api).map((to) => `connect to=${to} n=${n(300)} end=more`),
  )
  await inTurn(
    programs.worker,
    both(east, ports.store).map((to) => `connect to=${to} n=${n(100)} end=more`),
  )
  await programs.worker.command('exchange end=server_half')
  await programs.keeper.command('exchange up=10000 down=20000 end=more')
}

async function heldEnded({ programs }: World): Promise<void> {
  await programs.shop.command('end end=server_fin up=100 down=100')
  await programs.worker.command('end end=more')
  await programs.keeper.command('end end=client_fin')
  await programs.closeWaiter.command('end end=more')
}

export function both(namespace: Namespace, port: number): string[] {
  return [`${namespace.ipv4}:${port}`, `[${namespace.ipv6}]:${port}`]
}

export async function inTurn(program: Program, commands: readonly string[]): Promise<void> {
  for (const command of commands) await program.command(command)
}
