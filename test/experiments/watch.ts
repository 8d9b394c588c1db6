import { setTimeout as sleep } from 'node:timers/promises'
import type { Child } from '../e2e/child.ts'
import type { Pod } from './pods.ts'
import { isShownAs, type Row, readTables, type Table } from './tables.ts'

/** A table, and when it came: since the watching began. */
export interface Seen {
  readonly table: Table
  readonly elapsedMs: number
}

/** Two containers that talk, in one address family. */
export interface Pair {
  readonly name: string
  readonly affected: boolean
  matches(row: Row): boolean
}

const POLL_MS = 50

/**
 * The tables that come from now on, until `done` or the time is over.
 * @throws Error when the program ends
 */
export async function watchTables(
  program: Child,
  timeoutMs: number,
  done: (seen: readonly Seen[]) => boolean,
): Promise<Seen[]> {
  const seen: Seen[] = []
  const before = readTables(program.stdout()).length
  const began = performance.now()
  while (performance.now() - began < timeoutMs) {
    await sleep(POLL_MS)
    if (!program.running()) throw new Error(`netvitals ended:\n${program.stderr()}`)
    const elapsedMs = performance.now() - began
    const fresh = readTables(program.stdout()).slice(before + seen.length)
    seen.push(...fresh.map((table) => ({ table, elapsedMs })))
    if (fresh.length > 0 && done(seen)) break
  }
  return seen
}

/** Every connection that the callers make, by address; a fault concerns those between its two sides. */
export function pairsOf(pods: readonly Pod[], sides: { selected: readonly Pod[]; targets: readonly Pod[] }): Pair[] {
  const { selected, targets } = sides
  const between = (a: Pod, b: Pod) =>
    (selected.includes(a) && targets.includes(b)) || (selected.includes(b) && targets.includes(a))
  const callers = pods.filter(({ port }) => port === undefined)
  return callers.flatMap((caller) =>
    pods
      .filter(({ port }) => port !== undefined)
      .flatMap((called) => {
        const { ipv4, ipv6 } = called.end.namespace
        return [`${ipv4}:${called.port}`, `[${ipv6}]:${called.port}`].map((peer) => ({
          name: `${caller.name} → ${called.name} ${peer}`,
          affected: between(caller, called),
          matches: (row: Row) =>
            row.direction === 'outbound' && isShownAs(caller.name, row.own) && isShownAs(peer, row.peer),
        }))
      }),
  )
}

/** What a pair's row says, in each table that has one. */
export function rowsOf(pair: Pair, seen: readonly Seen[]): { readonly row: Row; readonly elapsedMs: number }[] {
  return seen.flatMap(({ table, elapsedMs }) => {
    const row = table.rows.find(pair.matches)
    return row ? [{ row, elapsedMs }] : []
  })
}

export function statusesOf(pairs: readonly Pair[], seen: readonly Seen[]): Set<string> {
  return new Set(pairs.flatMap((pair) => rowsOf(pair, seen).map(({ row }) => row.status)))
}

/** Pings that had an answer, milliseconds. */
export function pingsOf(pairs: readonly Pair[], seen: readonly Seen[]): number[] {
  const texts = pairs.flatMap((pair) => rowsOf(pair, seen).map(({ row }) => row.ping))
  return texts.flatMap((text) => {
    const [, value, unit] = /^<?([\d.]+) (ms|s)$/.exec(text) ?? []
    return value === undefined ? [] : [Number(value) * (unit === 's' ? 1000 : 1)]
  })
}

/** `ping lost 2.0 s, failed 4.1 s`: what changed in a pair's row, and when it was first seen there. */
export function changesOf(pair: Pair, seen: readonly Seen[], from: Row | undefined): string {
  const parts: string[] = []
  let status = from?.status
  let lost = from?.ping === 'lost'
  for (const { row, elapsedMs } of rowsOf(pair, seen)) {
    if (row.status !== status) parts.push(`${row.status} ${formatSeconds(elapsedMs)}`)
    if (!lost && row.ping === 'lost') parts.push(`ping lost ${formatSeconds(elapsedMs)}`)
    status = row.status
    lost ||= row.ping === 'lost'
  }
  return parts.join(', ')
}

export const formatSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
