import { open } from 'node:fs/promises'
import type { NamespaceFinder } from '../kernel/namespace-finder.ts'
import type { NativeConntrack } from '../kernel/native.ts'

/** Connection tracking has a table for each network namespace; these are the ones that are asked. */
export interface TranslatedNamespaces {
  /**
   * Handles of the tables that may know a connection from that namespace: its own, then the nodes'. Undefined: it is
   * being entered, and `ready` is called when that is done, whether it could be or not.
   */
  tables(netns: number, cgroup: string, ready: () => void): readonly number[] | undefined
  close(): void
}

export interface TranslatedNamespacesOptions {
  readonly conntrack: NativeConntrack
  readonly finder: Pick<NamespaceFinder, 'open'>
  /** Namespaces in which nodes translate, by path, e.g. `/proc/1/ns/net`. */
  readonly nodes: readonly string[]
  readonly report: (status: 'ok' | 'down', detail?: string) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

interface Table {
  /** Undefined: it is being entered; 0: it can't be. */
  handle: number | undefined
  usedMs: number
  readonly ready: (() => void)[]
}

/** A table that nobody asked for so long is left; one that could not be entered is tried again. */
const IDLE_MS = 60_000
const HOST = '/proc/1/ns/net'

export function createTranslatedNamespaces(options: TranslatedNamespacesOptions): TranslatedNamespaces {
  const { conntrack, finder, nodes, report, now = () => performance.now() } = options
  const tables = new Map<number, Table>()
  /** Inode and handle; one whose namespace could not be entered is left out. */
  let ofNodes: readonly { readonly inode: number; readonly handle: number }[] | undefined
  let entering: Promise<void> | undefined
  let sweptMs = now()
  let closed = false

  async function enterNodes(): Promise<void> {
    const found: { inode: number; handle: number }[] = []
    const failed: string[] = []
    for (const path of nodes) {
      try {
        const entered = await enterPath(path)
        if (!found.some(({ inode }) => inode === entered.inode)) found.push(entered)
      } catch (error) {
        // Where init is hidden from this process its own network stands for the host's, as it does where it runs as it should.
        const own = path === HOST ? await enterPath('/proc/self/ns/net').catch(() => undefined) : undefined
        if (own) found.push(own)
        else failed.push(`${path}: ${(error as NodeJS.ErrnoException).message}`)
      }
    }
    ofNodes = found
    if (failed.length === 0) return report('ok')
    report('down', `address translation of these namespaces is not seen: ${failed.join(', ')}`)
  }

  async function enterPath(path: string): Promise<{ inode: number; handle: number }> {
    const file = await open(path)
    try {
      const { ino: inode } = await file.stat()
      const own = (await inodeOf('/proc/self/ns/net')) === inode
      return { inode, handle: await conntrack.open(own ? -1 : file.fd) }
    } finally {
      await file.close()
    }
  }

  async function inodeOf(path: string): Promise<number> {
    const file = await open(path)
    try {
      return (await file.stat()).ino
    } finally {
      await file.close()
    }
  }

  async function enter(netns: number, cgroup: string, table: Table): Promise<void> {
    try {
      const opened = await finder.open(netns, cgroup)
      if (opened) {
        try {
          table.handle = await conntrack.open(opened.handle.fd)
        } finally {
          await opened.handle.close()
        }
      }
    } catch {
      // Its node still may know.
    }
    table.handle ??= 0
    for (const ready of table.ready.splice(0)) ready()
  }

  function sweep(nowMs: number): void {
    if (nowMs - sweptMs < IDLE_MS) return
    sweptMs = nowMs
    for (const [netns, { handle, usedMs }] of tables) {
      if (handle === undefined || nowMs - usedMs < IDLE_MS) continue
      tables.delete(netns)
      if (handle > 0) conntrack.release(handle)
    }
  }

  return {
    tables(netns, cgroup, ready) {
      if (closed) return []
      const nowMs = now()
      sweep(nowMs)
      if (ofNodes === undefined) {
        entering ??= enterNodes().catch((error) => {
          ofNodes = []
          report('down', `address translation is not seen: ${(error as Error).message}`)
        })
        void entering.then(ready)
        return undefined
      }
      const handles = ofNodes.map(({ handle }) => handle)
      if (ofNodes.some(({ inode }) => inode === netns)) return handles
      let table = tables.get(netns)
      if (table === undefined) {
        table = { handle: undefined, usedMs: nowMs, ready: [] }
        tables.set(netns, table)
        void enter(netns, cgroup, table)
      }
      table.usedMs = nowMs
      if (table.handle === undefined) {
        table.ready.push(ready)
        return undefined
      }
      return table.handle > 0 ? [table.handle, ...handles] : handles
    },
    close() {
      closed = true
      tables.clear()
    },
  }
}
