import { ValueType } from '@opentelemetry/api'
import type { ExportResult } from '@opentelemetry/core'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  MetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import type { Batch, ComponentId, Exporter, Host, Settings } from '../../src/component/types.ts'
import { createLogger } from '../../src/log.ts'

class ManualReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

export interface Status {
  readonly part: string
  readonly status: 'ok' | 'down'
  readonly detail: string | undefined
}

/** Settings and Host that a component under test gets, and what it said to them. */
export function createHarness(name = 'otlp_grpc') {
  const lines: Record<string, unknown>[] = []
  const statuses: Status[] = []
  const reader = new ManualReader()
  const provider = new MeterProvider({ readers: [reader] })
  const id: ComponentId = { type: name, name: '', toString: () => name }
  const settings: Settings = {
    id,
    log: createLogger({ level: 'debug', encoding: 'json', write: (line) => lines.push(JSON.parse(line)) }),
    meter: provider.getMeter('test'),
    version: '1.2.3',
  }
  const host: Host = {
    fatal(error) {
      throw error
    },
    report: (_component, part, status, detail) => statuses.push({ part, status, detail }),
    extension: () => undefined,
  }

  /** A metric's value now, summed over its points; undefined when it has none. */
  async function metric(metricName: string): Promise<number | undefined> {
    const { resourceMetrics } = await reader.collect()
    const found = resourceMetrics.scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .find(({ descriptor }) => descriptor.name === metricName)
    return found?.dataPoints.reduce((sum, { value }) => sum + (value as number), 0)
  }

  return { settings, host, lines, statuses, metric }
}

/** `points` data points of one metric of one resource. */
export function makeBatch(metricName: string, points = 1): Batch {
  const startTime: [number, number] = [1_700_000_000, 5]
  const endTime: [number, number] = [1_700_000_010, 0]
  const dataPoints = Array.from({ length: points }, (_, i) => ({
    startTime,
    endTime,
    value: i,
    attributes: { 'destination.address': `10.0.${i >> 8}.${i & 255}`, 'destination.port': 443 },
  }))
  const resourceMetrics: ResourceMetrics = {
    resource: resourceFromAttributes({ 'service.name': 'test' }),
    scopeMetrics: [
      {
        scope: { name: 'netvitals', version: '1.2.3' },
        metrics: [
          {
            descriptor: { name: metricName, description: '', unit: '1', valueType: ValueType.INT },
            aggregationTemporality: AggregationTemporality.CUMULATIVE,
            dataPointType: DataPointType.SUM,
            isMonotonic: true,
            dataPoints,
          },
        ],
      },
    ],
  }
  return [resourceMetrics]
}

export function exportBatch(exporter: Exporter, batch: Batch): Promise<ExportResult> {
  return new Promise((resolve) => exporter.export(batch, resolve))
}
