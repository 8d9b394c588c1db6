import type { Batch, Consumer, Host, Receiver, Settings } from '../../component/types.ts'
import { reasonOf } from '../../errors.ts'
import type { Config } from './config.ts'
import { createActivation } from './connections/activation.ts'
import { ownByNetwork } from './connections/by-network.ts'
import { createConnections } from './connections/connections.ts'
import { createLinks } from './connections/links.ts'
import { createContainers, filterOf, readHost } from './containers/index.ts'
import { createKubernetesSource } from './containers/kubernetes-source.ts'
import { createCycles } from './cycles.ts'
import { ephemeralPorts } from './destinations/ephemeral-ports.ts'
import { createDestinations } from './destinations/index.ts'
import { createEstate, type Estate, takeOver } from './hand-over.ts'
import { Cgroup, eachEnd, type Records } from './kernel/decode.ts'
import { Kind } from './kernel/layout.gen.ts'
import { seesAllProcesses } from './kernel/namespaces.ts'
import { createSharedTracer, type KernelSettings, type SharedTracer, type TracerUser } from './kernel/shared-tracer.ts'
import { createSnapshot, type SnapshotState } from './kernel/snapshot.ts'
import type { Tracer } from './kernel/tracer.ts'
import { namings } from './metrics/naming.ts'
import { createStore } from './metrics/store.ts'
import { createParts } from './parts.ts'
import type { Probes } from './probes/index.ts'
import { observe, observeContainers, selfAttributes } from './self.ts'

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

/**
 * kernel -> containers -> destinations -> connections -> metrics -> the next consumer, one cycle every
 * `collection_interval`.
 */
export function createReceiver(settings: Settings, config: Config, next: Consumer): NetvitalsReceiver {
  const { id, log } = settings
  const { cgroup_root: cgroupRoot, host_id, host_name, node_name, cluster_name: clusterName } = config.containers
  const facts = readHost({ id: host_id, name: host_name, nodeName: node_name })
  const kernel: KernelSettings = {
    ringBytes: config.kernel.ring_size,
    maxSockets: config.kernel.max_sockets,
    joinEnds: true,
  }
  const unobserve: (() => void)[] = []
  let tracer: SharedTracer | undefined
  let snapshot: ReturnType<typeof createSnapshot> | undefined
  let host: Host | undefined
  let stopped = false
  let cgroupsLost = 0
  let recordsFailed = false
  const reportAs = (part: string) => (status: 'ok' | 'down', detail?: string) => host?.report(id, part, status, detail)

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
    report: reportAs('containers'),
    reportRuntime: (...of) => host?.report(id, ...of),
  })
  const destinations = createDestinations({
    config: config.destinations,
    report: reportAs('destinations'),
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
    ports: ephemeralPorts(config.destinations.ephemeral_ports),
    portIdleMs: limits.series_ttl,
    idleMs: config.probes.linger,
  })
  const connections = createConnections({ store, links, listeners: config.metrics['container.net.tcp.listen'].enabled })
  const activation = createActivation({ containers, connections, report: reportAs('socket_activation') })
  const parts = createParts({
    ...{ settings, config, nodeName: facts.nodeName, reportAs },
    ...{ pods, containers, destinations, links, connections, store },
  })
  const cycles = createCycles({ intervalMs: config.collection_interval, run: runCycle, report: reportAs('cycle') })

  const user: TracerUser = {
    onBatch: () => connections.beginBatch(Date.now()),
    onRecord,
    onError(error) {
      recordsFailed = true
      host?.report(id, 'records', 'down', reasonOf(error))
    },
  }

  function onRecord(records: Records, kind: number) {
    if (kind >= Kind.cgroupMkdir) return onCgroup(records, kind)
    if (containers.byNetwork()) ownByNetwork(records)
    if (kind !== Kind.ends) activation.take(records, kind)
    else if (!activation.takeEnds(records)) eachEnd(records, onRecord)
  }

  function onCgroup(records: Records, kind: number) {
    if (kind === Kind.cgroupMkdir) containers.cgroupCreated(Cgroup.id(records), Cgroup.path(records))
    else {
      containers.cgroupRemoved(Cgroup.id(records))
      activation.cgroupRemoved(Cgroup.id(records))
      links.cgroupRemoved(Cgroup.id(records), Date.now())
    }
  }

  async function walk(theTracer: Tracer, last = false) {
    recordsFailed = false
    await theTracer.sample()
    if (!recordsFailed) host?.report(id, 'records', 'ok')
    await activation.settle(last)
    await parts.translation?.settled()
    const counters = theTracer.counters()
    connections.endWalk(counters.endsLost)
    return counters
  }

  async function runCycle(last: boolean): Promise<void> {
    if (!tracer) return
    destinations.refresh()
    parts.cluster?.check()
    const counters = await walk(tracer, last)
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

  /** The tracer is this receiver's from here on. */
  function own(theTracer: SharedTracer, state?: SnapshotState): SharedTracer {
    tracer = theTracer
    for (const { name, attached, reason } of tracer.programs)
      if (!attached) host?.report(id, name, 'down', `${reason}; running without`)
    const isWalked = tracer.programs.some(({ name, attached }) => attached && name.startsWith('iter/task_file'))
    if (isWalked && seesAllProcesses()) activation.use(tracer.holders)
    unobserve.push(observe(settings, { tracer, connections, store }), observeContainers(settings, containers))
    snapshot = createSnapshot({
      tracer,
      maxSockets: kernel.maxSockets,
      report: (...of) => host?.report(id, ...of),
      ...(state === undefined ? {} : { state }),
    })
    return tracer
  }

  /** Attached first, then what was there before: nothing falls between. */
  async function begin({ programs }: SharedTracer): Promise<void> {
    await containers.start()
    await snapshot?.take()
    await activation.settle()
    log.info({ programs: programs.filter((each) => each.attached).length }, 'tracing TCP connections')
    // At once: whoever starts it sees soon that data flow.
    void cycles.collect().then(cycles.schedule)
  }

  function endParts() {
    for (const end of unobserve.splice(0)) end()
    parts.stop()
  }

  /** Another has the tracer. */
  async function leave(endMs: number): Promise<void> {
    stopped = true
    cycles.stop()
    tracer = undefined
    activation.close()
    endParts()
    await deliver(endMs, true)
    await containers.stop()
  }

  return {
    get tracer() {
      return tracer
    },
    get probes() {
      return parts.probes
    },
    collect: () => cycles.collect(),
    estate() {
      if (stopped || tracer === undefined) return undefined
      const endOf = () => store.endOf(Date.now())
      return createEstate({ tracer, connections, snapshot: snapshot?.state(), cycles, walk, endOf, leave })
    },
    async start(theHost) {
      host = theHost
      if (await parts.start()) await begin(own(createSharedTracer(kernel, user)))
    },
    async takeOver(theHost, previous) {
      const estate = (previous as NetvitalsReceiver).estate()
      if (estate === undefined) return false
      host = theHost
      if (!(await parts.start())) return false
      const { beginAt } = store
      await takeOver(estate, { kernel, user, containers, connections, cycles, walk, own, beginAt, begin })
      return true
    },
    async stop() {
      if (stopped) return
      stopped = true
      cycles.stop()
      if (tracer) await cycles.collect(true)
      activation.close()
      endParts()
      tracer?.close()
      await containers.stop()
    },
  }
}

function enabled<N extends string>(switches: Readonly<Record<N, { enabled: boolean }>>): ReadonlySet<N> {
  const names = Object.keys(switches) as N[]
  return new Set(names.filter((name) => switches[name].enabled))
}
