import type { Extension, Factory } from '../component/types.ts'
import type { Config } from '../config/index.ts'
import { codedError, reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { buildGraph, type Node } from './graph.ts'
import { createHost } from './host.ts'
import { createTelemetry } from './telemetry.ts'

export interface ServiceOptions {
  readonly version: string
  readonly log: Logger
  /** A component reported that nothing is left to run. */
  readonly onFatal: (error: Error) => void
}

export interface Service {
  /** Back to front. Rejects with the first that cannot start, those already started being stopped again. */
  start(): Promise<void>
  /** Front to back, within STOP_DEADLINES_MS; twice is fine. Rejects when a component fails to stop. */
  stop(): Promise<void>
}

/**
 * Until when, from the begin of a stop, each stage is waited for: a receiver that hangs must not cost the exporters
 * their last batch, and the process must be gone within 5 s.
 */
export const STOP_DEADLINES_MS = {
  receivers: 1200,
  processors: 1800,
  exporters: 4300,
  extensions: 4400,
  telemetry: 4700,
}

/** @throws CodedError when a component cannot be created */
export async function buildService(config: Config<Factory>, options: ServiceOptions): Promise<Service> {
  const { version, log, onFatal } = options
  const telemetry = await createTelemetry(config.service.telemetry, version, log)
  const graph = buildGraph(config, { log, version, meter: telemetry.meter })
  const extensions = new Map(graph.extensions.map(({ id, component }) => [id, component as Extension]))
  const host = createHost({ log, meter: telemetry.meter('netvitals/service'), extensions, onFatal })
  const started: Node[] = []
  let stopping: Promise<void> | undefined

  async function start(): Promise<void> {
    const { receivers, processors, exporters } = graph
    for (const node of [...graph.extensions, ...exporters, ...processors.toReversed(), ...receivers]) {
      if (stopping !== undefined) return
      started.push(node)
      try {
        await node.component.start(host)
      } catch (error) {
        const { id, kind } = node
        await stop().catch((failure) => log.error({ error: failure }, 'Stopping after a failed start failed too'))
        throw codedError('NETVITALS_COMPONENT_START', { id, kind, reason: reasonOf(error) }, error)
      }
    }
  }

  function stop(): Promise<void> {
    stopping ??= stopStages()
    return stopping
  }

  async function stopStages(): Promise<void> {
    const begin = performance.now()
    const failures: unknown[] = []
    for (const stage of ['receivers', 'processors', 'exporters', 'extensions'] as const) {
      const nodes = graph[stage].filter((node) => started.includes(node))
      const deadline = begin + STOP_DEADLINES_MS[stage]
      // Processors hand on to each other: one by one. The others are independent of their like.
      if (stage === 'processors') for (const node of nodes) failures.push(...(await stopNode(node, deadline)))
      else failures.push(...(await Promise.all(nodes.map((node) => stopNode(node, deadline)))).flat())
    }
    await telemetry.stop(Math.max(50, begin + STOP_DEADLINES_MS.telemetry - performance.now()))
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, 'several failed')
  }

  async function stopNode({ id, kind, component }: Node, deadline: number): Promise<unknown[]> {
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<'timeout'>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, deadline - performance.now()), 'timeout')
    })
    try {
      const result = await Promise.race([component.stop(), timeout])
      if (result === 'timeout')
        log.warn({ component: id, kind }, 'Not waiting any longer for it to stop: what it still held is lost')
      return []
    } catch (error) {
      return [codedError('NETVITALS_COMPONENT_STOP', { id, kind, reason: reasonOf(error) }, error)]
    } finally {
      clearTimeout(timer)
    }
  }

  return { start, stop }
}
