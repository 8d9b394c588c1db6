import type { ComponentKind, Consumer, Exporter, Factory, Lifecycle, Settings } from '../component/types.ts'
import { codedError, reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { createExporterEdge, createReceiverEdge } from './edges.ts'
import type { ComponentHost } from './host.ts'
import type { MeterScope, Meters } from './meters.ts'
import type { Configured } from './unchanged.ts'

/** One component of a graph. Carried over into the next one when it is the same there. */
export interface Node {
  readonly kind: ComponentKind
  /** As the configuration has it. */
  readonly id: string
  /** Names it in any graph: the kind, the id and, for a processor, the pipeline. */
  readonly key: string
  readonly configured: Configured
  readonly component: Lifecycle
  readonly host: ComponentHost
  /** Where batches go in: exporters and processors. */
  readonly entry?: Consumer
  /** Where batches go out: receivers and processors. */
  readonly outlet?: Outlet
  /** After its stop: nothing of it is observed any more. */
  close(): void
}

/** What comes after a component: may change between two batches while it runs. */
export interface Outlet extends Consumer {
  connect(next: Consumer): void
}

export interface NodeOptions {
  readonly log: Logger
  readonly meters: Meters
  readonly version: string
  readonly createHost: () => ComponentHost
}

/** @throws NETVITALS_COMPONENT_CREATE */
export function createNode(
  kind: ComponentKind,
  key: string,
  configured: Configured,
  { log, meters, version, createHost }: NodeOptions,
  pipeline?: string,
): Node {
  const { id, factory, config } = configured.part
  if (factory.kind !== kind) throw new TypeError(`${factory.type} is a ${factory.kind}, not a ${kind}`)
  const edges = meters.scope('netvitals/service')
  const own = meters.scope(`netvitals/${kind}/${factory.type}`)
  const fields = { 'otelcol.component.id': id.toString(), 'otelcol.component.kind': kind }
  const settings: Settings = {
    id,
    version,
    log: log.child(pipeline === undefined ? fields : { ...fields, 'otelcol.pipeline.id': pipeline }),
    meter: own.meter,
  }
  const close = () => closeAll([edges, own])
  const node = { kind, id: id.toString(), key, configured, host: createHost(), close }
  try {
    return { ...node, ...createComponent(factory, settings, config, edges) }
  } catch (error) {
    close()
    throw codedError('NETVITALS_COMPONENT_CREATE', { id: id.toString(), kind, reason: reasonOf(error) }, error)
  }
}

function createComponent(factory: Factory, settings: Settings, config: unknown, { meter }: MeterScope) {
  if (factory.kind === 'exporter') {
    const component: Exporter = factory.create(settings, config)
    return { component, entry: createExporterEdge(meter, settings.id, component) }
  }
  if (factory.kind === 'extension') return { component: factory.create(settings, config) }
  const outlet = createOutlet()
  if (factory.kind === 'processor') {
    const component = factory.create(settings, config, outlet)
    return { component, entry: component, outlet }
  }
  return { component: factory.create(settings, config, createReceiverEdge(meter, settings.id, outlet)), outlet }
}

function createOutlet(): Outlet {
  let next: Consumer = { consume: () => Promise.reject(new Error('nothing is connected yet')) }
  return {
    consume: (batch) => next.consume(batch),
    connect(consumer) {
      next = consumer
    },
  }
}

function closeAll(scopes: readonly MeterScope[]): void {
  for (const { close } of scopes) close()
}
