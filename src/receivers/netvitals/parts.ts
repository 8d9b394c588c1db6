import type { Settings } from '../../component/types.ts'
import type { Config } from './config.ts'
import type { Links } from './connections/links.ts'
import type { Connections } from './connections/types.ts'
import { findCgroupMount } from './containers/cgroupfs.ts'
import { type KubernetesSource, keepOf } from './containers/kubernetes-source.ts'
import type { Containers } from './containers/types.ts'
import { startTranslation } from './destinations/start-translation.ts'
import type { Translation } from './destinations/translation.ts'
import type { Destinations } from './destinations/types.ts'
import { Conn } from './kernel/decode.ts'
import { createProber } from './kernel/prober.ts'
import { type Cluster, startCluster } from './kubernetes/index.ts'
import type { Store } from './metrics/types.ts'
import { type Probes, startProbes } from './probes/index.ts'
import { observeProbes, observeTranslation } from './self.ts'

/** What a configuration may do without: it runs beside the stages, and each reports for itself. */
export interface Parts {
  /**
   * Before the first record: what is there already then has its name from the first, and probes are told of every
   * destination that is new. False: stopped meanwhile.
   */
  start(): Promise<boolean>
  /** The newest first. */
  stop(): void
  readonly cluster: Cluster | undefined
  readonly translation: Translation | undefined
  readonly probes: Probes | undefined
}

export interface PartsOptions {
  readonly settings: Settings
  readonly config: Config
  readonly nodeName: string | undefined
  readonly pods: KubernetesSource
  readonly containers: Containers
  readonly destinations: Destinations
  readonly links: Links
  readonly connections: Connections
  readonly store: Store
  readonly reportAs: (part: string) => (status: 'ok' | 'down', detail?: string) => void
}

export function createParts(options: PartsOptions): Parts {
  const { settings, config, nodeName, pods, containers, destinations, links, connections, store, reportAs } = options
  const ends: (() => void)[] = []
  let stopped = false
  let cluster: Cluster | undefined
  let translation: Translation | undefined
  let probes: Probes | undefined

  async function name() {
    cluster = await startCluster({
      config: config.kubernetes,
      nodeName,
      keep: keepOf(config.containers),
      waitMs: config.containers.resolve_timeout,
      report: reportAs('kubernetes'),
      log: settings.log,
    })
    if (cluster === undefined) return
    const { index, close } = cluster
    ends.push(() => {
      pods.close()
      destinations.use(undefined)
      close()
    })
    if (stopped) return
    pods.use(index)
    destinations.use(index)
  }

  function translate() {
    if (!config.destinations.translation.enabled) return
    translation = startTranslation({
      config: config.destinations.translation,
      cgroupRoot: config.containers.cgroup_root ?? cgroupMount(),
      cgroupOf: (records) => containers.byCgroup(Conn.cgroupId(records)).key,
      onAnswer: connections.applyAnswered,
      report: reportAs('translation'),
    })
    if (translation === undefined) return
    connections.translate(translation)
    const unobserve = observeTranslation(settings, translation)
    const { close } = translation
    // What is held is counted now, as answered by whom it dialled.
    ends.push(() => {
      unobserve()
      close()
      connections.translate(undefined)
    })
  }

  function probe() {
    if (!config.probes.enabled) return
    probes = startProbes({
      config: config.probes,
      latency: config.latency,
      links,
      destinations,
      store,
      createProber,
      cgroupRoot: config.containers.cgroup_root ?? cgroupMount(),
      report: reportAs('probes'),
    })
    if (probes === undefined) return
    const unobserve = observeProbes(settings, probes)
    const { close } = probes
    ends.push(() => {
      unobserve()
      close()
    })
  }

  function stop(): void {
    stopped = true
    for (const end of ends.splice(0).reverse()) end()
  }

  return {
    async start() {
      for (const begin of [name, translate, probe]) {
        await begin()
        if (stopped) {
          stop()
          return false
        }
      }
      return true
    },
    stop,
    get cluster() {
      return cluster
    },
    get translation() {
      return translation
    },
    get probes() {
      return probes
    },
  }
}

/** Where containers' processes are listed; containers/ itself reports when it is not there. */
function cgroupMount(): string | undefined {
  try {
    return findCgroupMount().root
  } catch {
    return undefined
  }
}
