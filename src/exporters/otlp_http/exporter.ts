import type { Exporter, Settings } from '../../component/types.ts'
import { JSON_FORMAT } from '../sending/json-format.ts'
import { createSender } from '../sending/sender.ts'
import { refuseUnsupported } from '../sending/unsupported.ts'
import { createMetricsClient } from './client.ts'
import type { Config } from './config.ts'

/**
 * Batches go through the shared queue and retry to one URL.
 * @throws {Error} naming the key that cannot be used
 */
export function createOtlpHttpExporter(settings: Settings, config: Config): Exporter {
  refuseUnsupported(config)
  const client = createMetricsClient(config, settings)
  const sender = createSender({
    settings,
    queue: config.sending_queue,
    retry: config.retry_on_failure,
    maxRequestBytes: config.max_request_bytes,
    temporality: config.temporality_preference,
    ...(config.encoding === 'json' ? { format: JSON_FORMAT } : {}),
    send: client.send,
  })

  async function stop(): Promise<void> {
    await sender.stop()
    client.close()
  }

  return { ...sender, stop }
}
