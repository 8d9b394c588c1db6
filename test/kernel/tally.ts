/** What a program of the workload knows of its own connections with one destination (workload/workload.h). */
export interface Tally {
  readonly direction: 'outbound' | 'inbound'
  readonly family: 4 | 6
  /** Outbound: the address connected to; inbound: the program's own. */
  readonly address: string
  readonly port: number
  /** ESTABLISHED or CLOSE_WAIT now. */
  open: number
  opened: number
  readonly failed: Record<string, number>
  /** Of the failed ones: not one SYN was sent. */
  noSyn: number
  /**
   * Of the failed ones: an ICMP error that came while connect() held the socket. The kernel would go on trying, but
   * tells the program (IPv4 from 5.13 on), which closes the socket in SYN_SENT: AttemptFails does not count it.
   */
  soft: number
  /** connect() calls that the routing table refused: nothing was tried. */
  unseen: number
  readonly broken: Record<string, number>
  /** Bytes that the peer's kernel acknowledged. */
  sent: number
  /** Bytes that arrived, read or not. */
  received: number
  /** By TCP_INFO, of connections while they were open. */
  retransData: number
  retransHandshake: number
}

/** What the programs of one namespace saw together, in the terms of the kernel's counters. */
export interface Seen {
  readonly outbound: number
  readonly inbound: number
  readonly failedWithSyn: number
  /** Failures that the kernel counts in AttemptFails: the network's, not the application's. */
  readonly failedByNetwork: number
  readonly broken: number
  readonly open: number
}

const counts = ['opened', 'noSyn', 'soft', 'unseen', 'sent', 'received', 'retransData', 'retransHandshake'] as const

/** Adds reports up: everything since the start, and what is open now. */
export function createTallies() {
  const tallies = new Map<string, Tally>()
  return { add, all: () => [...tallies.values()], clone }

  function add(report: readonly Tally[]): void {
    for (const one of report) {
      const key = `${one.direction} ${one.address} ${one.port}`
      const sum = tallies.get(key)
      if (!sum) {
        tallies.set(key, structuredClone(one))
        continue
      }
      sum.open = one.open
      for (const name of counts) sum[name] += one[name]
      addKinds(sum.failed, one.failed)
      addKinds(sum.broken, one.broken)
    }
  }

  function clone(): Tally[] {
    return structuredClone([...tallies.values()])
  }
}

export function addKinds(to: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [kind, n] of Object.entries(from)) to[kind] = (to[kind] ?? 0) + n
}

export function sumKinds(kinds: Readonly<Record<string, number>>, except: readonly string[] = []): number {
  let sum = 0
  for (const [kind, n] of Object.entries(kinds)) if (!except.includes(kind)) sum += n
  return sum
}

export function seen(tallies: readonly Tally[]): Seen {
  const sum = (pick: (tally: Tally) => number) => tallies.reduce((total, tally) => total + pick(tally), 0)
  return {
    outbound: sum((t) => (t.direction === 'outbound' ? t.opened : 0)),
    inbound: sum((t) => (t.direction === 'inbound' ? t.opened : 0)),
    failedWithSyn: sum((t) => sumKinds(t.failed) - t.noSyn),
    failedByNetwork: sum((t) => sumKinds(t.failed, ['aborted', 'address_not_available']) - t.soft),
    broken: sum((t) => sumKinds(t.broken)),
    open: sum((t) => t.open),
  }
}
