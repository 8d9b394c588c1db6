import { readlink } from 'node:fs/promises'
import { lacking } from '../kernel/capabilities.ts'
import type { NamespaceFinder } from '../kernel/namespace-finder.ts'
import type { EchoOptions, NativeProber } from '../kernel/native.ts'
import { noAddresses, type OwnAddresses, readOwnAddresses } from './addresses.ts'

/** A network namespace that something is pinged from. */
export interface ProbedNamespace {
  readonly inode: number
  /** The prober's; -1 until it could be entered. */
  readonly handle: number
  readonly own: OwnAddresses
}

export interface ProbedNamespaces {
  /** One more user; entered with the first. `cgroup`: of a container whose processes may be in it. */
  retain(inode: number, cgroup: string): ProbedNamespace
  /** Its sockets are closed with the last. */
  release(namespace: ProbedNamespace): void
  /** Tries again those that could not be entered, and reads addresses again that are old. */
  refresh(): void
  /** Echo requests sent, by inode, since the start; of the first thousand namespaces, the rest under undefined. */
  sent(): Iterable<[inode: number | undefined, count: number]>
  close(): void
}

export interface ProbedNamespacesOptions {
  readonly prober: NativeProber
  readonly echo: EchoOptions
  readonly finder: NamespaceFinder
  /** A namespace was entered, or its addresses were read again. */
  readonly onReady: (namespace: ProbedNamespace) => void
  readonly report: (status: 'ok' | 'down', detail?: string) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

interface State {
  readonly inode: number
  readonly cgroup: string
  users: number
  handle: number
  own: OwnAddresses
  net: string | undefined
  readAtMs: number
  /** Why it could not be entered. */
  failed: string | undefined
  /** It was looked for in vain; once is nothing to speak of: containers come and go. */
  misses: number
  retryAtMs: number
  opening: boolean
}

const RETRY_MS = 15_000
const ADDRESSES_FRESH_MS = 15_000
/** Namespaces with a count of their own: the SDK keeps 2,000 attribute sets of a metric, and never forgets one. */
const COUNTED_MAX = 1_000

/** Network namespaces by inode: entered when something is to be pinged from them, left when nothing is any more. */
export function createProbedNamespaces(options: ProbedNamespacesOptions): ProbedNamespaces {
  const { prober, echo, finder, onReady, report, now = () => performance.now() } = options
  const states = new Map<number, State>()
  /** Counts of handles that were released, by `keyOf`. */
  const sentBefore = new Map<number | undefined, number>()
  const counted = new Set<number>()
  let reported = 'ok'
  let closed = false
  let ownInode: Promise<number> | undefined

  async function enter(state: State): Promise<void> {
    state.opening = true
    state.failed = undefined
    try {
      const handle = await openHandle(state)
      // Nothing is sent before it is known what not to ping.
      await readAddresses(state)
      if (closed) return
      if (state.users === 0) prober.release(handle)
      else state.handle = handle
    } catch (error) {
      state.failed = reasonOf(error as Error & { code?: string })
      state.retryAtMs = now() + RETRY_MS
    }
    state.opening = false
    if (closed || state.users === 0) return
    if (state.handle >= 0) onReady(state)
    tell()
  }

  async function openHandle(state: State): Promise<number> {
    ownInode ??= readlink('/proc/self/ns/net').then((text) => Number(text.replace(/\D+/g, '')))
    if (state.inode === (await ownInode.catch(() => -1))) {
      state.net = '/proc/self/net'
      return prober.open(-1, echo)
    }
    const found = await finder.open(state.inode, state.cgroup)
    if (!found) {
      state.misses++
      throw new Error(notFound())
    }
    state.net = found.net
    try {
      return await prober.open(found.handle.fd, echo)
    } finally {
      await found.handle.close()
    }
  }

  function notFound(): string {
    const denied = finder.denied.filter((code) => code === 'EACCES' || code === 'EPERM')
    return denied.length > 0 ? missing(denied.join(', ')) : 'no process and no name in /run/netns leads to it'
  }

  function reasonOf({ code, message }: Error & { code?: string }): string {
    return code === 'ERR_SETNS_PERMISSION' ? missing(message) : message
  }

  function missing(detail: string): string {
    const capabilities = lacking(['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'])
    return capabilities.length > 0 ? `entering it takes ${capabilities.join(' and ')}` : detail
  }

  async function readAddresses(state: State): Promise<void> {
    state.readAtMs = now()
    if (state.net !== undefined) state.own = await readOwnAddresses(state.net)
  }

  async function readAgain(state: State): Promise<void> {
    await readAddresses(state)
    if (!closed && state.users > 0) onReady(state)
  }

  /** One line for all of them: what they have in common is what can be done about it. */
  function tell(): void {
    const failed = [...states.values()].filter(({ failed, misses }) => failed !== undefined && misses !== 1)
    const reasons = [...new Set(failed.map(({ failed }) => failed))]
    const detail = `there are network namespaces of containers that nothing is pinged from: ${reasons.join('; ')}`
    const next = failed.length === 0 ? 'ok' : detail
    if (next === reported) return
    reported = next
    if (failed.length === 0) report('ok')
    else report('down', detail)
  }

  function keyOf(inode: number): number | undefined {
    if (counted.size < COUNTED_MAX) counted.add(inode)
    return counted.has(inode) ? inode : undefined
  }

  function addSent(counts: Map<number | undefined, number>, { inode, handle }: State): void {
    const key = keyOf(inode)
    counts.set(key, (counts.get(key) ?? 0) + prober.sent(handle))
  }

  return {
    retain(inode, cgroup) {
      let state = states.get(inode)
      if (!state) {
        state = {
          inode,
          cgroup,
          users: 0,
          handle: -1,
          own: noAddresses,
          net: undefined,
          readAtMs: Number.NEGATIVE_INFINITY,
          failed: undefined,
          misses: 0,
          retryAtMs: Number.POSITIVE_INFINITY,
          opening: false,
        }
        states.set(inode, state)
        void enter(state)
      }
      state.users++
      return state
    },
    release({ inode }) {
      const state = states.get(inode)
      if (!state || --state.users > 0) return
      states.delete(inode)
      if (state.handle >= 0) {
        addSent(sentBefore, state)
        prober.release(state.handle)
      }
      if (state.failed !== undefined) tell()
    },
    refresh() {
      for (const state of states.values()) {
        if (state.opening) continue
        if (state.handle < 0 && now() >= state.retryAtMs) void enter(state)
        else if (state.handle >= 0 && now() - state.readAtMs >= ADDRESSES_FRESH_MS) void readAgain(state)
      }
    },
    sent() {
      const counts = new Map(sentBefore)
      for (const state of states.values()) if (state.handle >= 0) addSent(counts, state)
      return counts
    },
    close() {
      closed = true
    },
  }
}
