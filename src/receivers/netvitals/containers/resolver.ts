import type { Identity, IdentitySource } from './identity.ts'
import type { CgroupIdentity } from './parse-path.ts'
import { createSourceGate, type SourceGate } from './source-gate.ts'

export interface ResolverOptions {
  /** Sources there are now, the one to believe first. Asked again with each try: sockets come and go. */
  readonly sources: () => readonly IdentitySource[]
  readonly onFound: (container: CgroupIdentity, identity: Identity) => void
  /** Once when asking a source begins to fail, and when it works again. */
  readonly report: (part: string, status: 'ok' | 'down', detail?: string) => void
  /** How long the name of a container that ended is still asked for, milliseconds. */
  readonly lateMs: number
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

/** Finds out what containers are called, beside the event path. */
export interface Resolver {
  /** Asks until somebody knows it. Twice for one key is once. */
  want(container: CgroupIdentity): void
  /** It ended: asked for a little longer, because what it did may not have been told yet. */
  end(key: string): void
  /** These are answered otherwise from now on. */
  again(containerIds: readonly string[]): void
  /** Containers that nobody knew yet and somebody might. */
  readonly pending: number
  stop(): void
}

interface Wanted {
  readonly container: CgroupIdentity
  tries: number
  asking: boolean
  /** Something changed while it was being asked for. */
  stale: boolean
  /** Who told it. What changes from there on is asked of that one and of those to believe before it. */
  foundBy: IdentitySource | undefined
  /** Somebody might know it. */
  hopeful: boolean
  askUntilMs: number
  timer: NodeJS.Timeout | undefined
}

/**
 * Between two tries for a container, with up to a quarter more; the last one from then on. What nobody knew is asked
 * for at once where a source is new or works again.
 */
const PAUSES_MS = [250, 1_000, 3_000, 10_000, 30_000, 60_000, 300_000]

/** Between two looks for new sources. */
const WATCH_MS = 5_000

export function createResolver(options: ResolverOptions): Resolver {
  const { sources, onFound, report, lateMs, now = () => performance.now() } = options
  const wanted = new Map<string, Wanted>()
  const gates = new Map<IdentitySource, SourceGate>()
  let looked = false
  let watch: NodeJS.Timeout | undefined
  let stopped = false

  const tell: ResolverOptions['report'] = (...what) => {
    if (!stopped) report(...what)
  }

  function want(container: CgroupIdentity): void {
    if (stopped) return
    const before = wanted.get(container.key)
    if (before?.askUntilMs === Number.POSITIVE_INFINITY) return
    if (before) forget(before)
    const entry: Wanted = {
      ...{ container, tries: 0, asking: false, stale: false, foundBy: undefined, hopeful: false, timer: undefined },
      askUntilMs: Number.POSITIVE_INFINITY,
    }
    wanted.set(container.key, entry)
    watch ??= setInterval(sourcesNow, WATCH_MS).unref()
    look(entry)
  }

  function look(entry: Wanted): void {
    if (entry.asking) {
      entry.stale = true
      return
    }
    clearTimeout(entry.timer)
    entry.asking = true
    entry.stale = false
    void askAll(entry).finally(() => {
      entry.asking = false
      if (!isCurrent(entry)) return
      if (entry.stale) look(entry)
      else if (entry.foundBy ? ended(entry) : now() >= entry.askUntilMs) forget(entry)
      else if (!entry.foundBy) tryLater(entry)
    })
  }

  const isCurrent = (entry: Wanted) => !stopped && wanted.get(entry.container.key) === entry
  const ended = ({ askUntilMs }: Wanted) => askUntilMs < Number.POSITIVE_INFINITY

  async function askAll(entry: Wanted): Promise<void> {
    const { container } = entry
    // Not within the batch of records that told of it.
    await Promise.resolve()
    const able = sourcesNow().filter((source) => source.mayKnow(container))
    entry.hopeful = able.length > 0
    for (const source of able) {
      const identity = await gates.get(source)!.ask(container)
      if (!isCurrent(entry)) return
      if (identity !== undefined) {
        entry.foundBy = source
        onFound(container, identity)
        return
      }
      if (source === entry.foundBy) return
    }
  }

  /** Also sees which are new: they may know what nobody did. */
  function sourcesNow(): readonly IdentitySource[] {
    const current = sources()
    const fresh = current.filter((source) => !gates.has(source))
    for (const source of fresh)
      gates.set(source, createSourceGate({ source, report: tell, onWorks: askForUnknown, now }))
    if (fresh.length > 0 && looked) queueMicrotask(askForUnknown)
    looked = true
    return current
  }

  function askForUnknown(): void {
    for (const entry of wanted.values()) if (!entry.foundBy && !entry.asking) look(entry)
  }

  function tryLater(entry: Wanted): void {
    const pauseMs = PAUSES_MS[Math.min(entry.tries++, PAUSES_MS.length - 1)]!
    entry.timer = setTimeout(look, pauseMs * (1 + Math.random() / 4), entry).unref()
  }

  function forget(entry: Wanted): void {
    clearTimeout(entry.timer)
    wanted.delete(entry.container.key)
  }

  return {
    want,
    end(key) {
      const entry = wanted.get(key)
      if (entry === undefined) return
      if (entry.asking || (entry.hopeful && !entry.foundBy)) entry.askUntilMs = now() + lateMs
      else forget(entry)
    },
    again(containerIds) {
      const ids = new Set(containerIds)
      for (const entry of wanted.values())
        if (entry.container.id !== undefined && ids.has(entry.container.id)) look(entry)
    },
    get pending() {
      let count = 0
      for (const entry of wanted.values()) if (entry.hopeful && !entry.foundBy && !ended(entry)) count++
      return count
    },
    stop() {
      stopped = true
      clearInterval(watch)
      for (const entry of [...wanted.values()]) forget(entry)
    },
  }
}
