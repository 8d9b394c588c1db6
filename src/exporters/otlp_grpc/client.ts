import type { ChannelCredentials, Client, ClientOptions, Metadata, ServiceError } from '@grpc/grpc-js'
import type { Settings } from '../../component/types.ts'
import { reasonOf } from '../../errors.ts'
import { createRedactor } from '../sending/redact.ts'
import { decodeExportResponse } from '../sending/response.ts'
import type { Send, SendOutcome } from '../sending/retry.ts'
import { createReloading } from '../sending/tls.ts'
import type { Config } from './config.ts'
import { createCredentials } from './credentials.ts'
import { parseEndpoint } from './endpoint.ts'
import { DEADLINE_EXCEEDED, failureOf } from './status.ts'

type Grpc = typeof import('@grpc/grpc-js')

const EXPORT = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
const INTERNAL = 13
/** grpc-js' number for gzip; it compresses off the main thread, at zlib's default level as Go does. */
const GZIP = 2
/** After so many attempts without an answer the connection itself is suspect. */
const SILENT_ATTEMPTS = 2

export interface MetricsClient {
  readonly send: Send
  readonly close: () => void
}

/**
 * A channel to one endpoint. It connects, and reconnects, by itself. A connection on which two attempts in a row met
 * their deadline is replaced: after a partition TCP may take minutes to notice that it can send again.
 *
 * @throws {Error} naming the key that cannot be used
 */
export async function createMetricsClient(
  config: Config,
  { version, log }: Pick<Settings, 'version' | 'log'>,
): Promise<MetricsClient> {
  const grpc = await import('@grpc/grpc-js')
  const { target, isHttps } = parseEndpoint(config.endpoint)
  const credentials = createReloading({
    intervalMs: config.tls.reload_interval,
    load: () => createCredentials(grpc, config.tls, isHttps),
    onError: (error) => log.warn({ error: reasonOf(error) }, 'Certificate files cannot be used, the old ones stay.'),
  })
  const metadata = createMetadata(grpc, config)
  const options = channelOptions(config, version)
  const redact = createRedactor(Object.values(config.headers))
  let connectedWith = credentials()
  let client = connect()
  let silentAttempts = 0

  function connect(): Client {
    const created = new grpc.Client(target, connectedWith, options)
    created.getChannel().getConnectivityState(true)
    return created
  }

  function send(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<SendOutcome> {
    const current = credentials()
    if (current !== connectedWith) reconnect(current)
    return new Promise((settle) => {
      const call = client.makeUnaryRequest<Uint8Array<ArrayBuffer>, Buffer>(
        EXPORT,
        (message) => Buffer.from(message.buffer, message.byteOffset, message.byteLength),
        (message) => message,
        bytes,
        metadata.clone(),
        { deadline: config.timeout === 0 ? Number.POSITIVE_INFINITY : Date.now() + config.timeout },
        (error, response) => {
          signal.removeEventListener('abort', cancel)
          watchSilence(error)
          settle(withoutSecrets(outcomeOf(error, response)))
        },
      )
      const cancel = () => call.cancel()
      if (signal.aborted) cancel()
      else signal.addEventListener('abort', cancel)
    })
  }

  /** A backend may repeat the request's metadata in its error. */
  function withoutSecrets(outcome: SendOutcome): SendOutcome {
    return outcome.sent ? outcome : { ...outcome, reason: redact(outcome.reason) }
  }

  function watchSilence(error: ServiceError | null): void {
    silentAttempts = error?.code === DEADLINE_EXCEEDED ? silentAttempts + 1 : 0
    if (silentAttempts < SILENT_ATTEMPTS) return
    silentAttempts = 0
    reconnect(connectedWith)
  }

  function reconnect(using: ChannelCredentials): void {
    connectedWith = using
    client.close()
    client = connect()
  }

  return { send, close: () => client.close() }
}

function outcomeOf(error: ServiceError | null, response: Buffer | undefined): SendOutcome {
  if (error !== null) {
    const details = error.metadata?.get('grpc-status-details-bin')[0]
    return failureOf(error.code, error.details, typeof details === 'string' ? undefined : details)
  }
  try {
    return { sent: true, partialSuccess: decodeExportResponse(response ?? new Uint8Array()) }
  } catch (cause) {
    return failureOf(INTERNAL, `the response is not an ExportMetricsServiceResponse: ${reasonOf(cause)}`)
  }
}

function createMetadata(grpc: Grpc, config: Config): Metadata {
  const metadata = new grpc.Metadata({ waitForReady: config.wait_for_ready })
  for (const [name, value] of Object.entries(config.headers)) {
    try {
      metadata.set(name, name.toLowerCase().endsWith('-bin') ? Buffer.from(value) : value)
    } catch {
      throw new Error(
        `headers: "${name}" cannot be sent: names are letters, digits and "_-.", values printable ASCII (any in *-bin)`,
      )
    }
  }
  return metadata
}

function channelOptions(config: Config, version: string): ClientOptions {
  const { keepalive, retry_on_failure: retry } = config
  // As in grpc-go, the name to verify is also the authority, and an authority of its own the name to verify.
  const authority = config.authority || config.tls.server_name_override
  const serverName = config.tls.server_name_override || config.authority.replace(/:\d+$/, '')
  const policy = config.balancer_name || 'pick_first'
  return {
    'grpc.primary_user_agent': config.user_agent || `netvitals/${version}`,
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ [policy]: {} }] }),
    'grpc.service_config_disable_resolution': 1,
    'grpc.default_compression_algorithm': config.compression === 'gzip' ? GZIP : 0,
    // Retries are ours: ordered, bounded, counted.
    'grpc.enable_retries': 0,
    // Two exporters to one address do not share a connection, so that replacing it replaces it.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
    // By default up to 2 minutes, while our retries fail at once: a backend would have to be up for so long first.
    'grpc.max_reconnect_backoff_ms': Math.max(1000, Math.min(retry.initial_interval, 10_000)),
    ...(authority === '' ? {} : { 'grpc.default_authority': authority }),
    ...(serverName === '' ? {} : { 'grpc.ssl_target_name_override': serverName }),
    ...(keepalive === undefined || keepalive.time === 0
      ? {}
      : {
          'grpc.keepalive_time_ms': keepalive.time,
          'grpc.keepalive_timeout_ms': keepalive.timeout,
          'grpc.keepalive_permit_without_calls': keepalive.permit_without_stream ? 1 : 0,
        }),
  }
}
