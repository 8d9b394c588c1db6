import type { z } from 'zod'
import { boolean, duration, invalid, mapList, object, oneOf, secret, size, string } from '../../config/fields.ts'
import { queueFields, retryFields } from '../sending/config.ts'
import { checkEndpoint, isEmptyEndpoint } from './endpoint.ts'

function tlsVersion() {
  return oneOf(['1.0', '1.1', '1.2', '1.3'], { message: (found) => `unsupported TLS version: "${found}"` })
}

const tls = object({
  insecure: boolean().prefault(false).describe('Plain text. A CA, or https:// in endpoint, overrides it.'),
  insecure_skip_verify: boolean().prefault(false).describe("Do not verify the server's certificate."),
  ca_file: string().prefault('').describe("File with the CA that signed the server's certificate, PEM."),
  ca_pem: secret().prefault('').describe("The CA that signed the server's certificate itself, PEM."),
  include_system_ca_certs_pool: boolean().prefault(false).describe("Trust the system's CAs besides the one given."),
  cert_file: string().prefault('').describe('File with the certificate that the client shows, PEM.'),
  cert_pem: secret().prefault('').describe('The certificate that the client shows itself, PEM.'),
  key_file: string().prefault('').describe("File with that certificate's key, PEM."),
  key_pem: secret().prefault('').describe("That certificate's key itself, PEM."),
  server_name_override: string().prefault('').describe("The name to look for in the server's certificate."),
  min_version: tlsVersion().prefault('1.2').describe('Oldest TLS version to accept: 1.0 to 1.3.'),
  max_version: tlsVersion().optional().describe('Newest TLS version to accept; by default the newest known.'),
}).superRefine((value, ctx) => {
  if (value.ca_file !== '' && value.ca_pem !== '')
    ctx.addIssue(invalid('provide either a CA file or the PEM-encoded string, but not both'))
  if (value.cert_file !== '' && value.cert_pem !== '')
    ctx.addIssue(invalid('provide either certificate file or PEM, but not both'))
  if (value.key_file !== '' && value.key_pem !== '')
    ctx.addIssue(invalid('provide either key file or PEM, but not both'))
  if (((value.cert_file || value.cert_pem) === '') !== ((value.key_file || value.key_pem) === ''))
    ctx.addIssue(invalid('provide both certificate and key, or neither'))
  if (value.max_version !== undefined && value.min_version > value.max_version)
    ctx.addIssue(invalid('invalid TLS configuration: min_version cannot be greater than max_version'))
})

const keepalive = object({
  time: duration({ min: 0 }).prefault('0s').describe('Ping the server after so long without activity; 0 means never.'),
  timeout: duration({ min: 0 }).prefault('20s').describe('Close the connection when a ping has no answer for so long.'),
  permit_without_stream: boolean().prefault(false).describe('Ping also while no request is under way.'),
})

/** Keys, defaults and words are those of the Collector's otlp_grpc exporter; max_request_bytes is ours. */
export const config = object({
  endpoint: string().prefault('').describe('host:port of the receiving Collector or backend.'),
  tls: tls.prefault({}).describe('TLS is on unless insecure is set.'),
  headers: mapList(secret()).prefault({}).describe('Sent with every request.'),
  compression: oneOf(['gzip', 'none', ''], { message: (found) => `unsupported compression type "${found}"` })
    .prefault('gzip')
    .describe('Compression of requests: gzip or none.'),
  timeout: duration().prefault('5s').describe('Longest time that one attempt may take; 0 means no limit.'),
  keepalive: keepalive.optional().describe('Find dead connections by HTTP/2 pings. Servers may refuse frequent ones.'),
  authority: string().prefault('').describe("The request's :authority, instead of the endpoint's host."),
  user_agent: string().prefault('').describe("Instead of this program's name and version."),
  wait_for_ready: boolean()
    .prefault(false)
    .describe('Let an attempt wait for the connection until its timeout instead of failing at once.'),
  balancer_name: oneOf(['round_robin', 'pick_first', ''], { message: (found) => `invalid balancer_name: ${found}` })
    .prefault('round_robin')
    .describe("Which of the endpoint's addresses are used: all in turn (round_robin), or the first that answers."),
  retry_on_failure: retryFields().prefault({}).describe('Retry of requests that failed.'),
  sending_queue: queueFields().prefault({}).describe('Batches that wait to be sent, in memory.'),
  max_request_bytes: size({ min: 1024, max: 256 * 2 ** 20 - 1 })
    .prefault('4MiB')
    .describe('No request is larger before compression. Collectors accept 4 MiB by default.'),
}).superRefine((value, ctx) => {
  if (value.timeout < 0)
    ctx.addIssue(invalid('timeout value must be greater than or equal to 0', { path: ['timeout'] }))
  if (isEmptyEndpoint(value.endpoint)) {
    ctx.addIssue(invalid('requires a non-empty "endpoint"', { remedy: 'write endpoint: collector:4317' }))
    return
  }
  const found = checkEndpoint(value.endpoint)
  if (found === undefined) return
  const { problem, ...remedy } = found
  ctx.addIssue(invalid(problem, { path: ['endpoint'], ...remedy }))
})

export type Config = z.output<typeof config>
export type TlsConfig = Config['tls']
