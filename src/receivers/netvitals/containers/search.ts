import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CgroupDirectory } from './cgroupfs.ts'
import { isNetworkId } from './networks.ts'
import type { Registry } from './registry.ts'
import type { Container } from './types.ts'
import { findView, type View, type ViewOptions } from './view.ts'

/**
 * Finds what no record told of: walks at the start and after a loss, and looks for an id that is asked for.
 *
 * An id that is not known (a record was lost, its path was cut) is looked for at once, for some milliseconds; where that
 * is not enough the answer is `host`, the view is walked in the background, and the registry tells when the answer was
 * wrong. An id that a whole walk did not meet belongs to a cgroup that is gone: it stays `host`.
 */
export interface Search {
  start(): Promise<void>
  stop(): Promise<void>
  /** Of an id that the registry does not know. */
  byUnknown(id: bigint): Container
  /** Walks everything again, once for all who ask meanwhile. */
  resync(): Promise<void>
  /** Network namespaces are walked in place of cgroups. */
  byNetwork(): boolean
}

export interface SearchOptions {
  readonly where: ViewOptions
  readonly registry: Registry
  /** At start, and when a walk fails or works again: whether ids are found, and why not. */
  readonly report: (status: 'ok' | 'down', detail?: string) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now: () => number
}

/**
 * Most time that looking for one unknown id may take, milliseconds, and how long it is before the next: at least so
 * many, and so many times what it took.
 */
const LOOK = { allowedMs: 10, pauseMs: 50, pauseFactor: 20 }
/** The same where all processes must be looked at, and no record tells what begins. */
const LOOK_AT_PROCESSES = { allowedMs: 30, pauseMs: 10, pauseFactor: 5 }
/** At most one walk in the background per second, which gives the event loop back after WALK_SLICE_MS. */
const WALK_PAUSE_MS = 1000
const WALK_SLICE_MS = 4
/** No record tells of network namespaces that come and go: they are walked so often, and for that part of the time. */
const NETWORKS_PAUSE_MS = 1_000
const NETWORKS_PAUSE_FACTOR = 50

export function createSearch({ where, registry, report, now }: SearchOptions): Search {
  let view: View | undefined
  let reported: string | undefined
  let walking: Promise<void> | undefined
  let walkTimer: NodeJS.Timeout | undefined
  let networksTimer: NodeJS.Timeout | undefined
  let nextLookMs = Number.NEGATIVE_INFINITY
  let stopped = false

  function say(status: 'ok' | 'down', detail?: string): void {
    if (reported === `${status} ${detail}`) return
    reported = `${status} ${detail}`
    report(status, detail)
  }

  function see(directory: CgroupDirectory | undefined): void {
    if (directory === undefined) return
    if (view!.networks) registry.seeAnew(directory)
    else registry.see(directory)
  }

  function byUnknown(id: bigint): Container {
    if (id === 0n) return registry.host
    const seen = view !== undefined && (!view.networks || isNetworkId(id)) ? view : undefined
    const mayLook = seen && !stopped && !registry.isUnknown(id) && now() >= nextLookMs
    const whole = mayLook && look(id, seen)
    const found = registry.find(id)
    if (found !== undefined) return found
    registry.answeredHost(id)
    if (whole) registry.settle(id)
    else if (seen) walkSoon()
    return registry.host
  }

  /** Looks through the view now, as far as the time allows. True: it saw all of it or what it looked for. */
  function look(id: bigint, { what, walk, networks }: View): boolean {
    const began = now()
    const { allowedMs, pauseMs, pauseFactor } = networks ? LOOK_AT_PROCESSES : LOOK
    try {
      for (const directory of walk()) {
        see(directory)
        // Networks come together, at the end.
        if (directory?.id === id && !networks) return true
        if (now() - began > allowedMs) return false
      }
      return true
    } catch (error) {
      say('down', `cannot walk ${what}: ${(error as Error).message}`)
      return false
    } finally {
      nextLookMs = now() + Math.max(pauseMs, (now() - began) * pauseFactor)
    }
  }

  function walkSoon(): void {
    if (walkTimer !== undefined || stopped) return
    walkTimer = setTimeout(() => {
      walkTimer = undefined
      void resync()
    }, WALK_PAUSE_MS).unref()
  }

  function walkAgain(afterMs: number): void {
    clearTimeout(networksTimer)
    networksTimer = setTimeout(async () => {
      const began = now()
      await resync()
      if (!stopped) walkAgain(Math.max(NETWORKS_PAUSE_MS, (now() - began) * NETWORKS_PAUSE_FACTOR))
    }, afterMs).unref()
  }

  function resync(): Promise<void> {
    walking ??= walk().finally(() => {
      walking = undefined
    })
    return walking
  }

  async function walk(): Promise<void> {
    if (view === undefined || stopped) return
    const { what, partial, networks } = view
    const asked = registry.unknownIds()
    registry.beginWalk()
    try {
      let sliceEndsMs = now() + WALK_SLICE_MS
      for (const directory of view.walk()) {
        see(directory)
        if (now() < sliceEndsMs) continue
        await nextTurn()
        if (stopped) return
        sliceEndsMs = now() + WALK_SLICE_MS
      }
    } catch (error) {
      say('down', `cannot walk ${what}: ${(error as Error).message}`)
      return
    }
    if (networks) registry.endWalk(isNetworkId)
    // What a part of the hierarchy does not show may be alive elsewhere.
    else if (!partial) registry.endWalk()
    for (const id of asked) registry.settle(id)
    if (registry.unknownIds().length > 0) walkSoon()
    if (partial) say('down', partialView(what))
    else if (!networks) say('ok')
  }

  return {
    async start() {
      stopped = false
      const found = findView(where)
      view = found.view
      if (found.problem !== undefined) say('down', found.problem)
      await resync()
      if (view?.networks && !stopped) walkAgain(NETWORKS_PAUSE_MS)
    },
    async stop() {
      stopped = true
      clearTimeout(walkTimer)
      clearTimeout(networksTimer)
      walkTimer = networksTimer = undefined
      await walking
    },
    byUnknown,
    resync,
    byNetwork: () => view?.networks === true,
  }
}

function partialView(root: string): string {
  return `${root} shows only a part of the cgroup2 hierarchy: containers elsewhere that were there before the start are counted as host; run in the host's cgroup namespace, or mount the host's /sys/fs/cgroup and set containers::cgroup_root to it`
}
