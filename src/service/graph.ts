import type { Meter } from '@opentelemetry/api'
import type { ComponentKind, Consumer, Exporter, Extension, Factory, Lifecycle, Settings } from '../component/types.ts'
import type { ComponentConfig, Config } from '../config/index.ts'
import { codedError, reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { createExporterEdge, createFanOut, createReceiverEdge } from './edges.ts'

/** One running component. */
export interface Node {
  readonly kind: ComponentKind
  readonly id: string
  readonly component: Lifecycle
}

/** The components in the order in which data meets them; processors of one pipeline after the other. */
export interface Graph {
  readonly receivers: readonly Node[]
  readonly processors: readonly Node[]
  readonly exporters: readonly Node[]
  readonly extensions: readonly Node[]
}

export interface GraphOptions {
  readonly log: Logger
  readonly meter: (scope: string) => Meter
  readonly version: string
}

/**
 * Receivers and exporters exist once, however many pipelines use them; processors once a pipeline. What no pipeline
 * uses is not created.
 */
export function buildGraph(config: Config<Factory>, { log, meter, version }: GraphOptions): Graph {
  const edges = meter('netvitals/service')

  function settingsOf({ id, factory }: ComponentConfig<Factory>, pipeline?: string): Settings {
    const fields = { 'otelcol.component.id': id.toString(), 'otelcol.component.kind': factory.kind }
    return {
      id,
      version,
      log: log.child(pipeline === undefined ? fields : { ...fields, 'otelcol.pipeline.id': pipeline }),
      meter: meter(`netvitals/${factory.kind}/${factory.type}`),
    }
  }

  const exporters = new Map<string, { node: Node; edge: Consumer }>()
  function exporterEdge(id: string): Consumer {
    const existing = exporters.get(id)
    if (existing !== undefined) return existing.edge
    const part = configured(config.exporters, id)
    const exporter = create<Exporter>('exporter', part, (factory) =>
      factory.kind === 'exporter' ? factory.create(settingsOf(part), part.config) : undefined,
    )
    const edge = createExporterEdge(edges, part.id, exporter)
    exporters.set(id, { node: { kind: 'exporter', id, component: exporter }, edge })
    return edge
  }

  const processors: Node[] = []
  const entries = new Map<string, Consumer[]>()
  for (const [pipeline, { receivers, processors: chain, exporters: ends }] of Object.entries(
    config.service.pipelines,
  )) {
    let next = createFanOut([...new Set(ends.map(String))].map(exporterEdge))
    const nodes: Node[] = []
    for (const id of chain.map(String).toReversed()) {
      const part = configured(config.processors, id)
      const downstream = next
      const processor = create<Lifecycle & Consumer>('processor', part, (factory) =>
        factory.kind === 'processor' ? factory.create(settingsOf(part, pipeline), part.config, downstream) : undefined,
      )
      nodes.unshift({ kind: 'processor', id, component: processor })
      next = processor
    }
    processors.push(...nodes)
    for (const id of new Set(receivers.map(String))) entries.set(id, [...(entries.get(id) ?? []), next])
  }

  const receivers = [...entries].map(([id, consumers]): Node => {
    const part = configured(config.receivers, id)
    const edge = createReceiverEdge(edges, part.id, createFanOut(consumers))
    const component = create<Lifecycle>('receiver', part, (factory) =>
      factory.kind === 'receiver' ? factory.create(settingsOf(part), part.config, edge) : undefined,
    )
    return { kind: 'receiver', id, component }
  })

  const extensions = config.service.extensions.map((used): Node => {
    const part = configured(config.extensions, used.toString())
    const component = create<Extension>('extension', part, (factory) =>
      factory.kind === 'extension' ? factory.create(settingsOf(part), part.config) : undefined,
    )
    return { kind: 'extension', id: used.toString(), component }
  })

  return { receivers, processors, exporters: [...exporters.values()].map(({ node }) => node), extensions }
}

function configured(section: ReadonlyMap<string, ComponentConfig<Factory>>, id: string): ComponentConfig<Factory> {
  const part = section.get(id)
  if (part === undefined) throw new TypeError(`${id} is used in a pipeline and was not validated`)
  return part
}

function create<T>(
  kind: ComponentKind,
  { id, factory }: ComponentConfig<Factory>,
  build: (factory: Factory) => T | undefined,
): T {
  let component: T | undefined
  try {
    component = build(factory)
  } catch (error) {
    throw codedError('NETVITALS_COMPONENT_CREATE', { id: id.toString(), kind, reason: reasonOf(error) }, error)
  }
  if (component === undefined) throw new TypeError(`${factory.type} is a ${factory.kind}, not a ${kind}`)
  return component
}
