import { Metadata } from '@grpc/grpc-js'
import type { Attributes } from '@opentelemetry/api'
import type { ExportResult } from '@opentelemetry/core'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics'
import type { TelemetryConfig } from '../config/index.ts'
import { reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'

type Reader = NonNullable<TelemetryConfig['metrics']['readers']>[number]
type PeriodicSettings = NonNullable<Reader['periodic']>
type OtlpSettings = PeriodicSettings['exporter']['otlp']
type OtlpOptions = NonNullable<ConstructorParameters<typeof OTLPMetricExporter>[0]>

/** CompressionAlgorithm and AggregationTemporalityPreference of the exporter's packages, which do not export them here. */
const TEMPORALITY = { delta: 0, cumulative: 1, lowmemory: 2 } as const

export async function createMeterProvider(
  readers: readonly Reader[],
  attributes: Attributes,
  log: Logger,
): Promise<MeterProvider> {
  return new MeterProvider({
    resource: resourceFromAttributes(attributes),
    readers: readers.flatMap(({ periodic }) => (periodic === undefined ? [] : [createReader(periodic, log)])),
  })
}

function createReader({ interval, timeout, exporter }: PeriodicSettings, log: Logger): PeriodicExportingMetricReader {
  const endpoint = endpointUrl(exporter.otlp)
  return new PeriodicExportingMetricReader({
    exporter: reportOnce(createExporter(exporter.otlp, endpoint), endpoint, log),
    exportIntervalMillis: interval,
    // the SDK refuses a timeout above the interval
    exportTimeoutMillis: Math.min(timeout, interval),
  })
}

function createExporter(settings: OtlpSettings, url: string): PushMetricExporter {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(settings.headers)) metadata.set(name, value)
  return new OTLPMetricExporter({
    url,
    metadata,
    timeoutMillis: settings.timeout,
    compression: settings.compression as NonNullable<OtlpOptions['compression']>,
    temporalityPreference: TEMPORALITY[settings.temporality_preference] as NonNullable<
      OtlpOptions['temporalityPreference']
    >,
  })
}

/** Without a scheme, `insecure` decides; with one, the scheme does. */
function endpointUrl({ endpoint, insecure }: OtlpSettings): string {
  return /^https?:\/\//.test(endpoint) ? endpoint : `${insecure === true ? 'http' : 'https'}://${endpoint}`
}

/** The SDK would report each failed export: here a change of state is one line. */
function reportOnce(exporter: PushMetricExporter, endpoint: string, log: Logger): PushMetricExporter {
  let down = false
  function tell({ code, error }: ExportResult): void {
    const failed = code !== 0
    if (failed && !down)
      log.warn({ endpoint, error: reasonOf(error ?? 'failed') }, 'Metrics about netvitals itself cannot be sent')
    if (!failed && down) log.info({ endpoint }, 'Metrics about netvitals itself are sent again')
    down = failed
  }
  return {
    export(metrics, resultCallback) {
      exporter.export(metrics, (result) => {
        tell(result)
        resultCallback({ code: 0 })
      })
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
    selectAggregation: (type) => exporter.selectAggregation?.(type) ?? { type: 0 },
    // With cumulative the SDK would repeat for ever what a component observed last that a reload took away.
    selectAggregationTemporality: (type) =>
      type === InstrumentType.OBSERVABLE_GAUGE ? 0 : (exporter.selectAggregationTemporality?.(type) ?? 1),
  }
}
