import type { Exporter, Host, Settings } from '../../component/types.ts'
import { createSender } from '../sending/sender.ts'
import { refuseUnsupported } from '../sending/unsupported.ts'
import { createMetricsClient, type MetricsClient } from './client.ts'
import type { Config } from './config.ts'

const COMPRESSIONS = ['gzip', 'none', '']

/** Batches go through the shared queue and retry to one gRPC channel, which is made at the start. */
export function createOtlpGrpcExporter(settings: Settings, config: Config): Exporter {
  refuseUnsupported(config)
  if (!COMPRESSIONS.includes(config.compression)) {
    throw new Error(`compression: ${config.compression} is not supported over gRPC here; write gzip`)
  }
  let client: MetricsClient | undefined
  const sender = createSender({
    settings,
    queue: config.sending_queue,
    retry: config.retry_on_failure,
    maxRequestBytes: config.max_request_bytes,
    temporality: config.temporality_preference,
    send: (bytes, signal) => client!.send(bytes, signal),
  })

  async function start(host: Host): Promise<void> {
    client = await createMetricsClient(config, settings)
    await sender.start(host)
  }

  async function stop(): Promise<void> {
    await sender.stop()
    client?.close()
  }

  return { ...sender, start, stop }
}
