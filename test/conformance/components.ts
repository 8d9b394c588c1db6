/**
 * The Collector's components that the cases use and netvitals does not have, with as much of their configuration as
 * the cases know of: through the door that real components come through.
 */
import { z } from 'zod'
import { COMPONENTS, type ComponentEntry } from '../../src/component/components.ts'
import type { ComponentKind, Factory } from '../../src/component/types.ts'
import {
  boolean,
  duration,
  integer,
  invalid,
  list,
  mapList,
  object,
  oneOf,
  secret,
  string,
} from '../../src/config/fields.ts'

const uint32 = (value: number) => integer({ goType: 'uint32' }).prefault(value)
const off = (field: ReturnType<typeof duration>) => field.prefault('0s')

const tls = object({ cert_file: string().prefault(''), key_file: string().prefault('') })

const grpc = object({
  endpoint: string().prefault('localhost:4317'),
  transport: oneOf(['tcp', 'unix']).prefault('tcp'),
  read_buffer_size: integer().prefault(524_288),
  write_buffer_size: integer().prefault(0),
  max_recv_msg_size_mib: integer().prefault(0),
  max_concurrent_streams: uint32(0),
  tls: tls.optional(),
  keepalive: object({
    server_parameters: object({
      max_connection_idle: off(duration()),
      max_connection_age: off(duration()),
      max_connection_age_grace: off(duration()),
      time: off(duration()),
      timeout: off(duration()),
    }).prefault({}),
    enforcement_policy: object({
      min_time: off(duration()),
      permit_without_stream: boolean().prefault(false),
    }).prefault({}),
  }).prefault({}),
})

const absolute = (path: string): string => (path.startsWith('/') ? path : `/${path}`)

const http = object({
  endpoint: string().prefault('localhost:4318'),
  transport: oneOf(['tcp', 'unix']).prefault('tcp'),
  auth: object({ authenticator: string() }).optional(),
  cors: object({ allowed_origins: list(string()).prefault([]), max_age: integer().prefault(0) }).optional(),
  tls: tls.optional(),
  idle_timeout: off(duration()),
  keep_alives_enabled: boolean().prefault(true),
  read_header_timeout: off(duration()),
  write_timeout: off(duration()),
  traces_url_path: string().prefault('/v1/traces').transform(absolute),
  metrics_url_path: string().prefault('/v1/metrics').transform(absolute),
  logs_url_path: string().prefault('/v1/logs').transform(absolute),
  response_headers: mapList(secret()).prefault({}),
})

/** These count by being there: null is their defaults, where elsewhere null is absent. */
const protocols = z
  .preprocess(
    (input: object) => Object.fromEntries(Object.entries(input).map(([key, value]) => [key, value ?? {}])),
    object({ grpc: grpc.optional(), http: http.optional() }),
  )
  .meta({ field: { kind: 'object' } })

const otlp = object({
  protocols: protocols.prefault({}),
}).superRefine(({ protocols }, ctx) => {
  if (protocols.grpc === undefined && protocols.http === undefined)
    ctx.addIssue(invalid('must specify at least one protocol when using the OTLP receiver'))
})

const memoryLimiter = object({
  check_interval: off(duration()),
  limit_mib: uint32(0),
  spike_limit_mib: uint32(0),
}).superRefine(({ check_interval, limit_mib, spike_limit_mib }, ctx) => {
  if (check_interval <= 0) ctx.addIssue(invalid("'check_interval' must be greater than zero"))
  else if (limit_mib > 0 && spike_limit_mib >= limit_mib)
    ctx.addIssue(invalid("'spike_limit_mib' must be smaller than 'limit_mib'"))
})

const zpages = object({
  endpoint: string().prefault('localhost:55679'),
  transport: oneOf(['tcp', 'unix']).prefault('tcp'),
  expvar: object({ enabled: boolean().prefault(false) }).prefault({}),
  idle_timeout: duration().prefault('1m'),
  keep_alives_enabled: boolean().prefault(true),
  read_header_timeout: duration().prefault('1m'),
  write_timeout: duration().prefault('30s'),
}).superRefine(({ endpoint }, ctx) => {
  if (endpoint === '') ctx.addIssue(invalid('"endpoint" is required when using the "zpages" extension'))
})

const nothing = object({})

function entry(kind: ComponentKind, type: string, config: z.ZodType, configName?: string): ComponentEntry {
  const factory = {
    kind,
    type,
    stability: 'development',
    description: '',
    config,
    ...(configName ? { configName } : {}),
  }
  return {
    kind,
    type,
    stability: 'development',
    description: 'Of the Collector, for the cases.',
    load: async () => ({ factory: factory as unknown as Factory }),
  }
}

const OURS = ['batch', 'debug', 'otlp_grpc', 'otlp_http']

/** What the Collector that made the cases had: ours that it has too, and its own. */
export const COLLECTOR_COMPONENTS: readonly ComponentEntry[] = [
  ...COMPONENTS.filter(({ type }) => OURS.includes(type)),
  ...(['receiver', 'processor', 'exporter', 'connector', 'extension'] as const).map((kind) =>
    entry(kind, 'nop', nothing, 'struct {}'),
  ),
  entry('receiver', 'otlp', otlp),
  entry('processor', 'memory_limiter', memoryLimiter),
  entry('connector', 'forward', nothing),
  entry('extension', 'memory_limiter', memoryLimiter),
  entry('extension', 'zpages', zpages),
]
