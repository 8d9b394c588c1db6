import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type Attributes, createNoopMeter, type Meter } from '@opentelemetry/api'
import type { TelemetryConfig } from '../config/index.ts'
import { createLogger, type Logger } from '../log.ts'
import { observeProcess } from './process-metrics.ts'

/** The program's own signals. */
export interface Telemetry {
  /** No-ops where there are no readers. `scope` names the instrumented part. */
  meter(scope: string): Meter
  /** Sends what is left. Bounded by `timeoutMs`; never rejects. */
  stop(timeoutMs: number): Promise<void>
}

/** @throws when an output path cannot be opened */
export function createServiceLogger({ logs }: TelemetryConfig): Logger {
  return createLogger({
    level: logs.level,
    encoding: logs.encoding,
    initialFields: logs.initial_fields,
    outputPaths: logs.output_paths,
  })
}

/** The metrics SDK and the gRPC exporter are loaded only when there is a reader: they are most of an idle process. */
export async function createTelemetry(config: TelemetryConfig, version: string, log: Logger): Promise<Telemetry> {
  const readers = config.metrics.level === 'none' ? [] : (config.metrics.readers ?? [])
  if (readers.length === 0) {
    const meter = createNoopMeter()
    return { meter: () => meter, stop: async () => {} }
  }
  const { createMeterProvider } = await import('./meter-provider.ts')
  const provider = await createMeterProvider(readers, ownResource(config, version), log)
  const meter = (scope: string): Meter => provider.getMeter(scope, version)
  observeProcess(meter('netvitals/service'))
  return {
    meter,
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
export function ownResource({ resource }: Pick<TelemetryConfig, 'resource'>, version: string): Attributes {
  const all: Record<string, unknown> = {
    'service.name': 'netvitals',
    'service.version': version,
    'service.instance.id': randomUUID(),
    'host.name': hostname(),
    ...resource,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)) as Attributes
}
