import type { Attributes } from '@opentelemetry/api'
import type { Batch, Consumer, Host, Receiver, Settings } from '../../component/types.ts'
import { reasonOf } from '../../errors.ts'
import type { Config } from './config.ts'
import { createConnections } from './connections/connections.ts'
import { createLinks } from './connections/links.ts'
import { createContainers, type HostFacts, readHost } from './containers/index.ts'
import { createDestinations } from './destinations/index.ts'
import { Cgroup, type Records } from './kernel/decode.ts'
import { Kind } from './kernel/layout.gen.ts'
import { createSnapshot } from './kernel/snapshot.ts'
import { createTracer, type Tracer } from './kernel/tracer.ts'
import { namings } from './metrics/naming.ts'
import { createStore } from './metrics/store.ts'
import { observe } from './self.ts'

export interface NetvitalsReceiver extends Receiver {
  /** One cycle now: walk, collect, hand over. Cycles never overlap. */
  collect(): Promise<void>
  readonly tracer: Tracer | undefined
}

/**
 * kernel -> containers -> destinations -> connections -> metrics -> the next consumer, one cycle every
 * `collection_interval`.
 */
export function createReceiver(settings: Settings, config: Config, next: Consumer): NetvitalsReceiver {
  const { id, log } = settings
  const { cgroup_root: cgroupRoot, host_id, host_name, node_name, cluster_name: clusterName } = config.containers
  const facts = readHost({ id: host_id, name: host_name, nodeName: node_name })
  let tracer: Tracer | undefined
  let host: Host | undefined
  let timer: NodeJS.Timeout | undefined
  let cycle: Promise<void> = Promise.resolve()
  let stopped = false
  let cgroupsLost = 0
  let recordsFailed = false

  const containers = createContainers({
    host: facts,
    cgroupRoot,
    clusterName,
    report: (status, detail) => host?.report(id, 'containers', status, detail),
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
  const links = createLinks({ store, containers, destinations, clientAddress: config.client_address })
  const connections = createConnections({ store, links, listeners: config.metrics['container.net.tcp.listen'].enabled })

  function onRecord(records: Records, kind: number) {
    if (kind < Kind.cgroupMkdir) connections.apply(records, kind)
    else if (kind === Kind.cgroupMkdir) containers.cgroupCreated(Cgroup.id(records), Cgroup.path(records))
    else {
      containers.cgroupRemoved(Cgroup.id(records))
      links.cgroupRemoved(Cgroup.id(records), Date.now())
    }
  }

  async function runCycle(): Promise<void> {
    if (!tracer) return
    destinations.refresh()
    recordsFailed = false
    await tracer.sample()
    if (!recordsFailed) host?.report(id, 'records', 'ok')
    const counters = tracer.counters()
    connections.endWalk(counters.endsLost)
    const lost = (counters.lost.get('cgroupMkdir') ?? 0) + (counters.lost.get('cgroupRmdir') ?? 0)
    if (lost > cgroupsLost) await containers.resync()
    cgroupsLost = lost
    const batch: Batch = await store.collect(Date.now())
    connections.endCycle()
    await snapshot?.afterCycle()
    try {
      await next.consume(batch)
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'the next component refused a batch')
    }
  }

  function collect(): Promise<void> {
    cycle = cycle.then(runCycle).then(
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

  let snapshot: ReturnType<typeof createSnapshot> | undefined
  let stopObserving: (() => void) | undefined

  return {
    get tracer() {
      return tracer
    },
    collect,
    async start(theHost) {
      host = theHost
      tracer = createTracer({
        ringBytes: config.kernel.ring_size,
        maxSockets: config.kernel.max_sockets,
        onBatch: () => connections.beginBatch(Date.now()),
        onRecord,
        onError: (error) => {
          recordsFailed = true
          theHost.report(id, 'records', 'down', reasonOf(error))
        },
      })
      for (const { name, attached, reason } of tracer.programs)
        if (!attached) theHost.report(id, name, 'down', `${reason}; running without`)
      stopObserving = observe(settings, { tracer, connections, store })
      // Attached first, then what was there before: nothing falls between.
      await containers.start()
      snapshot = createSnapshot({
        tracer,
        maxSockets: config.kernel.max_sockets,
        report: (...of) => theHost.report(id, ...of),
      })
      await snapshot.take()
      log.info({ programs: tracer.programs.filter((each) => each.attached).length }, 'tracing TCP connections')
      schedule()
    },
    async stop() {
      if (stopped) return
      stopped = true
      clearTimeout(timer)
      if (tracer) await collect()
      stopObserving?.()
      tracer?.close()
      await containers.stop()
    },
  }
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

function enabled<N extends string>(switches: Readonly<Record<N, { enabled: boolean }>>): ReadonlySet<N> {
  const names = Object.keys(switches) as N[]
  return new Set(names.filter((name) => switches[name].enabled))
}
