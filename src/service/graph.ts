import type { ComponentKind, Consumer, Factory } from '../component/types.ts'
import type { ComponentConfig, Config } from '../config/index.ts'
import { createFanOut } from './edges.ts'
import { createNode, type Node, type NodeOptions } from './node.ts'
import { isUnchanged, withFiles } from './unchanged.ts'

/** The components in the order in which data meets them; processors of one pipeline after the other. */
export interface Graph {
  readonly receivers: readonly Node[]
  readonly processors: readonly Node[]
  readonly exporters: readonly Node[]
  readonly extensions: readonly Node[]
  /** Lets the data flow as this graph has it, at once: also for components that were in another one before. */
  connect(): void
}

/**
 * Receivers and exporters exist once, however many pipelines use them; processors once a pipeline. What no pipeline
 * uses is not created. What is in `running` with the same settings is taken from there.
 * @throws NETVITALS_COMPONENT_CREATE; then nothing that was created is left
 */
export function buildGraph(config: Config<Factory>, options: NodeOptions, running: Iterable<Node> = []): Graph {
  const present = new Map([...running].map((node) => [node.key, node]))
  const created: Node[] = []
  const flows: [Node, Consumer][] = []

  function nodeOf(kind: ComponentKind, part: ComponentConfig<Factory>, pipeline?: string): Node {
    const key = [kind, part.id, pipeline ?? ''].join(' ')
    const configured = withFiles(part)
    const before = present.get(key)
    if (before !== undefined && isUnchanged(before.configured, configured)) return before
    const node = createNode(kind, key, configured, options, pipeline)
    created.push(node)
    return node
  }

  function build(): Graph {
    const exporters = new Map<string, Node>()
    function entryOf(id: string): Consumer {
      const node = exporters.get(id) ?? nodeOf('exporter', used(config.exporters, id))
      exporters.set(id, node)
      return node.entry!
    }

    const processors: Node[] = []
    const entries = new Map<string, Consumer[]>()
    for (const [pipeline, { receivers, processors: chain, exporters: ends }] of Object.entries(
      config.service.pipelines,
    )) {
      let next = createFanOut([...new Set(ends.map(String))].map(entryOf))
      const nodes: Node[] = []
      for (const id of chain.map(String).toReversed()) {
        const node = nodeOf('processor', used(config.processors, id), pipeline)
        flows.push([node, next])
        nodes.unshift(node)
        next = node.entry!
      }
      processors.push(...nodes)
      for (const id of new Set(receivers.map(String))) entries.set(id, [...(entries.get(id) ?? []), next])
    }

    const receivers = [...entries].map(([id, consumers]) => {
      const node = nodeOf('receiver', used(config.receivers, id))
      flows.push([node, createFanOut(consumers)])
      return node
    })
    const extensions = config.service.extensions.map((id) =>
      nodeOf('extension', used(config.extensions, id.toString())),
    )
    const connect = () => {
      for (const [node, next] of flows) node.outlet!.connect(next)
    }
    return { receivers, processors, exporters: [...exporters.values()], extensions, connect }
  }

  try {
    return build()
  } catch (error) {
    for (const { component, close } of created)
      void component
        .stop()
        .catch(() => {})
        .finally(close)
    throw error
  }
}

/** All of them, those first that data meets first. */
export function nodesOf({ receivers, processors, exporters, extensions }: Graph): Node[] {
  return [...receivers, ...processors, ...exporters, ...extensions]
}

function used(section: ReadonlyMap<string, ComponentConfig<Factory>>, id: string): ComponentConfig<Factory> {
  const part = section.get(id)
  if (part === undefined) throw new TypeError(`${id} is used in a pipeline and was not validated`)
  return part
}
