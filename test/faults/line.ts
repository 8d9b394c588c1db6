import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileProgram } from '../support/compile.ts'
import { addressesOf } from './addresses.ts'
import type { Emulation, End, Path } from './types.ts'

const SOURCE = join(import.meta.dirname, 'line')
/** Long enough for a machine that is busy. */
const START_MS = 10_000

export interface Line {
  stop(): Promise<void>
}

/** What a packet was to wait, and what it had waited just before it was let go: microseconds. */
export interface HeldPacket {
  readonly length: number
  readonly meantUs: number
  readonly heldUs: number
}

let queues = 0

/**
 * netem's stand-in (line/main.c) for the packets of a path, where netem stands too: on their way out of the sender,
 * where its kernel counts them as sent, and before the receiver stamps them. A firewall rule hands them to a queue,
 * and they go on when they may. Neighbour discovery passes, as ARP does.
 *
 * @param log file for a line a packet: `readHeldPackets`
 */
export async function startLine({ from, to }: Path, emulation: Emulation, log?: string): Promise<Line> {
  const queue = ++queues
  const program = [compileProgram(SOURCE), String(queue), ...words(emulation), ...(log ? [`log=${log}`] : [])]
  const child = spawn('nsenter', [`--net=${from.namespace.path}`, '--', ...program], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const added: [command: string, rule: string[]][] = []
  try {
    await ready(child)
    for (const [command, rule] of rulesOf(to, queue)) {
      change('-A', command, rule)
      added.push([command, rule])
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { stop }

  async function stop(): Promise<void> {
    for (const [command, rule] of added.splice(0).toReversed()) change('-D', command, rule)
    child.stdin!.end()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  function change(how: '-A' | '-D', command: string, rule: readonly string[]): void {
    from.namespace.run([command, '-w', '-t', 'mangle', how, 'POSTROUTING', ...rule])
  }
}

export function readHeldPackets(log: string): HeldPacket[] {
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => {
    const [length, meantUs, heldUs] = line.split(' ').map(Number) as [number, number, number]
    return { length, meantUs, heldUs }
  })
}

function words({ delay, loss, corrupt, bandwidth }: Emulation): string[] {
  const chance = (name: string, of: Emulation['loss']) =>
    of ? [`${name}=${of.percent}`, `${name}_correlation=${of.correlationPercent}`] : []
  return [
    ...(delay
      ? [`delay_us=${delay.latencyUs}`, `jitter_us=${delay.jitterUs}`, `delay_correlation=${delay.correlationPercent}`]
      : []),
    ...chance('loss', loss),
    ...chance('corrupt', corrupt),
    ...(bandwidth
      ? [`rate=${bandwidth.bytesPerSecond}`, `limit=${bandwidth.limitBytes}`, `buffer=${bandwidth.bufferBytes}`]
      : []),
  ]
}

/** By iptables: nftables' own queue statement is missing in kernels that have its target. */
function rulesOf(to: End, queue: number): [command: string, rule: string[]][] {
  const toQueue = ['-j', 'NFQUEUE', '--queue-num', String(queue), '--queue-bypass']
  const pass = (address: string, type: string) => ['-d', address, '-p', 'icmpv6', '--icmpv6-type', type, '-j', 'RETURN']
  const { ipv4, ipv6 } = addressesOf(to)
  return [
    ...ipv4.map((each): [string, string[]] => ['iptables', ['-d', each, ...toQueue]]),
    ...ipv6.flatMap((each): [string, string[]][] => [
      ['ip6tables', pass(each, 'neighbour-solicitation')],
      ['ip6tables', pass(each, 'neighbour-advertisement')],
      ['ip6tables', ['-d', each, ...toQueue]],
    ]),
  ]
}

async function ready(child: ChildProcess): Promise<void> {
  let said = ''
  child.stderr!.on('data', (chunk) => {
    said += chunk
  })
  child.stdin!.on('error', () => {})
  const timeout = setTimeout(() => child.kill('SIGKILL'), START_MS)
  const first = await Promise.race([once(child.stdout!, 'data'), once(child, 'close')])
  clearTimeout(timeout)
  if (String(first[0]) !== 'ready\n') throw new Error(`the delay line did not start: ${said.trim() || first.join(' ')}`)
}
