import type { NetworkChaos } from './network-chaos.ts'
import type { Pod } from './pods.ts'
import { isShownAs, type Row } from './tables.ts'
import type { Pair, Seen } from './watch.ts'

/** `partition: all packets from front-end to catalog-0 are lost`. */
export function describeFault(
  chaos: NetworkChaos,
  sides: { selected: readonly Pod[]; targets: readonly Pod[] },
): string {
  const [one, other] = [sides.selected, sides.targets].map((pods) => pods.map(({ name }) => name).join(' and '))
  const where = {
    to: `from ${one} to ${other}`,
    from: `from ${other} to ${one}`,
    both: `between ${one} and ${other}`,
  }[chaos.direction]
  return `${chaos.name}: ${whatHappens(chaos)} ${where}`
}

function whatHappens({ effect }: NetworkChaos): string {
  if (effect === 'partition') return 'no packets pass'
  const { delay, loss, corrupt, bandwidth } = effect
  if (delay) return `packets are ${delay.latencyUs / 1000} ± ${delay.jitterUs / 1000} ms late`
  if (loss) return `${loss.percent} % of the packets are lost`
  if (corrupt) return `${corrupt.percent} % of the packets are damaged`
  return `${bandwidth!.bytesPerSecond / 1000} kB/s pass`
}

interface Timing {
  readonly collection_interval: string
  readonly probes: { readonly interval: string; readonly timeout: string }
}

export function legend(pods: readonly Pod[], { collection_interval, probes }: Timing): string[] {
  const lines = pods.map(({ name, end, port }) => {
    const { ipv4, ipv6 } = end.namespace
    return `  ${name.padEnd(10)}  ${ipv4}  ${ipv6}  ${port ? `port ${port}` : 'calls the others'}`
  })
  const { interval, timeout } = probes
  return [...lines, `  settings: collection_interval ${collection_interval}, probes ${interval}, timeout ${timeout}`]
}

/** A line of what and when, then the newest table: the rows of these pods alone, those of the fault marked. */
export function phase(title: string, seen: readonly Seen[], pods: readonly Pod[], pairs: readonly Pair[]): string[] {
  const table = seen.at(-1)?.table
  const names = pods.flatMap(({ name, port }) => (port === undefined ? [name] : [name, `${name}:${port}`]))
  const isAffected = (row: Row) => pairs.some((pair) => pair.affected && pair.matches(row))
  const rows = table?.rows.filter(({ own }) => names.some((name) => isShownAs(name, own))) ?? []
  return [
    '',
    `── ${title} ──`,
    `  ${table?.titles ?? 'no table came'}`,
    ...rows.map((row) => `${isAffected(row) ? '▶' : ' '} ${row.text}`),
  ]
}
