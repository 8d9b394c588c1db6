import type { Meter, ObservableResult } from '@opentelemetry/api'

export interface QueueGauges {
  /** In units of the queue's sizer. */
  readonly size: () => number
  readonly capacity: number
  readonly unit: string
}

/**
 * What an exporter says about itself, under the Collector's names. Only here is it known what became of a point, so
 * nobody else counts them.
 */
export function createSendingTelemetry(meter: Meter, exporter: string, queue: QueueGauges | undefined) {
  const attributes = { exporter }
  const points = { unit: '{datapoint}' }
  const sent = meter.createCounter('otelcol_exporter_sent_metric_points', {
    ...points,
    description: 'Number of metric points successfully sent to destination.',
  })
  const failed = meter.createCounter('otelcol_exporter_send_failed_metric_points', {
    ...points,
    description: 'Number of metric points that were given up: refused for good, or failed for too long.',
  })
  const refused = meter.createCounter('otelcol_exporter_enqueue_failed_metric_points', {
    ...points,
    description: 'Number of metric points failed to be added to the sending queue.',
  })
  const rejected = meter.createCounter('netvitals.exporter.rejected_points', {
    ...points,
    description: 'Number of metric points, of those sent, that the destination said it rejected (partial success).',
  })
  const unregister = queue === undefined ? () => undefined : observe(queue)

  function observe({ size, capacity, unit }: QueueGauges): () => void {
    const sizeGauge = meter.createObservableGauge('otelcol_exporter_queue_size', {
      unit,
      description: 'Current size of the sending queue, what is being sent included.',
    })
    const capacityGauge = meter.createObservableGauge('otelcol_exporter_queue_capacity', {
      unit,
      description: 'Fixed capacity of the sending queue.',
    })
    const observeSize = (result: ObservableResult) => result.observe(size(), attributes)
    const observeCapacity = (result: ObservableResult) => result.observe(capacity, attributes)
    sizeGauge.addCallback(observeSize)
    capacityGauge.addCallback(observeCapacity)
    return () => {
      sizeGauge.removeCallback(observeSize)
      capacityGauge.removeCallback(observeCapacity)
    }
  }

  return {
    sent: (count: number) => sent.add(count, attributes),
    failed: (count: number) => failed.add(count, attributes),
    refused: (count: number) => refused.add(count, attributes),
    rejected: (count: number) => {
      if (count > 0) rejected.add(count, attributes)
    },
    stop: unregister,
  }
}
