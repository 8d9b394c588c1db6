import { lacking } from '../kernel/capabilities.ts'
import type { NamespaceFinder } from '../kernel/namespace-finder.ts'
import type { NativeConntrack } from '../kernel/native.ts'
import { createNodeTables, enterTable } from './node-tables.ts'

/** Connection tracking has a table for each network namespace; these are the ones that are asked. */
export interface TranslatedNamespaces {
  /**
   * Handles of the tables that may know a connection from that namespace: its own, then the nodes'. Undefined: it is
   * being entered, and `ready` is called when that is done, whether it could be or not.
   */
  tables(netns: number, cgroup: string, ready: () => void): readonly number[] | undefined
  /** One could not be asked: they are entered anew, at most every ten seconds, lest what was lacking then lacks for ever. */
  failed(): void
  close(): void
}

type Report = (status: 'ok' | 'down', detail?: string) => void

export interface TranslatedNamespacesOptions {
  readonly conntrack: NativeConntrack
  readonly finder: Pick<NamespaceFinder, 'open' | 'denied'>
  /** Namespaces in which nodes translate, by path, e.g. `/proc/1/ns/net`. */
  readonly nodes: readonly string[]
  readonly reportNodes: Report
  readonly reportContainers: Report
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

interface Table {
  /** Undefined: it is being entered; 0: it can't be. */
  handle: number | undefined
  triedMs: number
  usedMs: number
  readonly ready: (() => void)[]
}

/** A table that nobody asked for so long is left: the kernel keeps a namespace for as long as it is entered. */
const IDLE_MS = 60_000
const SWEEP_MS = 10_000
const RETRY_MS = 10_000

export function createTranslatedNamespaces(options: TranslatedNamespacesOptions): TranslatedNamespaces {
  const { conntrack, finder, nodes, reportNodes, reportContainers, now = () => performance.now() } = options
  const ofNodes = createNodeTables({ conntrack, paths: nodes, report: reportNodes, now })
  const tables = new Map<number, Table>()
  let renewedMs = Number.NEGATIVE_INFINITY
  let sweeper: NodeJS.Timeout | undefined
  let denied = false
  let closed = false

  async function enter(netns: number, cgroup: string, table: Table): Promise<void> {
    let refused = false
    try {
      const opened = await finder.open(netns, cgroup)
      if (opened) {
        try {
          table.handle = await enterTable(conntrack, opened.handle, netns)
        } finally {
          await opened.handle.close()
        }
      } else {
        // One process that a security module hides is no reason; and the namespace may just have gone.
        const able = lacking(['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE']).length === 0
        refused = !able && finder.denied.some((code) => code === 'EACCES' || code === 'EPERM')
      }
    } catch (error) {
      // Its node still may know.
      refused = (error as NodeJS.ErrnoException).code === 'ERR_SETNS_PERMISSION'
    }
    table.handle ??= 0
    table.triedMs = now()
    if (!closed) tell(refused, table.handle > 0)
    for (const ready of table.ready.splice(0)) ready()
  }

  function tell(refused: boolean, entered: boolean): void {
    if (refused && !denied) {
      denied = true
      const capabilities = lacking(['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'])
      const reason = capabilities.length > 0 ? `it takes ${capabilities.join(' and ')}` : 'the kernel refuses it'
      reportContainers(
        'down',
        `address translation in network namespaces of containers is not seen where they can't be entered: ${reason}`,
      )
    } else if (entered && denied) {
      denied = false
      reportContainers('ok')
    }
  }

  function sweep(): void {
    for (const [netns, { handle, usedMs }] of tables)
      if (handle !== undefined && now() - usedMs >= IDLE_MS) leave(netns, handle)
    if (tables.size > 0) return
    clearInterval(sweeper)
    sweeper = undefined
  }

  function leave(netns: number, handle: number): void {
    tables.delete(netns)
    if (handle > 0) conntrack.release(handle)
  }

  function tableOf(netns: number, cgroup: string): Table {
    const known = tables.get(netns)
    if (known && !(known.handle === 0 && now() - known.triedMs >= RETRY_MS)) return known
    const table: Table = { handle: undefined, triedMs: now(), usedMs: now(), ready: [] }
    tables.set(netns, table)
    sweeper ??= setInterval(sweep, SWEEP_MS).unref()
    void enter(netns, cgroup, table)
    return table
  }

  return {
    tables(netns, cgroup, ready) {
      if (closed) return []
      const current = ofNodes.current(ready)
      if (current === undefined) return undefined
      const handles = current.map(({ handle }) => handle)
      if (current.some(({ inode }) => inode === netns)) return handles
      const table = tableOf(netns, cgroup)
      table.usedMs = now()
      if (table.handle === undefined) {
        table.ready.push(ready)
        return undefined
      }
      return table.handle > 0 ? [table.handle, ...handles] : handles
    },
    failed() {
      if (closed || now() - renewedMs < RETRY_MS) return
      renewedMs = now()
      ofNodes.renew()
      for (const [netns, { handle }] of tables) if (handle !== undefined) leave(netns, handle)
    },
    close() {
      closed = true
      clearInterval(sweeper)
      ofNodes.close()
      tables.clear()
    },
  }
}
