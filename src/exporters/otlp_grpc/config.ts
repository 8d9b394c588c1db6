import type { z } from 'zod'
import { boolean, duration, integer, invalid, object, size, string } from '../../config/fields.ts'
import { checkClient, compression, extensionFields, headers } from '../sending/client-config.ts'
import { queueFields, retryFields } from '../sending/config.ts'
import { temporalityField } from '../sending/temporality.ts'
import { tlsFields } from '../sending/tls-config.ts'
import { checkEndpoint, isEmptyEndpoint } from './endpoint.ts'

const keepalive = object({
  time: duration({ min: 0 }).prefault('0s').describe('Ping the server after so long without activity; 0 means never.'),
  timeout: duration({ min: 0 }).prefault('20s').describe('Close the connection when a ping has no answer for so long.'),
  permit_without_stream: boolean().prefault(false).describe('Ping also while no request is under way.'),
})

const BALANCERS = ['round_robin', 'pick_first', '']

/**
 * Keys, defaults and words are those of the Collector's otlp_grpc exporter; max_request_bytes and
 * temporality_preference are ours.
 */
export const config = object({
  endpoint: string().prefault('').describe('host:port of the receiving Collector or backend.'),
  tls: tlsFields('Plain text. A CA, or https:// in endpoint, overrides it.')
    .prefault({})
    .describe('TLS is on unless insecure is set.'),
  headers: headers(),
  compression: compression().describe('Compression of requests: gzip or none; others are refused at the start.'),
  timeout: duration().prefault('5s').describe('Longest time that one attempt may take; 0 means no limit.'),
  keepalive: keepalive.optional().describe('Find dead connections by HTTP/2 pings. Servers may refuse frequent ones.'),
  authority: string().prefault('').describe("The request's :authority, instead of the endpoint's host."),
  user_agent: string().prefault('').describe("Instead of this program's name and version."),
  wait_for_ready: boolean()
    .prefault(false)
    .describe('Let an attempt wait for the connection until its timeout instead of failing at once.'),
  balancer_name: string()
    .meta({ field: { kind: 'enum', values: BALANCERS } })
    .prefault('round_robin')
    .describe("Which of the endpoint's addresses are used: all in turn (round_robin), or the first that answers."),
  read_buffer_size: integer().prefault(0).describe('Without effect: Node.js sizes its own buffers.'),
  write_buffer_size: integer().prefault(524_288).describe('Without effect: Node.js sizes its own buffers.'),
  ...extensionFields(),
  retry_on_failure: retryFields().prefault({}).describe('Retry of requests that failed.'),
  sending_queue: queueFields().prefault({}).describe('Batches that wait to be sent, in memory.'),
  max_request_bytes: size({ min: 1024, max: 256 * 2 ** 20 - 1 })
    .prefault('4MiB')
    .describe('No request is larger before compression. Collectors accept 4 MiB by default.'),
  temporality_preference: temporalityField(),
}).superRefine((value, ctx) => {
  checkClient(value, ctx)
  if (isEmptyEndpoint(value.endpoint)) {
    ctx.addIssue(invalid('requires a non-empty "endpoint"', { remedy: 'write endpoint: collector:4317' }))
    return
  }
  const found = checkEndpoint(value.endpoint)
  if (found !== undefined) ctx.addIssue(invalid(found.problem, { path: ['clientconfig'], remedy: found.remedy }))
  if (!BALANCERS.includes(value.balancer_name)) {
    const remedy = 'balancer_name: one of round_robin, pick_first'
    ctx.addIssue(invalid(`invalid balancer_name: ${value.balancer_name}`, { path: ['clientconfig'], remedy }))
  }
})

export type Config = z.output<typeof config>
