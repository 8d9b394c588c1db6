import { createDecisions } from './decisions.ts'
import type { ContainerFilter } from './filter.ts'
import { type HostFacts, readHost } from './host.ts'
import type { IdentitySource } from './identity.ts'
import { createRegistry } from './registry.ts'
import type { RuntimeSocket } from './runtimes/find.ts'
import { createRuntimes } from './runtimes/index.ts'
import { createSearch } from './search.ts'
import { initCgroup, socketMakerOf } from './socket-makers.ts'
import type { Containers } from './types.ts'
import type { ViewOptions } from './view.ts'

export { filterOf } from './filter.ts'
export type { HostFacts, HostOptions } from './host.ts'
export { readHost } from './host.ts'
export type { Container, Containers, Runtime } from './types.ts'

export interface ContainersOptions extends ViewOptions {
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
}

/** The kernel's record holds this many bytes of path; a longer one is cut. @see NV_PATH_MAX in bpf/events.h */
const PATH_BYTES_MAX = 511

/**
 * Keeps cgroup id -> container from the kernel's records of cgroups made and removed and from walks of what there is.
 *
 * @example
 * const containers = createContainers({ report: (status, detail) => host.report(id, 'containers', status, detail) })
 * await containers.start()
 * containers.byCgroup(4711n).displayName // 'docker 0123456789ab'
 */
export function createContainers(options: ContainersOptions = {}): Containers {
  const { host = readHost(), lingerMs = 60_000, now = () => performance.now() } = options
  const { sources = [], resolveTimeoutMs = 3_000, filter, podLabels = [], podAnnotations = [] } = options
  const runtimes = createRuntimes({ sockets: options.runtimes, hostRoot: options.hostRoot ?? '/' })
  const decisions = createDecisions({
    describing: { host, clusterName: options.clusterName, podLabels, podAnnotations },
    filter,
    sources: () => [...sources, ...runtimes.sources()],
    resolveTimeoutMs,
    identify: (key, container) => registry.identify(key, container),
    report: (name, status, detail) => options.reportRuntime?.(name, status, detail),
    now,
  })
  const initPath = initCgroup(options.procPath)
  const registry = createRegistry({
    describe: decisions.begin,
    makerOf: (path, identity) => socketMakerOf(path, identity, initPath),
    onBegin: decisions.ask,
    onGone: ({ key }) => decisions.end(key),
    lingerMs,
    now,
  })
  const search = createSearch({
    where: options,
    registry,
    report: (status, detail) => options.report?.(status, detail),
    now,
  })
  for (const source of sources) source.onChange?.(decisions.again)
  let sweepTimer: NodeJS.Timeout | undefined

  return {
    async start() {
      sweepTimer ??= setInterval(registry.sweep, Math.max(1000, lingerMs / 4)).unref()
      await search.start()
    },

    async stop() {
      clearInterval(sweepTimer)
      sweepTimer = undefined
      const searched = search.stop()
      decisions.stop()
      runtimes.close()
      await searched
    },

    byCgroup: (id) => registry.find(id) ?? search.byUnknown(id),
    byNetwork: search.byNetwork,
    makerOf: registry.makerOf,

    cgroupCreated(id, path) {
      if (Buffer.byteLength(path) < PATH_BYTES_MAX) registry.learn(id, path)
      else if (registry.find(id) === undefined) search.byUnknown(id)
    },

    cgroupRemoved: registry.remove,
    onEnd: registry.onEnd,
    onResolved: registry.onResolved,
    onReused: registry.onReused,
    onIdentified: registry.onIdentified,
    identities() {
      const bySource = new Map<string, number>()
      for (const { key } of registry.live()) {
        const source = decisions.sourceOf(key) ?? (search.byNetwork() ? 'network' : 'path')
        bySource.set(source, (bySource.get(source) ?? 0) + 1)
      }
      return { bySource, pending: decisions.pending() }
    },
    resync: search.resync,
  }
}
