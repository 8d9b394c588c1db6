import type { Counter, Meter } from '@opentelemetry/api'
import { countPoints } from '../component/data-model.ts'
import type { ComponentId, Consumer, Exporter } from '../component/types.ts'

/** ExportResultCode of @opentelemetry/core, whose module is loaded only where something is sent. */
const SUCCESS = 0

/** Gives each batch to all; when some refuse it, the others have it nevertheless and the refusals come together. */
export function createFanOut(consumers: readonly Consumer[]): Consumer {
  const [only] = consumers
  if (consumers.length === 1 && only !== undefined) return only
  return {
    async consume(batch) {
      const results = await Promise.allSettled(consumers.map((consumer) => consumer.consume(batch)))
      const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
      if (reasons.length > 0)
        throw reasons.length === 1 ? reasons[0] : new AggregateError(reasons, 'refused by several')
    },
  }
}

const points = (meter: Meter, name: string, description: string): Counter =>
  meter.createCounter(`otelcol_${name}_metric_points`, { description, unit: '{datapoint}' })

/** What a receiver delivers, counted under the Collector's names. */
export function createReceiverEdge(meter: Meter, id: ComponentId, next: Consumer): Consumer {
  const accepted = points(meter, 'receiver_accepted', 'Number of metric points successfully pushed into the pipeline.')
  const refused = points(
    meter,
    'receiver_refused',
    'Number of metric points that could not be pushed into the pipeline.',
  )
  const attributes = { receiver: id.toString(), transport: '' }
  return {
    async consume(batch) {
      const count = countPoints(batch)
      try {
        await next.consume(batch)
      } catch (error) {
        refused.add(count, attributes)
        throw error
      }
      accepted.add(count, attributes)
    },
  }
}

/**
 * Makes a consumer of an exporter: a batch is accepted when the exporter has queued it (or is done with it, where it
 * has no queue). Counted under the Collector's names, unless the exporter does that itself because it alone knows
 * what became of each point.
 */
export function createExporterEdge(meter: Meter, id: ComponentId, exporter: Exporter): Consumer {
  const consumer: Consumer = {
    consume: (batch) =>
      new Promise((resolve, reject) => {
        exporter.export(batch, ({ code, error }) => {
          if (code === SUCCESS) resolve()
          else reject(error ?? new Error(`exporter "${id}" refused the data and gave no reason`))
        })
      }),
  }
  return exporter.countsPoints === true ? consumer : countExports(meter, id, consumer)
}

function countExports(meter: Meter, id: ComponentId, { consume }: Consumer): Consumer {
  const sent = points(meter, 'exporter_sent', 'Number of metric points successfully sent to destination.')
  const failed = points(
    meter,
    'exporter_send_failed',
    'Number of metric points in failed attempts to send to destination.',
  )
  const attributes = { exporter: id.toString() }
  return {
    async consume(batch) {
      const count = countPoints(batch)
      try {
        await consume(batch)
      } catch (error) {
        failed.add(count, attributes)
        throw error
      }
      sent.add(count, attributes)
    },
  }
}
