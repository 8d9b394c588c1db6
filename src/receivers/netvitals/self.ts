import type { Attributes } from '@opentelemetry/api'
import type { Settings } from '../../component/types.ts'
import type { Connections } from './connections/types.ts'
import type { HostFacts } from './containers/index.ts'
import type { Containers } from './containers/types.ts'
import type { Translation } from './destinations/translation.ts'
import type { Tracer } from './kernel/tracer.ts'
import type { Store } from './metrics/types.ts'
import type { Probes } from './probes/index.ts'

interface Observed {
  readonly tracer: Tracer
  readonly connections: Connections
  readonly store: Store
}

/** The program's own resource: one for each host. */
export function selfAttributes({ name, id }: HostFacts): Attributes {
  return {
    'service.name': 'netvitals',
    'service.instance.id': id ?? name,
    'host.name': name,
    ...(id && { 'host.id': id }),
  }
}

/** The receiver's own metrics (netvitals.*). Ends with what it returns. */
export function observe(settings: Settings, { tracer, connections, store }: Observed): () => void {
  const instruments = {
    read: counter('netvitals.events.read', '{record}', 'Records read from the kernel.'),
    lost: counter(
      'netvitals.events.lost',
      '{record}',
      'Records that found the ring buffer full, by kind; what their totals held arrives later.',
    ),
    deferred: counter(
      'netvitals.events.deferred',
      '{record}',
      'Ends that found the ring full and were kept for the next walk.',
    ),
    endsLost: counter('netvitals.events.ends_lost', '{record}', 'Ends lost for good.'),
    full: counter('netvitals.sockets.untracked', '{socket}', 'Sockets not tracked: kernel::max_sockets was reached.'),
    untracked: counter('netvitals.retransmits.untracked', '{segment}', 'Retransmits of sockets that are not tracked.'),
    tracked: gauge('netvitals.sockets.tracked', '{socket}', 'Connections and attempts tracked now.'),
    reconciled: counter(
      'netvitals.connections.reconciled',
      '{connection}',
      'Connections whose end was lost, ended by reconciliation.',
    ),
    kernelMemory: gauge('netvitals.kernel.memory', 'By', 'Kernel memory of the eBPF maps.'),
    batch: gauge(
      'netvitals.batch.latency',
      's',
      'Longest time that one batch of records took, since the last reading.',
    ),
    series: gauge('netvitals.series', '{series}', 'Data points of the last cycle.'),
    evicted: counter('netvitals.series.evicted', '{row}', 'Links whose series were evicted by a limit.'),
    overflowed: counter(
      'netvitals.series.overflowed',
      '{update}',
      'Updates that went to an overflow series; one may be of many connections.',
    ),
    leftOut: counter(
      'netvitals.series.gauges_left_out',
      '{point}',
      'Gauge points left out beyond a limit; one may be of many connections.',
    ),
    refused: counter('netvitals.series.refused', '{value}', 'Values refused because they were not finite.'),
  }
  return observeAll(settings, instruments, (tell) => {
    const counters = tracer.counters()
    const reading = tracer.reading()
    const state = connections.stats()
    const stored = store.stats()
    tell('read', reading.records)
    for (const [kind, count] of counters.lost) tell('lost', count, { kind })
    tell('deferred', counters.deferred)
    tell('endsLost', counters.endsLost)
    tell('full', counters.socketsFull)
    tell('untracked', counters.untrackedRetransmits)
    tell('tracked', state.tracked)
    tell('reconciled', state.reconciled)
    tell('kernelMemory', tracer.usage().mapBytes)
    tell('batch', reading.longestBatchMs / 1000)
    tell('series', stored.series)
    tell('evicted', stored.evicted)
    tell('overflowed', stored.overflowed)
    tell('leftOut', stored.gaugesLeftOut)
    tell('refused', stored.refused)
  })
}

/** The same of probes. */
export function observeProbes(settings: Settings, probes: Probes): () => void {
  const instruments = {
    sent: counter(
      'netvitals.probe.sent',
      '{packet}',
      'Echo requests sent, by inode of the network namespace; of the first thousand namespaces, then of all others together.',
    ),
    unexpected: counter(
      'netvitals.probe.unexpected',
      '{packet}',
      'Echo replies that came after their timeout, twice, or were not to a probe of this program.',
    ),
    clockSteps: counter(
      'netvitals.probe.clock_steps',
      '{sample}',
      'Round trips discarded because the realtime clock was set meanwhile.',
    ),
    interval: gauge(
      'netvitals.probe.interval',
      's',
      'Time between two probes of an address; more than probes::interval where probes::max_rate demands it.',
    ),
    targets: gauge('netvitals.probe.targets', '{address}', 'Addresses pinged, counted in each network namespace.'),
    skipped: gauge(
      'netvitals.probe.targets.skipped',
      '{address}',
      'Addresses not pinged, because probes::max_targets_per_container others of their container are used more.',
    ),
  }
  return observeAll(settings, instruments, (tell) => {
    const stats = probes.stats()
    const { clockSteps, ...unexpected } = probes.unexpected()
    for (const [inode, count] of probes.sent()) tell('sent', count, { netns: inode ?? '_OTHER' })
    for (const kind of ['late', 'duplicate', 'foreign'] as const) tell('unexpected', unexpected[kind], { kind })
    tell('clockSteps', clockSteps)
    tell('interval', stats.periodMs / 1000)
    tell('targets', stats.targets)
    tell('skipped', stats.skipped)
  })
}

/** The same of address translation. */
export function observeTranslation(settings: Settings, translation: Translation): () => void {
  const instruments = {
    lookups: counter(
      'netvitals.translation.connections',
      '{connection}',
      'Outbound connections of which connection tracking was asked who answers, by what it said; limited: not asked, for destinations::translation::max_rate.',
    ),
    held: gauge('netvitals.translation.held', '{connection}', 'Connections that wait for the answer.'),
  }
  return observeAll(settings, instruments, (tell) => {
    const { outcomes, held } = translation.stats()
    for (const [outcome, count] of Object.entries(outcomes)) tell('lookups', count, { outcome })
    tell('held', held)
  })
}

/** The same of what containers are called. */
export function observeContainers(settings: Settings, containers: Pick<Containers, 'identities'>): () => void {
  const instruments = {
    identity: gauge(
      'netvitals.container.identity',
      '{container}',
      'Containers that are there, by who told what they are called; pending: nobody yet who might.',
    ),
  }
  return observeAll(settings, instruments, (tell) => {
    const { bySource, pending } = containers.identities()
    for (const [source, count] of bySource) tell('identity', count, { source })
    tell('identity', pending, { source: 'pending' })
  })
}

interface Instrument {
  readonly create: 'createObservableCounter' | 'createObservableGauge'
  readonly name: string
  readonly unit: string
  readonly description: string
}

function counter(name: string, unit: string, description: string): Instrument {
  return { create: 'createObservableCounter', name, unit, description }
}

function gauge(name: string, unit: string, description: string): Instrument {
  return { create: 'createObservableGauge', name, unit, description }
}

/** Instruments that are read together, each value with the receiver's id. Ends with what it returns. */
function observeAll<K extends string>(
  { meter, id }: Settings,
  instruments: Readonly<Record<K, Instrument>>,
  read: (tell: (instrument: K, value: number, attributes?: Attributes) => void) => void,
): () => void {
  const receiver = { receiver: id.toString() }
  const made = Object.entries<Instrument>(instruments).map(
    ([key, { create, name, ...options }]) => [key as K, meter[create](name, options)] as const,
  )
  const observables = new Map(made)
  const callback: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) =>
    read((key, value, attributes) => result.observe(observables.get(key)!, value, { ...receiver, ...attributes }))
  const all = [...observables.values()]
  meter.addBatchObservableCallback(callback, all)
  return () => meter.removeBatchObservableCallback(callback, all)
}
