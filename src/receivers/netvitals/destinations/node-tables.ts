import { type FileHandle, open, stat } from 'node:fs/promises'
import type { NativeConntrack } from '../kernel/native.ts'

/** The connection tracking of the nodes, which translate for the containers on them. */
export interface NodeTables {
  /** Those that could be entered. Undefined: that is being done for the first time; `ready` is called when it is. */
  current(ready: () => void): readonly NodeTable[] | undefined
  /** They are all entered anew with their next use. */
  renew(): void
  close(): void
}

export interface NodeTable {
  /** Of the network namespace. */
  readonly inode: number
  readonly handle: number
}

export interface NodeTablesOptions {
  readonly conntrack: NativeConntrack
  /** Of network namespaces, e.g. `/proc/1/ns/net`. */
  readonly paths: readonly string[]
  readonly report: (status: 'ok' | 'down', detail?: string) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now: () => number
}

/** A node that restarts has another namespace under the same path; one that could not be entered may be there by then. */
const FRESH_MS = 60_000
const RETRY_MS = 10_000
const HOST = '/proc/1/ns/net'
const OWN = '/proc/self/ns/net'

export function createNodeTables({ conntrack, paths, report, now }: NodeTablesOptions): NodeTables {
  let tables: readonly NodeTable[] | undefined
  let entering: Promise<void> | undefined
  let nextMs = Number.NEGATIVE_INFINITY
  let anew = false
  let told: string | undefined
  let closed = false

  async function enter(): Promise<void> {
    const known = anew ? [] : (tables ?? [])
    anew = false
    const found: NodeTable[] = []
    const failed: string[] = []
    for (const path of paths) {
      try {
        const table = await enterPath(path, [...found, ...known])
        if (!found.includes(table)) found.push(table)
      } catch (error) {
        failed.push(`${path}: ${(error as NodeJS.ErrnoException).message}`)
      }
    }
    if (closed) return
    for (const { handle } of tables ?? [])
      if (!found.some((table) => table.handle === handle)) conntrack.release(handle)
    tables = found
    nextMs = now() + (failed.length > 0 ? RETRY_MS : FRESH_MS)
    tell(failed)
  }

  /** Where init is hidden from this process its own network stands for the host's, as it does where it runs as it should. */
  function enterPath(path: string, known: readonly NodeTable[]): Promise<NodeTable> {
    const table = enterFile(path, known)
    return path === HOST ? table.catch(() => enterFile(OWN, known)) : table
  }

  async function enterFile(path: string, known: readonly NodeTable[]): Promise<NodeTable> {
    const file = await open(path)
    try {
      const { ino: inode } = await file.stat()
      return known.find((table) => table.inode === inode) ?? { inode, handle: await enterTable(conntrack, file, inode) }
    } finally {
      await file.close()
    }
  }

  function tell(failed: readonly string[]): void {
    const next = failed.join(', ')
    if (next === told) return
    told = next
    if (failed.length === 0) report('ok')
    else report('down', `address translation of these namespaces is not seen: ${next}`)
  }

  return {
    current(ready) {
      if (closed) return []
      if (now() >= nextMs)
        entering ??= enter().finally(() => {
          entering = undefined
        })
      if (tables === undefined) void entering!.then(ready)
      return tables
    },
    renew() {
      anew = true
      nextMs = Number.NEGATIVE_INFINITY
    },
    close() {
      closed = true
    },
  }
}

/** Enters the network namespace with this inode, which `file` is of. Its own takes a process no capability to enter. */
export async function enterTable(conntrack: NativeConntrack, file: FileHandle, inode: number): Promise<number> {
  const own = (await stat(OWN)).ino === inode
  return conntrack.open(own ? -1 : file.fd)
}
