import type { z } from 'zod'
import { boolean, duration, integer, invalid, object, oneOf, size, string } from '../../config/fields.ts'
import { checkClient, compression, extensionFields, headers } from '../sending/client-config.ts'
import { queueFields, retryFields } from '../sending/config.ts'
import { temporalityField } from '../sending/temporality.ts'
import { tlsFields } from '../sending/tls-config.ts'
import { checkCompression } from './compression.ts'

/** Connections that are kept; the newest Collectors have these under `keepalive`, the others beside it. */
const connections = {
  max_idle_conns: integer({ min: 0 }).prefault(100).describe('Connections kept open while idle; 0 means no limit.'),
  max_idle_conns_per_host: integer({ min: 0 }).prefault(0).describe('The same for one host; 0 means max_idle_conns.'),
  idle_conn_timeout: duration({ min: 0 })
    .prefault('90s')
    .describe('Close a connection that was idle for so long; 0 means never.'),
}

function otherSignal(signal: string) {
  return string().prefault('').describe(`Without effect: netvitals sends metrics, no ${signal}.`)
}

/**
 * Keys, defaults and words are those of the Collector's otlp_http exporter; max_request_bytes and
 * temporality_preference are ours.
 */
export const config = object({
  endpoint: string().prefault('').describe('URL of the receiver; /v1/metrics is added to its path.'),
  metrics_endpoint: string().prefault('').describe('The whole URL to send to, instead of endpoint.'),
  traces_endpoint: otherSignal('traces'),
  logs_endpoint: otherSignal('logs'),
  profiles_endpoint: otherSignal('profiles'),
  encoding: oneOf(['proto', 'json'], { message: (found) => `invalid encoding type: ${found}` })
    .prefault('proto')
    .describe('Body of requests: proto (protobuf) or json, which is larger and slower to make.'),
  compression: compression().describe(
    'Compression of requests: gzip, zlib, deflate, zstd or none; others are refused at the start.',
  ),
  compression_params: object({
    level: integer()
      .prefault(0)
      .describe('Of gzip, zlib and deflate 1 (fast) to 9 (small), of zstd 1 to 22; 0 is the default.'),
  })
    .prefault({})
    .describe('How hard to compress.'),
  headers: headers(),
  tls: tlsFields('Without effect on http:// and https://; with the latter and no CA, the other keys do not count.')
    .prefault({})
    .describe('For https:// endpoints.'),
  timeout: duration().prefault('30s').describe('Longest time that one attempt may take; 0 means no limit.'),
  proxy_url: string()
    .prefault('')
    .describe('http:// or https:// proxy; by default that of HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the environment.'),
  ...connections,
  max_conns_per_host: integer({ min: 0 }).prefault(0).describe('Connections open at the same time; 0 means no limit.'),
  disable_keep_alives: boolean().prefault(false).describe('A new connection for every request.'),
  keepalive: object(connections).optional().describe('The same keys, as the newest Collectors have them; these win.'),
  read_buffer_size: integer().prefault(0).describe('Without effect: Node.js sizes its own buffers.'),
  write_buffer_size: integer().prefault(524_288).describe('Without effect: Node.js sizes its own buffers.'),
  force_attempt_http2: boolean().prefault(true).describe('Without effect: requests are HTTP/1.1.'),
  http2_read_idle_timeout: duration().prefault('0s').describe('Without effect: requests are HTTP/1.1.'),
  http2_ping_timeout: duration().prefault('0s').describe('Without effect: requests are HTTP/1.1.'),
  cookies: object({}).optional().describe('Without effect: cookies are not kept.'),
  ...extensionFields(),
  retry_on_failure: retryFields().prefault({}).describe('Retry of requests that failed.'),
  sending_queue: queueFields().prefault({}).describe('Batches that wait to be sent, in memory.'),
  max_request_bytes: size({ min: 1024, max: 256 * 2 ** 20 - 1 })
    .prefault('4MiB')
    .describe('No request is larger before compression. Collectors accept 20 MiB by default, some backends far less.'),
  temporality_preference: temporalityField(),
}).superRefine((value, ctx) => {
  const endpoints = [
    value.endpoint,
    value.metrics_endpoint,
    value.traces_endpoint,
    value.logs_endpoint,
    value.profiles_endpoint,
  ]
  if (endpoints.every((endpoint) => endpoint === '')) {
    ctx.addIssue(
      invalid('at least one endpoint must be specified', { remedy: 'write endpoint: http://collector:4318' }),
    )
  }
  const problem = checkCompression(value.compression, value.compression_params.level)
  if (problem !== undefined) ctx.addIssue(invalid(problem, { path: ['clientconfig'] }))
  checkClient(value, ctx)
})

export type Config = z.output<typeof config>
