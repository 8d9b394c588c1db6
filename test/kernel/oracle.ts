import { setTimeout as sleep } from 'node:timers/promises'
import type { Namespace } from './lab.ts'

/**
 * The kernel's own counters of one namespace, by the names of /proc/net/snmp (Tcp) and /proc/net/netstat
 * (TcpExt, MPTcpExt with the prefix MPTcp). What this kernel lacks is absent.
 */
export type Counters = Readonly<Record<string, number>>

const sections = ['Tcp', 'TcpExt', 'MPTcpExt']

export function readCounters(namespace: Namespace): Counters {
  return parseCounters(namespace.run(['cat', '/proc/net/snmp', '/proc/net/netstat']))
}

/** @param text pairs of lines, names and values, each with its section first */
export function parseCounters(text: string): Counters {
  const lines = text.split('\n')
  const counters: Record<string, number> = {}
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [section, ...names] = lines[i]!.split(' ')
    if (!sections.includes(section!.slice(0, -1))) continue
    const values = lines[i + 1]!.split(' ')
    names.forEach((name, at) => {
      counters[section === 'MPTcpExt:' ? `MPTcp${name}` : name] = Number(values[at + 1])
    })
  }
  return counters
}

/** What was counted from one reading to the next; CurrEstab is a state, not a count, and is the later one. */
export function between(before: Counters, after: Counters): Counters {
  const delta: Record<string, number> = {}
  for (const name of Object.keys(after)) delta[name] = after[name]! - (before[name] ?? 0)
  delta.CurrEstab = after.CurrEstab ?? 0
  return delta
}

const watched = ['ActiveOpens', 'PassiveOpens', 'AttemptFails', 'EstabResets', 'CurrEstab', 'RetransSegs']
const passing = new Set(['SYN-SENT', 'SYN-RECV', 'FIN-WAIT-1', 'CLOSING', 'LAST-ACK'])

/** True when no socket waits for the other end: no handshake, no unacknowledged data or FIN. */
export function isQuiet(namespace: Namespace): boolean {
  const sockets = namespace.run(['ss', '-Htan', 'state', 'connected', 'exclude', 'time-wait'])
  return sockets.split('\n').every((line) => {
    const [state, , unacknowledged] = line.split(/\s+/)
    return !line || (!passing.has(state!) && unacknowledged === '0')
  })
}

/**
 * Resolves once all namespaces are quiet and stayed so for `quietMs`.
 * @throws Error after `timeoutMs`, with what was still going on
 */
export async function waitQuiet(
  namespaces: readonly Namespace[],
  { quietMs = 150, timeoutMs = 40_000 }: { readonly quietMs?: number; readonly timeoutMs?: number } = {},
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  let seen = ''
  let since = Date.now()
  while (Date.now() - since < quietMs) {
    const now = namespaces.every(isQuiet) ? fingerprint(namespaces) : ''
    if (now === '' || now !== seen) since = Date.now()
    seen = now
    if (Date.now() > deadline) throw new Error(`not quiet after ${timeoutMs} ms: ${describe(namespaces)}`)
    await sleep(25)
  }
}

function fingerprint(namespaces: readonly Namespace[]): string {
  return namespaces
    .map(readCounters)
    .map((counters) => watched.map((name) => counters[name]).join(' '))
    .join('|')
}

function describe(namespaces: readonly Namespace[]): string {
  return namespaces
    .map((namespace) => `${namespace.name}: ${namespace.run(['ss', '-Htan', 'state', 'connected']).slice(0, 1000)}`)
    .join('\n')
}
