import { codedError, reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Graph } from './graph.ts'
import type { Node } from './node.ts'

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

/** Front to back, so that each stage takes what the one before still gives; what went wrong, of all of them. */
export async function stopStages(
  graph: Omit<Graph, 'connect'>,
  isToStop: (node: Node) => boolean,
  log: Logger,
): Promise<unknown[]> {
  const begin = performance.now()
  const failures: unknown[] = []
  for (const stage of ['receivers', 'processors', 'exporters', 'extensions'] as const) {
    const nodes = graph[stage].filter(isToStop)
    const deadline = begin + STOP_DEADLINES_MS[stage]
    const stop = (node: Node) => stopNode(node, deadline, log)
    // Processors hand on to each other: one by one. The others are independent of their like.
    if (stage === 'processors') for (const node of nodes) failures.push(...(await stop(node)))
    else failures.push(...(await Promise.all(nodes.map(stop))).flat())
  }
  return failures
}

async function stopNode({ id, kind, component, close }: Node, deadline: number, log: Logger): Promise<unknown[]> {
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
    close()
  }
}
