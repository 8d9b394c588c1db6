import type { Exporter, Extension, Factory, Receiver } from '../component/types.ts'
import type { Config } from '../config/index.ts'
import { codedError, reasonOf } from '../errors.ts'
import type { SwitchableLogger } from '../log.ts'
import { buildGraph, type Graph, nodesOf } from './graph.ts'
import { createHost, observeStatus } from './host.ts'
import type { Node, NodeOptions } from './node.ts'
import { STOP_DEADLINES_MS, stopStages } from './stopping.ts'
import { createTelemetry, logOptions } from './telemetry.ts'

export interface ServiceOptions {
  readonly version: string
  readonly logger: SwitchableLogger
  /** Called once, with the first error of a component that leaves nothing to run. */
  readonly onFatal: (error: Error) => void
  /** Called when nobody reads any more what the exporters write, all of them. @see Exporter.unread */
  readonly onUnread?: () => void
}

/** What a reload did, by numbers of components. */
export interface Reloaded {
  readonly kept: number
  readonly started: number
  readonly stopped: number
}

export interface Service {
  /** Back to front. Rejects with the first that cannot start, those already started being stopped again. */
  start(): Promise<void>
  /**
   * Runs this configuration from now on; what is the same in it goes on undisturbed. When it rejects, the one before
   * runs on. One after the other.
   */
  reload(config: Config<Factory>): Promise<Reloaded>
  /** Front to back, within STOP_DEADLINES_MS; twice is fine. Rejects when a component fails to stop. */
  stop(): Promise<void>
}

/** @throws CodedError when a component cannot be created */
export async function buildService(first: Config<Factory>, options: ServiceOptions): Promise<Service> {
  const { version, logger, onFatal, onUnread } = options
  const { log } = logger
  const telemetry = await createTelemetry(first.service.telemetry, version, log)
  let config = first
  let graph: Graph
  /** The graph that a reload has left and not yet stopped, or not yet reached. */
  let other: Graph | undefined
  const running = new Set<Node>()
  /** Exporters whose reader is gone. */
  const unread = new WeakSet<Node>()
  let reloading: Promise<unknown> = Promise.resolve()
  let stopping: Promise<void> | undefined
  let failed = false

  function fatal(error: Error): void {
    if (failed) return
    failed = true
    onFatal(error)
  }

  function extension(id: string): Extension | undefined {
    const node = [...running].find((each) => each.kind === 'extension' && each.id === id)
    return node?.component as Extension | undefined
  }

  const nodes: NodeOptions = {
    log,
    meters: telemetry.meters,
    version,
    createHost: () => createHost({ log, extension, onFatal: fatal }),
  }
  graph = buildGraph(config, nodes)
  graph.connect()
  observeStatus(telemetry.meters.scope('netvitals/service').meter, () => [...running].map(({ host }) => host))

  /** True: it took over from `previous`, which is stopped by that. */
  async function startNode(node: Node, previous?: Node): Promise<boolean> {
    const { id, kind, component, host } = node
    if (stopping !== undefined) throw new Error('the program is stopping')
    running.add(node)
    try {
      if (previous !== undefined && (await takeOver(node, previous))) return true
      await component.start(host)
      if (kind === 'exporter') watchReader(node)
      return false
    } catch (error) {
      throw codedError('NETVITALS_COMPONENT_START', { id, kind, reason: reasonOf(error) }, error)
    }
  }

  function watchReader(node: Node): void {
    void (node.component as Exporter).unread?.then(() => {
      unread.add(node)
      checkReaders()
    })
  }

  function checkReaders(): void {
    if (graph.exporters.every((node) => unread.has(node))) onUnread?.()
  }

  async function takeOver({ component, host }: Node, previous: Node): Promise<boolean> {
    const took = await (component as Receiver).takeOver?.(host, previous.component)
    if (took !== true) return false
    running.delete(previous)
    previous.close()
    return true
  }

  async function start(): Promise<void> {
    for (const node of backToFront(graph)) {
      if (stopping !== undefined) return
      try {
        await startNode(node)
      } catch (error) {
        await stop().catch((failure) => log.error({ error: failure }, 'Stopping after a failed start failed too'))
        throw error
      }
    }
  }

  function reload(next: Config<Factory>): Promise<Reloaded> {
    const turn = reloading.then(() => change(next))
    reloading = turn.catch(() => {})
    return turn
  }

  async function change(next: Config<Factory>): Promise<Reloaded> {
    if (stopping !== undefined) throw new Error('the program is stopping')
    const before = new Set(running)
    const logs = logger.prepare(logOptions(next.service.telemetry))
    const metrics = await telemetry.prepare(next.service.telemetry).catch((error) => {
      logs.discard()
      throw error
    })
    try {
      await advance(buildGraph(next, nodes, running))
    } catch (error) {
      logs.discard()
      await metrics.discard()
      throw error
    }
    config = next
    logs.commit()
    await metrics.commit()
    await leave()
    checkReaders()
    const kept = [...running].filter((node) => before.has(node)).length
    return { kept, started: running.size - kept, stopped: before.size - kept }
  }

  /** Starts what is new, lets the data flow through it, and leaves what goes running without data. */
  async function advance(next: Graph): Promise<void> {
    other = next
    /** Receivers that were taken over from, and by whom. */
    const heirs = new Map<Node, Node>()
    try {
      const fresh = backToFront(next).filter((node) => !running.has(node))
      for (const node of fresh) if (node.kind !== 'receiver') await startNode(node)
      next.connect()
      for (const node of next.receivers.filter((each) => fresh.includes(each))) {
        const previous = predecessorOf(
          node,
          graph.receivers.filter((each) => running.has(each)),
          next,
        )
        if ((await startNode(node, previous)) && previous !== undefined) heirs.set(previous, node)
      }
    } catch (error) {
      await goBack(next, heirs)
      throw error
    }
    other = graph
    graph = next
  }

  /** After `advance` failed half-way: the components as they were, made anew where their receivers were taken over. */
  async function goBack(next: Graph, heirs: ReadonlyMap<Node, Node>): Promise<void> {
    try {
      const left = nodesOf(graph).filter((node) => !heirs.has(node))
      const back = heirs.size === 0 ? graph : buildGraph(config, nodes, left)
      back.connect()
      for (const [old, heir] of heirs) {
        const again = back.receivers.find(({ key }) => key === old.key)
        if (again !== undefined) await startNode(again, heir)
      }
      graph = back
      other = next
      await leave()
    } catch (error) {
      fatal(error as Error)
    }
  }

  /** Stops what is not in the graph any more. */
  async function leave(): Promise<void> {
    if (other === undefined) return
    const staying = new Set(nodesOf(graph))
    const failures = await stopStages(other, (node) => running.has(node) && !staying.has(node), log)
    for (const error of failures) log.error({ error }, 'A component that is not needed any more failed to stop')
    for (const node of nodesOf(other)) if (!staying.has(node)) running.delete(node)
    other = undefined
  }

  function stop(): Promise<void> {
    stopping ??= stopAll()
    return stopping
  }

  async function stopAll(): Promise<void> {
    const begin = performance.now()
    const all = other === undefined ? graph : joined(graph, other)
    const failures = await stopStages(all, (node) => running.has(node), log)
    await telemetry.stop(Math.max(50, begin + STOP_DEADLINES_MS.telemetry - performance.now()))
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, 'several failed')
  }

  return { start, reload, stop }
}

function backToFront({ receivers, processors, exporters, extensions }: Graph): Node[] {
  return [...extensions, ...exporters, ...processors.toReversed(), ...receivers]
}

/** Whose place a new receiver takes: one of the same factory that goes, that of the same id before any other. */
function predecessorOf(node: Node, before: readonly Node[], next: Graph): Node | undefined {
  const { factory } = node.configured.part
  const going = before.filter((each) => each.configured.part.factory === factory && !next.receivers.includes(each))
  const stays = (id: string) => next.receivers.some((each) => each.id === id)
  return going.find(({ id }) => id === node.id) ?? going.find(({ id }) => !stays(id))
}

function joined(a: Graph, b: Graph): Omit<Graph, 'connect'> {
  const both = (stage: Exclude<keyof Graph, 'connect'>) => [...new Set([...a[stage], ...b[stage]])]
  return {
    receivers: both('receivers'),
    processors: both('processors'),
    exporters: both('exporters'),
    extensions: both('extensions'),
  }
}
