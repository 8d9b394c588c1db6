import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { Batch, Consumer, Host, Processor, Settings } from '../../component/types.ts'
import { reasonOf } from '../../errors.ts'
import type { Config } from './config.ts'
import { cutBatch, pointsOfResource } from './split.ts'

type Trigger = 'size' | 'timeout'

/**
 * Holds data points until there are `send_batch_size` of them or `timeout` has passed. Batches leave one after the
 * other, in the order of their points; while one is being taken downstream, whoever filled it waits.
 */
export function createBatchProcessor({ id, meter }: Settings, config: Config, next: Consumer): Processor {
  const { send_batch_size: fullPoints, send_batch_max_size: maxPoints, timeout: timeoutMs } = config
  const telemetry = createTelemetry()
  let host: Host | undefined
  let pending: ResourceMetrics[] = []
  let pendingPoints = 0
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> = Promise.resolve()

  async function start(of: Host): Promise<void> {
    host = of
  }

  async function consume(batch: Batch): Promise<void> {
    for (const resource of batch) {
      const points = pointsOfResource(resource)
      if (points === 0) continue
      pending.push(resource)
      pendingPoints += points
    }
    let full = false
    while (pendingPoints > 0 && (pendingPoints >= fullPoints || timeoutMs === 0)) {
      send('size')
      full = true
    }
    if (pendingPoints > 0) timer ??= setTimeout(flush, timeoutMs, 'timeout')
    if (full) await sending
  }

  function flush(trigger: Trigger): void {
    while (pendingPoints > 0) send(trigger)
  }

  /** Takes at most one batch off what is pending and queues it behind those under way. */
  function send(trigger: Trigger): void {
    clearTimeout(timer)
    timer = undefined
    const limited = maxPoints > 0 && pendingPoints > maxPoints
    const [batch, rest] = limited ? cutBatch(pending, maxPoints) : [pending, []]
    const points = limited ? maxPoints : pendingPoints
    pending = rest
    pendingPoints -= points
    telemetry.sent(points, trigger)
    sending = sending.then(() => deliver(batch))
  }

  /** Whoever gave the points may be long gone: a refusal is reported here, once. */
  async function deliver(batch: Batch): Promise<void> {
    try {
      await next.consume(batch)
      host?.report(id, 'sender', 'ok')
    } catch (error) {
      host?.report(id, 'sender', 'down', reasonOf(error))
    }
  }

  async function stop(): Promise<void> {
    flush('timeout')
    await sending
  }

  function createTelemetry() {
    const attributes = { processor: id.toString() }
    const triggers = {
      size: meter.createCounter('otelcol_processor_batch_batch_size_trigger_send', {
        description: 'Number of times the batch was sent due to a size trigger',
        unit: '{time}',
      }),
      timeout: meter.createCounter('otelcol_processor_batch_timeout_trigger_send', {
        description: 'Number of times the batch was sent due to a timeout trigger',
        unit: '{time}',
      }),
    }
    const sizes = meter.createHistogram('otelcol_processor_batch_batch_send_size', {
      description: 'Number of units in the batch',
      unit: '{unit}',
      advice: { explicitBucketBoundaries: [10, 100, 500, 1000, 2000, 4000, 8000, 10_000, 20_000, 50_000, 100_000] },
    })
    return {
      sent(points: number, trigger: Trigger): void {
        triggers[trigger].add(1, attributes)
        sizes.record(points, attributes)
      },
    }
  }

  return { start, consume, stop }
}
