import type { Attributes } from '@opentelemetry/api'
import type { Batch, Consumer, Host, Receiver, Settings } from '../../component/types.ts'
import { reasonOf } from '../../errors.ts'
import type { Config } from './config.ts'
import { createConnections } from './connections/connections.ts'
import { createLinks } from './connections/links.ts'
import type { Connections } from './connections/types.ts'
import { findCgroupMount } from './containers/cgroupfs.ts'
import { createContainers, filterOf, type HostFacts, readHost } from './containers/index.ts'
import { createKubernetesSource, keepOf } from './containers/kubernetes-source.ts'
import { NETWORK } from './containers/networks.ts'
import { createDestinations } from './destinations/index.ts'
import { startTranslation } from './destinations/start-translation.ts'
import type { Translation } from './destinations/translation.ts'
import { Cgroup, Conn, ConnWord, type Records } from './kernel/decode.ts'
import { Kind } from './kernel/layout.gen.ts'
import { createProber } from './kernel/prober.ts'
import { createSharedTracer, type KernelSettings, type SharedTracer, type TracerUser } from './kernel/shared-tracer.ts'
import { createSnapshot, type SnapshotState } from './kernel/snapshot.ts'
import type { Tracer } from './kernel/tracer.ts'
import { type Cluster, startCluster } from './kubernetes/index.ts'
import { namings } from './metrics/naming.ts'
import { createStore } from './metrics/store.ts'
import { type Probes, startProbes } from './probes/index.ts'
import { observe, observeContainers, observeProbes, observeTranslation } from './self.ts'

/** Where every socket is on a host without cgroup2. @see CgroupDirectory */
const ROOT_CGROUP = 1

/** Of what a container's first export waits: a name that is half known is told in time for it. */
const PATIENCE = 0.8

export interface NetvitalsReceiver extends Receiver {
  /** One cycle now: walk, collect, hand over. Cycles never overlap. */
  collect(): Promise<void>
  readonly tracer: Tracer | undefined
  readonly probes: Probes | undefined
  /** What a successor takes over; undefined while it is not running. */
  estate(): Estate | undefined
}

/** What passes to the receiver that replaces this one, so that no event is lost or counted twice. */
interface Estate {
  readonly tracer: SharedTracer
  readonly snapshot: SnapshotState | undefined
  readonly connections: Pick<Connections, 'totalsOf'>
  /**
   * After the cycle under way: calls `take`, which must pass the tracer on or close it as the last it does; then
   * delivers what was counted until then. From then on this receiver is stopped. Rejects with what `take` throws; then
   * it goes on.
   */
  yieldTo(take: () => void | Promise<void>): Promise<void>
}

/**
 * kernel -> containers -> destinations -> connections -> metrics -> the next consumer, one cycle every
 * `collection_interval`.
 */
export function createReceiver(settings: Settings, config: Config, next: Consumer): NetvitalsReceiver {
  const { id, log } = settings
  const { cgroup_root: cgroupRoot, host_id, host_name, node_name, cluster_name: clusterName } = config.containers
  const facts = readHost({ id: host_id, name: host_name, nodeName: node_name })
  const kernel: KernelSettings = { ringBytes: config.kernel.ring_size, maxSockets: config.kernel.max_sockets }
  let tracer: SharedTracer | undefined
  let host: Host | undefined
  let timer: NodeJS.Timeout | undefined
  let cycle: Promise<void> = Promise.resolve()
  let stopped = false
  let cgroupsLost = 0
  let recordsFailed = false

  const pods = createKubernetesSource({ patienceMs: config.containers.resolve_timeout * PATIENCE })
  const containers = createContainers({
    host: facts,
    sources: [pods],
    cgroupRoot,
    clusterName,
    runtimes: config.containers.runtimes,
    hostRoot: config.containers.host_root,
    resolveTimeoutMs: config.containers.resolve_timeout,
    filter: filterOf(config.containers),
    podLabels: config.containers.pod_labels,
    podAnnotations: config.containers.pod_annotations,
    report: (status, detail) => host?.report(id, 'containers', status, detail),
    reportRuntime: (name, status, detail) => host?.report(id, name, status, detail),
  })
  const destinations = createDestinations({
    config: config.destinations,
    report: (status, detail) => host?.report(id, 'destinations', status, detail),
  })
  const { limits } = config
  const store = createStore({
    self: selfAttributes(facts),
    version: settings.version,
    naming: namings[config.naming],
    maxSeries: limits.max_series,
    maxDestinationsPerContainer: limits.max_destinations_per_container,
    seriesTtlMs: limits.series_ttl,
    containerLingerMs: limits.container_linger,
    enabledMetrics: enabled(config.metrics),
    enabledResourceAttributes: enabled(config.resource_attributes),
  })
  const links = createLinks({
    store,
    containers,
    destinations,
    clientAddress: config.client_address,
    idleMs: config.probes.linger,
  })
  const connections = createConnections({ store, links, listeners: config.metrics['container.net.tcp.listen'].enabled })

  const user: TracerUser = {
    onBatch: () => connections.beginBatch(Date.now()),
    onRecord(records, kind) {
      if (kind >= Kind.cgroupMkdir) return onCgroup(records, kind)
      if (containers.byNetwork()) ownByNetwork(records)
      connections.apply(records, kind)
    },
    onError(error) {
      recordsFailed = true
      host?.report(id, 'records', 'down', reasonOf(error))
    },
  }

  function onCgroup(records: Records, kind: number) {
    if (kind === Kind.cgroupMkdir) containers.cgroupCreated(Cgroup.id(records), Cgroup.path(records))
    else {
      containers.cgroupRemoved(Cgroup.id(records))
      links.cgroupRemoved(Cgroup.id(records), Date.now())
    }
  }

  async function walk(theTracer: Tracer) {
    recordsFailed = false
    await theTracer.sample()
    if (!recordsFailed) host?.report(id, 'records', 'ok')
    await translation?.settled()
    const counters = theTracer.counters()
    connections.endWalk(counters.endsLost)
    return counters
  }

  async function runCycle(last: boolean): Promise<void> {
    if (!tracer) return
    destinations.refresh()
    cluster?.check()
    const counters = await walk(tracer)
    const lost = (counters.lost.get('cgroupMkdir') ?? 0) + (counters.lost.get('cgroupRmdir') ?? 0)
    if (lost > cgroupsLost) await containers.resync()
    cgroupsLost = lost
    await deliver(Date.now(), last)
    connections.inherit(undefined)
    connections.endCycle()
    await snapshot?.afterCycle()
  }

  /** `last`: what waits for a name is told without it. */
  async function deliver(nowMs: number, last: boolean): Promise<void> {
    const batch: Batch = await store.collect(nowMs, last)
    try {
      await next.consume(batch)
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'the next component refused a batch')
    }
  }

  function collect(last = false): Promise<void> {
    return inTurn(() => runCycle(last))
  }

  function inTurn(work: () => Promise<void>): Promise<void> {
    cycle = cycle.then(work).then(
      () => host?.report(id, 'cycle', 'ok'),
      (error) => host?.report(id, 'cycle', 'down', reasonOf(error)),
    )
    return cycle
  }

  /** On multiples of the interval, so that a slow cycle does not shift those after it. */
  function schedule() {
    if (stopped) return
    const interval = config.collection_interval
    timer = setTimeout(() => collect().then(schedule), interval - (performance.now() % interval))
  }

  let cluster: Cluster | undefined
  let snapshot: ReturnType<typeof createSnapshot> | undefined
  let stopObserving: (() => void) | undefined
  let translation: Translation | undefined
  let stopObservingTranslation: (() => void) | undefined
  let probes: Probes | undefined
  let stopProbing: (() => void) | undefined

  /** Before the first record: what is there already then has its name from the first. */
  async function startNaming() {
    cluster = await startCluster({
      config: config.kubernetes,
      nodeName: facts.nodeName,
      keep: keepOf(config.containers),
      waitMs: config.containers.resolve_timeout,
      report: (status, detail) => host?.report(id, 'kubernetes', status, detail),
      log,
    })
    if (cluster === undefined) return
    if (stopped) return cluster.close()
    pods.use(cluster.index)
    destinations.use(cluster.index)
  }

  function stopNaming() {
    pods.close()
    destinations.use(undefined)
    cluster?.close()
  }

  /** Before the first record too. */
  function startTranslating() {
    if (!config.destinations.translation.enabled) return
    translation = startTranslation({
      config: config.destinations.translation,
      cgroupRoot: cgroupRoot ?? cgroupMount(),
      cgroupOf: (records) => containers.byCgroup(Conn.cgroupId(records)).key,
      onAnswer: connections.applyAnswered,
      report: (status, detail) => host?.report(id, 'translation', status, detail),
    })
    connections.translate(translation)
    if (translation) stopObservingTranslation = observeTranslation(settings, translation)
  }

  /** What is held is counted now, as answered by whom it dialled. */
  function stopTranslating() {
    stopObservingTranslation?.()
    translation?.close()
    connections.translate(undefined)
  }

  /** Before the first record: probes are told of every destination that is new. */
  function startProbing() {
    if (!config.probes.enabled) return
    probes = startProbes({
      config: config.probes,
      latency: config.latency,
      links,
      destinations,
      store,
      createProber,
      cgroupRoot: cgroupRoot ?? cgroupMount(),
      report: (status, detail) => host?.report(id, 'probes', status, detail),
    })
    if (!probes) return
    const unobserve = observeProbes(settings, probes)
    const { close } = probes
    stopProbing = () => {
      unobserve()
      close()
    }
  }

  /** The tracer is this receiver's from here on. */
  function own(theTracer: SharedTracer, state?: SnapshotState) {
    tracer = theTracer
    for (const { name, attached, reason } of theTracer.programs)
      if (!attached) host?.report(id, name, 'down', `${reason}; running without`)
    const unobserve = [observe(settings, { tracer, connections, store }), observeContainers(settings, containers)]
    stopObserving = () => {
      for (const end of unobserve) end()
    }
    snapshot = createSnapshot({
      tracer,
      maxSockets: kernel.maxSockets,
      report: (...of) => host?.report(id, ...of),
      ...(state === undefined ? {} : { state }),
    })
    return theTracer
  }

  function estate(): Estate | undefined {
    const shared = tracer
    if (stopped || shared === undefined) return undefined
    return { tracer: shared, connections, snapshot: snapshot?.state(), yieldTo }

    async function yieldTo(take: Parameters<Estate['yieldTo']>[0]): Promise<void> {
      let failure: unknown
      await inTurn(async () => {
        // What live connections did until now is told here. If it fails it is told there.
        await walk(shared!).catch(() => {})
        try {
          await take()
        } catch (error) {
          failure = error
          return
        }
        const nowMs = Date.now()
        stopped = true
        clearTimeout(timer)
        tracer = undefined
        stopObserving?.()
        stopProbing?.()
        stopTranslating()
        stopNaming()
        await deliver(nowMs, true)
        await containers.stop()
      })
      if (failure !== undefined) throw failure
    }
  }

  /** Attached first, then what was there before: nothing falls between. */
  async function begin({ programs }: SharedTracer): Promise<void> {
    await containers.start()
    await snapshot?.take()
    log.info({ programs: programs.filter((each) => each.attached).length }, 'tracing TCP connections')
    // At once: whoever starts it sees soon that data flow.
    void collect().then(schedule)
  }

  /** The programs stay attached: not a record falls between. */
  async function inherit({ tracer: shared, ...inherited }: Estate): Promise<void> {
    const unlisten = shared.listen(onCgroup)
    try {
      await containers.start()
      await inherited.yieldTo(() => {
        connections.inherit(inherited.connections)
        shared.pass(user)
        own(shared, inherited.snapshot)
      })
    } catch (error) {
      unlisten()
      throw error
    }
    await inTurn(async () => {
      // Each shows every live connection, unless it missed one: a walk is not atomic.
      for (let walks = 0; walks < 2; walks++) await walk(shared)
      connections.inherit(undefined)
    })
    schedule()
  }

  return {
    get tracer() {
      return tracer
    },
    get probes() {
      return probes
    },
    collect: () => collect(),
    estate,
    async start(theHost) {
      host = theHost
      await startNaming()
      if (stopped) return
      startTranslating()
      startProbing()
      await begin(own(createSharedTracer(kernel, user)))
    },
    async takeOver(theHost, previous) {
      const inherited = (previous as NetvitalsReceiver).estate()
      if (inherited === undefined) return false
      host = theHost
      await startNaming()
      startTranslating()
      startProbing()
      const { tracer: attached, yieldTo } = inherited
      if (attached.fits(kernel)) {
        await inherit(inherited)
        return true
      }
      await yieldTo(async () => {
        // While both are attached each event is in both rings: those of the old one count, until it is closed.
        const fresh = createSharedTracer(kernel, { ...user, onRecord() {} })
        try {
          await Promise.all([attached.flush(), fresh.flush()])
        } catch (error) {
          fresh.close()
          throw error
        }
        own(fresh).pass(user)
        attached.close()
      })
      await begin(tracer!)
      return true
    },
    async stop() {
      if (stopped) return
      stopped = true
      clearTimeout(timer)
      if (tracer) await collect(true)
      stopObserving?.()
      stopProbing?.()
      stopTranslating()
      stopNaming()
      tracer?.close()
      await containers.stop()
    },
  }
}

/** What is in no cgroup is its network namespace's. */
function ownByNetwork({ u32, offset }: Records): void {
  const record = offset >>> 2
  const cgroup = record + ConnWord.cgroupId
  if (u32[cgroup + 1] !== 0 || u32[cgroup]! > ROOT_CGROUP) return
  u32[cgroup] = u32[record + ConnWord.netns]!
  u32[cgroup + 1] = NETWORK
}

/** The program's own resource: one for each host. */
function selfAttributes({ name, id }: HostFacts): Attributes {
  return {
    'service.name': 'netvitals',
    'service.instance.id': id ?? name,
    'host.name': name,
    ...(id && { 'host.id': id }),
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

function enabled<N extends string>(switches: Readonly<Record<N, { enabled: boolean }>>): ReadonlySet<N> {
  const names = Object.keys(switches) as N[]
  return new Set(names.filter((name) => switches[name].enabled))
}
