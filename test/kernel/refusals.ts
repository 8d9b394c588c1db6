import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Container, createLab, type Lab, type Namespace } from './lab.ts'
import { between, type Counters, readCounters } from './oracle.ts'
import { type Program, startProgram } from './programs.ts'

export const PORT = 8001
export const CONNECTIONS = 20
/** Long enough for a retransmit to get lost on the way: data that never got out is not sent "again". */
const LOST_MS = 100
/** Two retransmission timeouts at least, and a loss probe before them. */
const REFUSED_MS = 700
/** A SYN is sent again after a second. */
const SYN_REFUSED_MS = 1300
const UPLOAD = 'exchange up=20000 down=100 for_ms=50'

/** A client's host and a server's, with one container each: what a host retransmits is one link's. */
export interface Pair {
  readonly lab: Lab
  readonly west: Namespace
  readonly east: Namespace
  readonly client: Container
  readonly server: Container
  readonly shop: Program
  readonly address: string
  readonly to: string
}

/** One way for a retransmit to fail in its sender's own kernel. */
export interface Sort {
  readonly name: string
  /** Whose retransmits fail. */
  readonly failing: 'client' | 'server' | 'both' | 'none'
  /** SYN-ACKs are told by their hook alone: see untilExact(). */
  readonly hookOnly?: true
  /** Why it can't be run here. */
  readonly skip?: string | false
  /** From quiet to quiet; `collect` is a cycle in between. */
  run(pair: Pair, collect: Collect): Promise<void>
}

type Collect = () => Promise<unknown>
type Change = (pair: Pair) => void

const queues = ['/sbin/tc', '/usr/sbin/tc'].some((path) => existsSync(path))

export const sorts: readonly Sort[] = [
  { name: 'data that the client’s firewall drops', failing: 'client', run: dataOfTheClient },
  { name: 'data that the server’s firewall drops', failing: 'server', run: dataOfTheServer },
  {
    name: 'data that finds the queue of the device full',
    failing: 'client',
    skip: !queues && 'needs the program tc',
    run: queueFull,
  },
  { name: 'FINs of sockets that nobody holds any more', failing: 'client', run: fins },
  { name: 'data, until the connection is given up', failing: 'client', run: broken },
  { name: 'SYNs, until one gets out', failing: 'client', run: syns },
  { name: 'SYNs, until the kernel or the application gives up', failing: 'client', run: synsForNothing },
  { name: 'some of all, both ways', failing: 'both', run: someOfAll },
  // Of these the kernel counts none, as retransmitted or as failed.
  { name: 'SYN-ACKs', failing: 'none', hookOnly: true, run: synAcks },
  { name: 'data without a route, for which the hook fires too', failing: 'none', run: noRoute },
]

export async function createPair(family: 4 | 6): Promise<Pair> {
  const lab = createLab({ namespaces: 2 })
  const [west, east] = lab.namespaces as [Namespace, Namespace]
  const [client, server] = [lab.container('docker'), lab.container('kubepods')]
  const shop = startProgram(lab, west, client, 'drive')
  await startProgram(lab, east, server, 'serve').listen(`port=${PORT} family=${family}`)
  const address = family === 4 ? east.ipv4 : east.ipv6
  const to = family === 4 ? `${address}:${PORT}` : `[${address}]:${PORT}`
  return { lab, west, east, client, server, shop, address, to }
}

function refuse({ west }: Pair): void {
  west.filter({ output: [`tcp dport ${PORT} drop`] })
}

export function mend({ west, east }: Pair): void {
  for (const namespace of [west, east]) namespace.filter({})
}

async function connect({ shop, to }: Pair): Promise<void> {
  await shop.command(`connect to=${to} n=${CONNECTIONS} end=more`)
}

/** What the command sends gets lost on the way, then is refused at its sender, and then neither. */
async function lostThenRefused(pair: Pair, collect: Collect, command: string, begin: Change, end?: Change) {
  pair.east.filter({ input: [`tcp dport ${PORT} drop`] })
  const done = pair.shop.command(command)
  await sleep(LOST_MS)
  begin(pair)
  await sleep(REFUSED_MS)
  await collect()
  end?.(pair)
  mend(pair)
  await done
}

async function dataOfTheClient(pair: Pair, collect: Collect): Promise<void> {
  await connect(pair)
  await lostThenRefused(pair, collect, UPLOAD, refuse)
  await pair.shop.command('end end=client_fin')
}

async function dataOfTheServer(pair: Pair, collect: Collect): Promise<void> {
  const { shop, west, east } = pair
  await connect(pair)
  // Its ACKs arrive.
  west.filter({ input: [`tcp sport ${PORT} meta length > 200 drop`] })
  const done = shop.command('exchange up=100 down=20000 for_ms=50')
  await sleep(LOST_MS)
  east.filter({ output: [`tcp sport ${PORT} drop`] })
  await sleep(REFUSED_MS)
  await collect()
  mend(pair)
  await done
  await shop.command('end end=server_fin')
}

async function queueFull(pair: Pair, collect: Collect): Promise<void> {
  await connect(pair)
  const queue = ({ west }: Pair, ...words: string[]) => west.run(['tc', 'qdisc', ...words])
  await lostThenRefused(
    pair,
    collect,
    UPLOAD,
    (of) => queue(of, 'replace', 'dev', 'eth0', 'root', 'pfifo', 'limit', '0'),
    (of) => queue(of, 'del', 'dev', 'eth0', 'root'),
  )
  await pair.shop.command('end end=client_fin')
}

async function fins(pair: Pair, collect: Collect): Promise<void> {
  await connect(pair)
  await lostThenRefused(pair, collect, 'end end=more', refuse)
}

async function broken(pair: Pair, collect: Collect): Promise<void> {
  await connect(pair)
  await lostThenRefused(pair, collect, 'stall up=3000 user_timeout_ms=600', refuse)
}

/** The first SYNs don't get out either. */
async function syns(pair: Pair, collect: Collect): Promise<void> {
  refuse(pair)
  const done = pair.shop.command(`connect to=${pair.to} n=${CONNECTIONS} how=batch end=client_fin`)
  await sleep(SYN_REFUSED_MS)
  await collect()
  mend(pair)
  await done
}

async function synsForNothing(pair: Pair, collect: Collect): Promise<void> {
  const { lab, west, client, shop, to } = pair
  west.sysctl('net.ipv4.tcp_syn_retries', 1)
  refuse(pair)
  const timedOut = shop.command(`connect to=${to} n=${CONNECTIONS} how=batch`)
  const other = startProgram(lab, west, client, 'drive')
  const givenUp = other.command(`connect to=${to} n=${CONNECTIONS} how=abort_close wait_ms=${SYN_REFUSED_MS}`)
  await sleep(SYN_REFUSED_MS)
  await collect()
  await Promise.all([timedOut, givenUp])
  mend(pair)
  west.sysctl('net.ipv4.tcp_syn_retries', 6)
}

async function someOfAll(pair: Pair, collect: Collect): Promise<void> {
  await connect(pair)
  const drop = (percent: number) => [`meta l4proto tcp numgen random mod 100 < ${percent} drop`]
  for (const namespace of [pair.west, pair.east]) namespace.filter({ input: drop(25), output: drop(15) })
  const done = pair.shop.command('exchange up=50000 down=50000 for_ms=1000')
  await sleep(1000)
  await collect()
  mend(pair)
  await done
  await pair.shop.command('end end=client_fin')
}

async function synAcks(pair: Pair, collect: Collect): Promise<void> {
  const { east, shop, to } = pair
  const before = readCounters(east)
  east.filter({ output: [`tcp sport ${PORT} tcp flags & (syn | ack) == syn | ack counter drop`] })
  const done = shop.command(`connect to=${to} n=${CONNECTIONS} how=batch end=client_fin`)
  await sleep(SYN_REFUSED_MS)
  const [, dropped] = /counter packets (\d+)/.exec(east.run(['nft', 'list', 'ruleset'])) ?? []
  const { RetransSegs } = between(before, readCounters(east))
  await collect()
  mend(pair)
  await done
  assert.ok(Number(dropped) >= 2 * CONNECTIONS, `${dropped} SYN-ACKs were dropped: none was to be sent again`)
  assert.equal(RetransSegs, 0)
}

async function noRoute(pair: Pair, collect: Collect): Promise<void> {
  await connect(pair)
  const route = ({ west, address }: Pair, verb: string) => west.run(['ip', 'route', verb, 'unreachable', address])
  let [begun, ended]: Counters[] = []
  await lostThenRefused(
    pair,
    collect,
    UPLOAD,
    (of) => {
      route(of, 'add')
      begun = readCounters(of.west)
    },
    (of) => {
      ended = readCounters(of.west)
      route(of, 'del')
    },
  )
  await pair.shop.command('end end=client_fin')
  const { TCPTimeouts = 0, RetransSegs } = between(begun!, ended!)
  assert.ok(TCPTimeouts >= CONNECTIONS, `${TCPTimeouts} timeouts: nothing was to be sent again`)
  assert.equal(RetransSegs, 0)
}
