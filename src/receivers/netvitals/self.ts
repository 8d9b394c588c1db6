import type { Settings } from '../../component/types.ts'
import type { Connections } from './connections/types.ts'
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

/** The receiver's own metrics (netvitals.*). Ends with what it returns. */
export function observe({ meter, id }: Settings, { tracer, connections, store }: Observed): () => void {
  const receiver = { receiver: id.toString() }
  const counter = (name: string, unit: string, description: string) =>
    meter.createObservableCounter(name, { unit, description })
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(name, { unit, description })

  const read = counter('netvitals.events.read', '{record}', 'Records read from the kernel.')
  const lost = counter(
    'netvitals.events.lost',
    '{record}',
    'Records that found the ring buffer full, by kind; what their totals held arrives later.',
  )
  const deferred = counter(
    'netvitals.events.deferred',
    '{record}',
    'Ends that found the ring full and were kept for the next walk.',
  )
  const endsLost = counter('netvitals.events.ends_lost', '{record}', 'Ends lost for good.')
  const full = counter(
    'netvitals.sockets.untracked',
    '{socket}',
    'Sockets not tracked: kernel::max_sockets was reached.',
  )
  const untracked = counter(
    'netvitals.retransmits.untracked',
    '{segment}',
    'Retransmits of sockets that are not tracked.',
  )
  const tracked = gauge('netvitals.sockets.tracked', '{socket}', 'Connections and attempts tracked now.')
  const reconciled = counter(
    'netvitals.connections.reconciled',
    '{connection}',
    'Connections whose end was lost, ended by reconciliation.',
  )
  const kernelMemory = gauge('netvitals.kernel.memory', 'By', 'Kernel memory of the eBPF maps.')
  const batch = gauge(
    'netvitals.batch.latency',
    's',
    'Longest time that one batch of records took, since the last reading.',
  )
  const series = gauge('netvitals.series', '{series}', 'Data points of the last cycle.')
  const evicted = counter('netvitals.series.evicted', '{row}', 'Links whose series were evicted by a limit.')
  const overflowed = counter('netvitals.series.overflowed', '{update}', 'Updates that went to an overflow series.')
  const leftOut = counter('netvitals.series.gauges_left_out', '{point}', 'Gauge points left out beyond a limit.')
  const refused = counter('netvitals.series.refused', '{value}', 'Values refused because they were not finite.')
  const all = [read, lost, deferred, endsLost, full, untracked, tracked, reconciled, kernelMemory, batch]
  const observables = [...all, series, evicted, overflowed, leftOut, refused]

  const callback: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
    const counters = tracer.counters()
    const reading = tracer.reading()
    const usage = tracer.usage()
    const state = connections.stats()
    const stored = store.stats()
    result.observe(read, reading.records, receiver)
    for (const [kind, count] of counters.lost) result.observe(lost, count, { ...receiver, kind })
    result.observe(deferred, counters.deferred, receiver)
    result.observe(endsLost, counters.endsLost, receiver)
    result.observe(full, counters.socketsFull, receiver)
    result.observe(untracked, counters.untrackedRetransmits, receiver)
    result.observe(tracked, state.tracked, receiver)
    result.observe(reconciled, state.reconciled, receiver)
    result.observe(kernelMemory, usage.mapBytes, receiver)
    result.observe(batch, reading.longestBatchMs / 1000, receiver)
    result.observe(series, stored.series, receiver)
    result.observe(evicted, stored.evicted, receiver)
    result.observe(overflowed, stored.overflowed, receiver)
    result.observe(leftOut, stored.gaugesLeftOut, receiver)
    result.observe(refused, stored.refused, receiver)
  }
  meter.addBatchObservableCallback(callback, observables)
  return () => meter.removeBatchObservableCallback(callback, observables)
}

/** The same of probes. */
export function observeProbes({ meter, id }: Settings, probes: Probes): () => void {
  const receiver = { receiver: id.toString() }
  const sent = meter.createObservableCounter('netvitals.probe.sent', {
    unit: '{packet}',
    description:
      'Echo requests sent, by inode of the network namespace; of the first thousand namespaces, then of all others together.',
  })
  const unexpected = meter.createObservableCounter('netvitals.probe.unexpected', {
    unit: '{packet}',
    description: 'Echo replies that came after their timeout, twice, or were not to a probe of this program.',
  })
  const clockSteps = meter.createObservableCounter('netvitals.probe.clock_steps', {
    unit: '{sample}',
    description: 'Round trips discarded because the realtime clock was set meanwhile.',
  })
  const interval = meter.createObservableGauge('netvitals.probe.interval', {
    unit: 's',
    description: 'Time between two probes of an address; more than probes::interval where probes::max_rate demands it.',
  })
  const targets = meter.createObservableGauge('netvitals.probe.targets', {
    unit: '{address}',
    description: 'Addresses pinged, counted in each network namespace.',
  })
  const skipped = meter.createObservableGauge('netvitals.probe.targets.skipped', {
    unit: '{address}',
    description:
      'Addresses not pinged, because probes::max_targets_per_container others of their container are used more.',
  })
  const all = [sent, unexpected, clockSteps, interval, targets, skipped]
  const callback: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
    const stats = probes.stats()
    const { late, duplicate, foreign, clockSteps: steps } = probes.unexpected()
    for (const [inode, count] of probes.sent()) result.observe(sent, count, { ...receiver, netns: inode ?? '_OTHER' })
    result.observe(unexpected, late, { ...receiver, kind: 'late' })
    result.observe(unexpected, duplicate, { ...receiver, kind: 'duplicate' })
    result.observe(unexpected, foreign, { ...receiver, kind: 'foreign' })
    result.observe(clockSteps, steps, receiver)
    result.observe(interval, stats.periodMs / 1000, receiver)
    result.observe(targets, stats.targets, receiver)
    result.observe(skipped, stats.skipped, receiver)
  }
  meter.addBatchObservableCallback(callback, all)
  return () => meter.removeBatchObservableCallback(callback, all)
}

/** The same of address translation. */
export function observeTranslation({ meter, id }: Settings, translation: Translation): () => void {
  const receiver = { receiver: id.toString() }
  const lookups = meter.createObservableCounter('netvitals.translation.connections', {
    unit: '{connection}',
    description:
      'Outbound connections of which connection tracking was asked who answers, by what it said; limited: not asked, for destinations::translation::max_rate.',
  })
  const held = meter.createObservableGauge('netvitals.translation.held', {
    unit: '{connection}',
    description: 'Connections that wait for the answer.',
  })
  const callback: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
    const stats = translation.stats()
    for (const [outcome, count] of Object.entries(stats.outcomes))
      result.observe(lookups, count, { ...receiver, outcome })
    result.observe(held, stats.held, receiver)
  }
  meter.addBatchObservableCallback(callback, [lookups, held])
  return () => meter.removeBatchObservableCallback(callback, [lookups, held])
}

/** The same of what containers are called. */
export function observeContainers({ meter, id }: Settings, containers: Pick<Containers, 'identities'>): () => void {
  const receiver = { receiver: id.toString() }
  const identity = meter.createObservableGauge('netvitals.container.identity', {
    unit: '{container}',
    description: 'Containers that are there, by who told what they are called; pending: nobody yet who might.',
  })
  const callback: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
    const { bySource, pending } = containers.identities()
    for (const [source, count] of bySource) result.observe(identity, count, { ...receiver, source })
    result.observe(identity, pending, { ...receiver, source: 'pending' })
  }
  meter.addBatchObservableCallback(callback, [identity])
  return () => meter.removeBatchObservableCallback(callback, [identity])
}
