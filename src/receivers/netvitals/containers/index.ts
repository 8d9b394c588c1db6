import { setImmediate as nextTurn } from 'node:timers/promises'
import { type CgroupDirectory, type CgroupMount, checkMount, findCgroupMount, walkCgroups } from './cgroupfs.ts'
import { describeContainer } from './describe.ts'
import type { ContainerFilter } from './filter.ts'
import { type HostFacts, readHost } from './host.ts'
import type { Identity, IdentitySource } from './identity.ts'
import { NETWORK, walkNetworks } from './networks.ts'
import type { CgroupIdentity } from './parse-path.ts'
import { createRegistry } from './registry.ts'
import { createResolver } from './resolver.ts'
import type { RuntimeSocket } from './runtimes/find.ts'
import { createRuntimes } from './runtimes/index.ts'
import { initCgroup, socketMakerOf } from './socket-makers.ts'
import type { Container, Containers } from './types.ts'

export { filterOf } from './filter.ts'
export type { HostFacts, HostOptions } from './host.ts'
export { readHost } from './host.ts'
export type { Container, Containers, Runtime } from './types.ts'

export interface ContainersOptions {
  /** Mount point of the cgroup2 hierarchy; found in /proc/self/mountinfo when absent. */
  readonly cgroupRoot?: string | undefined
  readonly host?: HostFacts
  /** k8s.cluster.name */
  readonly clusterName?: string | undefined
  /** Runtimes to ask; the well-known sockets that there are when absent. */
  readonly runtimes?: readonly RuntimeSocket[] | undefined
  /** Where the host's root is mounted, for the well-known sockets. */
  readonly hostRoot?: string
  /** Asked before the runtimes. */
  readonly sources?: readonly IdentitySource[]
  /** How long a container's first export waits for its name, milliseconds. */
  readonly resolveTimeoutMs?: number
  /** Of which containers series are wanted; all of them when absent. */
  readonly filter?: ContainerFilter | undefined
  readonly podLabels?: readonly string[]
  readonly podAnnotations?: readonly string[]
  /** Told when a runtime can't be asked, or can again. */
  readonly reportRuntime?: (name: string, status: 'ok' | 'down', detail?: string) => void
  /** Told at start, and when a walk fails or works again: whether ids are found, and why not. */
  readonly report?: (status: 'ok' | 'down', detail?: string) => void
  /** Milliseconds for which a removed cgroup's id still names its container. */
  readonly lingerMs?: number
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
  /** Where this process' mounts are listed. */
  readonly mountinfoPath?: string
  /** Where processes are listed. */
  readonly procPath?: string
}

/** What is walked to find containers. */
interface View {
  readonly what: string
  /** There may be more containers than it shows. */
  readonly partial: boolean
  /** Network namespaces in place of cgroups. */
  readonly networks: boolean
  readonly walk: () => Iterable<CgroupDirectory | undefined>
}

/** The kernel's record holds this many bytes of path; a longer one is cut. @see NV_PATH_MAX in bpf/events.h */
const PATH_BYTES_MAX = 511
/**
 * Most time that one byCgroup of an unknown id may take to look for it, milliseconds, and how long it is before the
 * next: at least so many, and so many times what it took.
 */
const LOOK = { allowedMs: 10, pauseMs: 50, pauseFactor: 20 }
/** The same where all processes must be looked at, and no record tells what begins. */
const LOOK_AT_PROCESSES = { allowedMs: 30, pauseMs: 10, pauseFactor: 5 }
/** A decision, or a name, may be so late. */
const LATE_MS = 5_000
/** At most one walk in the background per second, which gives the event loop back after WALK_SLICE_MS. */
const WALK_PAUSE_MS = 1000
const WALK_SLICE_MS = 4
/** No record tells of network namespaces that come and go: they are walked so often, and for that part of the time. */
const NETWORKS_PAUSE_MS = 1_000
const NETWORKS_PAUSE_FACTOR = 50

/**
 * Keeps cgroup id -> container from the kernel's records of cgroups made and removed and from a walk at start.
 *
 * An id that is not known (a record was lost, its path was cut) is looked for at once in the mounted hierarchy, for
 * some milliseconds; where that is not enough `byCgroup` answers `host`, the hierarchy is walked in the background, and
 * `onResolved` tells when the answer was wrong. An id that a whole walk did not meet belongs to a cgroup that is
 * gone: it stays `host`.
 *
 * @example
 * const containers = createContainers({ report: (status, detail) => host.report(id, 'containers', status, detail) })
 * await containers.start()
 * containers.byCgroup(4711n).displayName // 'docker 0123456789ab'
 */
export function createContainers(options: ContainersOptions = {}): Containers {
  const { host = readHost(), lingerMs = 60_000, now = () => performance.now() } = options
  const { sources = [], resolveTimeoutMs = 3_000, filter, podLabels = [], podAnnotations = [] } = options
  const describing = { host, clusterName: options.clusterName, podLabels, podAnnotations }
  const runtimes = createRuntimes({ sockets: options.runtimes, hostRoot: options.hostRoot ?? '/' })
  const identities = new Map<string, Identity>()
  /** Timers of containers that may turn out to be unwanted. */
  const undecided = new Map<string, NodeJS.Timeout>()
  const resolver = createResolver({
    sources: () => [...sources, ...runtimes.sources()],
    onFound: identified,
    report: (name, status, detail) => options.reportRuntime?.(name, status, detail),
    lateMs: resolveTimeoutMs + LATE_MS,
    now,
  })
  const registry = createRegistry({
    describe: begin,
    makerOf: (path, identity) => socketMakerOf(path, identity, initPath),
    onBegin(container) {
      if (container.id !== undefined || container.podUid !== undefined) resolver.want(container)
    },
    onGone({ key }) {
      resolver.end(key)
      identities.delete(key)
    },
    lingerMs,
    now,
  })
  for (const source of sources) source.onChange?.(resolver.again)
  const initPath = initCgroup(options.procPath)
  let view: View | undefined
  let reported: string | undefined
  let walking: Promise<void> | undefined
  let walkTimer: NodeJS.Timeout | undefined
  let sweepTimer: NodeJS.Timeout | undefined
  let networksTimer: NodeJS.Timeout | undefined
  let nextLookMs = Number.NEGATIVE_INFINITY
  let stopped = false

  /** As its path alone tells. Who might know more is asked, and until then its first export is worth waiting with. */
  function begin(container: CgroupIdentity): Container {
    // The one before it.
    if (undecided.has(container.key)) decide(container)
    const unsure = [...sources, ...runtimes.sources()].some((source) => source.mayKnow(container))
    if (!unsure) return decided(container, undefined)
    const unsureUntilMs = Date.now() + resolveTimeoutMs
    const described = describeContainer(container, describing)
    if (filter === undefined) return Object.freeze({ ...described, unsureUntilMs })
    undecided.set(container.key, setTimeout(decide, resolveTimeoutMs, container).unref())
    // Not before the decision, which comes by a timer.
    return Object.freeze({ ...described, unsureUntilMs: unsureUntilMs + LATE_MS, undecided: true })
  }

  function identified(container: CgroupIdentity, identity: Identity): void {
    if (decide(container, identity)) identities.set(container.key, identity)
  }

  /** By the name that was found, or because nobody said one in time. True: the container is there. */
  function decide(container: CgroupIdentity, identity?: Identity): boolean {
    clearTimeout(undecided.get(container.key))
    undecided.delete(container.key)
    return registry.identify(container.key, decided(container, identity))
  }

  function decided(container: CgroupIdentity, identity: Identity | undefined): Container {
    const described = describeContainer(container, describing, identity)
    return filter === undefined || filter(container, identity)
      ? described
      : Object.freeze({ ...described, excluded: true })
  }

  function say(status: 'ok' | 'down', detail?: string): void {
    if (reported === `${status} ${detail}`) return
    reported = `${status} ${detail}`
    options.report?.(status, detail)
  }

  function findMount(): CgroupMount {
    if (options.cgroupRoot === undefined) return findCgroupMount(options.mountinfoPath)
    const found = checkMount(options.cgroupRoot.replace(/(?<=.)\/+$/, ''))
    if (found !== undefined) return found
    throw new Error(
      `containers::cgroup_root: "${options.cgroupRoot}" is no cgroup2 file system; write its mount point, such as /sys/fs/cgroup, or leave the key out`,
    )
  }

  function findView(): View | undefined {
    try {
      const { root, partial } = findMount()
      return { what: root, partial, networks: false, walk: () => walkCgroups(root) }
    } catch (error) {
      const { message } = error as Error
      if (options.cgroupRoot !== undefined) {
        say('down', `${message}: until then everything is counted as host`)
        return undefined
      }
      const { procPath = '/proc' } = options
      say(
        'down',
        `${message}: until then containers are told by their network namespaces, and those on the host's are host`,
      )
      return { what: procPath, partial: false, networks: true, walk: () => walkNetworks(procPath) }
    }
  }

  function see(directory: CgroupDirectory | undefined): void {
    if (directory === undefined) return
    if (view!.networks) registry.seeAnew(directory)
    else registry.see(directory)
  }

  function byUnknown(id: bigint): Container {
    if (id === 0n) return registry.host
    const seen = view !== undefined && (!view.networks || isNetwork(id)) ? view : undefined
    const mayLook = seen && !stopped && !registry.isUnknown(id) && now() >= nextLookMs
    const whole = mayLook && look(id, seen)
    const found = registry.find(id)
    if (found !== undefined) return found
    registry.answeredHost(id)
    if (whole) registry.settle(id)
    else if (seen) walkSoon()
    return registry.host
  }

  /** Looks through the hierarchy now, as far as the time allows. True: it saw all of it or what it looked for. */
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
    if (networks) registry.endWalk(isNetwork)
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
      sweepTimer ??= setInterval(registry.sweep, Math.max(1000, lingerMs / 4)).unref()
      view = findView()
      await resync()
      if (view?.networks && !stopped) walkAgain(NETWORKS_PAUSE_MS)
    },

    async stop() {
      stopped = true
      clearTimeout(walkTimer)
      clearInterval(sweepTimer)
      clearTimeout(networksTimer)
      walkTimer = sweepTimer = networksTimer = undefined
      resolver.stop()
      runtimes.close()
      for (const timer of undecided.values()) clearTimeout(timer)
      undecided.clear()
      await walking
    },

    byCgroup: (id) => registry.find(id) ?? byUnknown(id),
    byNetwork: () => view?.networks === true,
    makerOf: registry.makerOf,

    cgroupCreated(id, path) {
      if (Buffer.byteLength(path) < PATH_BYTES_MAX) registry.learn(id, path)
      else if (registry.find(id) === undefined) byUnknown(id)
    },

    cgroupRemoved: registry.remove,
    onEnd: registry.onEnd,
    onResolved: registry.onResolved,
    onReused: registry.onReused,
    onIdentified: registry.onIdentified,
    identities() {
      const bySource = new Map<string, number>()
      for (const { key } of registry.live()) {
        const source = identities.get(key)?.source ?? (view?.networks ? 'network' : 'path')
        bySource.set(source, (bySource.get(source) ?? 0) + 1)
      }
      return { bySource, pending: resolver.pending }
    },
    resync,
  }
}

const isNetwork = (id: bigint) => Number(id >> 32n) === NETWORK

function partialView(root: string): string {
  return `${root} shows only a part of the cgroup2 hierarchy: containers elsewhere that were there before the start are counted as host; run in the host's cgroup namespace, or mount the host's /sys/fs/cgroup and set containers::cgroup_root to it`
}
