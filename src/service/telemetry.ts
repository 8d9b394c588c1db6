import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { type Attributes, createNoopMeter } from '@opentelemetry/api'
import type { TelemetryConfig } from '../config/index.ts'
import { createSwitchableLogger, type Logger, type LogOptions, type SwitchableLogger } from '../log.ts'
import { createMeters, type MeterSource, type Meters } from './meters.ts'
import { observeProcess } from './process-metrics.ts'

/** The program's own metrics. */
export interface Telemetry {
  /** No-ops where there are no readers. */
  readonly meters: Meters
  /**
   * Makes what another configuration asks for and changes nothing before `commit`, which sends what the present
   * readers still hold; `discard` drops it again.
   * @throws when a reader cannot be made
   */
  prepare(config: TelemetryConfig): Promise<{ commit(): Promise<void>; discard(): Promise<void> }>
  /** Sends what is left. Bounded by `timeoutMs`; never rejects. */
  stop(timeoutMs: number): Promise<void>
}

/** The readers of one configuration. */
interface Readers {
  readonly source: MeterSource
  stop(timeoutMs: number): Promise<void>
}

/** Longest that a reload waits for the last metrics of readers that go. */
const LAST_EXPORT_MS = 2000

export function logOptions({ logs }: TelemetryConfig): LogOptions {
  return {
    level: logs.level,
    encoding: logs.encoding,
    initialFields: logs.initial_fields,
    outputPaths: logs.output_paths,
  }
}

/** @throws when an output path cannot be opened */
export function createServiceLogger(config: TelemetryConfig): SwitchableLogger {
  return createSwitchableLogger(logOptions(config))
}

export async function createTelemetry(config: TelemetryConfig, version: string, log: Logger): Promise<Telemetry> {
  const instanceId = randomUUID()
  const open = (of: TelemetryConfig) => openReaders(of, version, instanceId, log)
  let readers = await open(config)
  let present = config
  const meters = createMeters(readers.source)
  observeProcess(meters.scope('netvitals/service').meter)
  return {
    meters,
    async prepare(next) {
      const same = isDeepStrictEqual([present.metrics, present.resource], [next.metrics, next.resource])
      if (same) return { commit: async () => {}, discard: async () => {} }
      const opened = await open(next)
      return {
        async commit() {
          const old = readers
          readers = opened
          present = next
          meters.use(opened.source)
          await old.stop(LAST_EXPORT_MS)
        },
        discard: () => opened.stop(0),
      }
    },
    stop: (timeoutMs) => readers.stop(timeoutMs),
  }
}

/** The metrics SDK and the gRPC exporter are loaded only when there is a reader: they are most of an idle process. */
async function openReaders(
  config: TelemetryConfig,
  version: string,
  instanceId: string,
  log: Logger,
): Promise<Readers> {
  const readers = config.metrics.level === 'none' ? [] : (config.metrics.readers ?? [])
  if (readers.length === 0) {
    const meter = createNoopMeter()
    return { source: () => meter, stop: async () => {} }
  }
  const { createMeterProvider } = await import('./meter-provider.ts')
  const provider = await createMeterProvider(readers, ownResource(config, version, instanceId), log)
  return {
    source: (scope) => provider.getMeter(scope, version),
    async stop(timeoutMs) {
      let timer: NodeJS.Timeout | undefined
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs)
      })
      const shutdown = provider.shutdown({ timeoutMillis: timeoutMs }).catch((error) => {
        log.debug({ error }, 'The last metrics about netvitals itself were not sent')
      })
      await Promise.race([shutdown, deadline])
      clearTimeout(timer)
    },
  }
}

/** Attributes of netvitals itself; a key set to null in the configuration goes. */
export function ownResource(
  { resource }: Pick<TelemetryConfig, 'resource'>,
  version: string,
  instanceId: string,
): Attributes {
  const all: Record<string, unknown> = {
    'service.name': 'netvitals',
    'service.version': version,
    'service.instance.id': instanceId,
    'host.name': hostname(),
    ...resource,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)) as Attributes
}
