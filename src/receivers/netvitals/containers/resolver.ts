import type { Identity, IdentitySource } from './identity.ts'
import type { CgroupIdentity } from './parse-path.ts'

export interface ResolverOptions {
  /** Sources there are now, the one to believe first. Asked again with each try: sockets come and go. */
  readonly sources: () => readonly IdentitySource[]
  readonly onFound: (container: CgroupIdentity, identity: Identity) => void
  /** Once when asking a source begins to fail, and when it works again. */
  readonly report: (source: string, status: 'ok' | 'down', detail?: string) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

/** Finds out what containers are called, beside the event path. */
export interface Resolver {
  /** Asks until somebody knows it. Twice for one key is once. */
  want(container: CgroupIdentity): void
  /** It ended. */
  drop(key: string): void
  /** These are answered otherwise from now on. */
  again(containerIds: readonly string[]): void
  /** Containers that nobody knew yet. */
  readonly pending: number
  stop(): void
}

interface Wanted {
  readonly container: CgroupIdentity
  tries: number
  asking: boolean
  found: boolean
  timer: NodeJS.Timeout | undefined
}

/** Between two tries for a container, with up to a quarter more; the last one from then on. */
const PAUSES_MS = [250, 1_000, 3_000, 10_000, 30_000, 60_000]
/** Lookups under way at once: a thousand containers at the start must not storm a runtime. */
const ASKING_MAX = 8
/** A source that fails is left alone for so long, doubled with each failure. */
const BACK_OFF_MS = 1_000
const BACK_OFF_MAX_MS = 60_000

export function createResolver({ sources, onFound, report, now = () => performance.now() }: ResolverOptions): Resolver {
  const wanted = new Map<string, Wanted>()
  const queue: Wanted[] = []
  const troubles = new Map<IdentitySource, { failures: number; untilMs: number }>()
  let asking = 0
  let stopped = false

  function want(container: CgroupIdentity): void {
    if (stopped || wanted.has(container.key)) return
    const entry: Wanted = { container, tries: 0, asking: false, found: false, timer: undefined }
    wanted.set(container.key, entry)
    enqueue(entry)
  }

  function enqueue(entry: Wanted): void {
    if (entry.asking) return
    entry.asking = true
    queue.push(entry)
    pump()
  }

  function pump(): void {
    while (asking < ASKING_MAX && queue.length > 0) {
      const entry = queue.shift()!
      asking++
      void look(entry).finally(() => {
        asking--
        entry.asking = false
        pump()
      })
    }
  }

  async function look(entry: Wanted): Promise<void> {
    const { container } = entry
    for (const source of sources()) {
      if (wanted.get(container.key) !== entry) return
      if (!source.mayKnow(container) || now() < (troubles.get(source)?.untilMs ?? 0)) continue
      const identity = await ask(source, container)
      if (stopped || wanted.get(container.key) !== entry) return
      if (identity === undefined) continue
      entry.found = true
      onFound(container, identity)
      return
    }
    if (!entry.found) tryLater(entry)
  }

  async function ask(source: IdentitySource, container: CgroupIdentity): Promise<Identity | undefined> {
    try {
      const identity = await source.lookup(container)
      if (troubles.delete(source)) report(source.name, 'ok')
      return identity
    } catch (error) {
      const failures = (troubles.get(source)?.failures ?? 0) + 1
      troubles.set(source, { failures, untilMs: now() + Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** (failures - 1)) })
      if (failures === 1 && !stopped) report(source.name, 'down', (error as Error).message)
      return undefined
    }
  }

  function tryLater(entry: Wanted): void {
    const pauseMs = PAUSES_MS[Math.min(entry.tries++, PAUSES_MS.length - 1)]!
    clearTimeout(entry.timer)
    entry.timer = setTimeout(() => enqueue(entry), pauseMs * (1 + Math.random() / 4)).unref()
  }

  function forget(entry: Wanted): void {
    clearTimeout(entry.timer)
    wanted.delete(entry.container.key)
  }

  return {
    want,
    drop(key) {
      const entry = wanted.get(key)
      if (entry) forget(entry)
    },
    again(containerIds) {
      const ids = new Set(containerIds)
      for (const entry of wanted.values())
        if (entry.container.id !== undefined && ids.has(entry.container.id)) enqueue(entry)
    },
    get pending() {
      let count = 0
      for (const { found } of wanted.values()) if (!found) count++
      return count
    },
    stop() {
      stopped = true
      for (const entry of [...wanted.values()]) forget(entry)
      queue.length = 0
    },
  }
}
