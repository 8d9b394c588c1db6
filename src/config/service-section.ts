import type { z } from 'zod'
import {
  any,
  boolean,
  duration,
  id,
  integer,
  invalid,
  list,
  mapList,
  mapOf,
  object,
  oneOf,
  secret,
  string,
} from './fields.ts'

const pipeline = object({
  receivers: list(id()).prefault([]).describe('Components whose data enters here.'),
  processors: list(id()).prefault([]).describe('Components that the data passes, in this order.'),
  exporters: list(id()).prefault([]).describe('Components that the data is sent to, each gets all of it.'),
})

const noEffect = (what: string) => `${what} Accepted because the Collector has it; without effect here.`

const logs = object(
  {
    level: oneOf(['debug', 'info', 'warn', 'error', 'dpanic', 'panic', 'fatal'], {
      ignoreCase: true,
      message: (found) => `unrecognized level: "${found}"`,
    })
      .prefault('info')
      .describe('Lowest severity that is logged.'),
    encoding: oneOf(['console', 'json'])
      .prefault('console')
      .describe('One record a line: fields between tabs, or a JSON object.'),
    initial_fields: mapOf(any()).prefault({}).describe('Added to every record.'),
    output_paths: list(string()).prefault(['stderr']).describe('stderr, stdout or files to append to.'),
    development: boolean().prefault(false).describe(noEffect('Development mode of the logger.')),
    disable_caller: boolean().prefault(false).describe(noEffect('Leaves out the place in the source code.')),
    disable_stacktrace: boolean()
      .prefault(false)
      .describe(noEffect('Leaves out stack traces, which are never written.')),
    error_output_paths: list(string()).prefault(['stderr']).describe(noEffect("Where the logger's own errors go.")),
    sampling: object({
      enabled: boolean().prefault(true).describe('Whether records are dropped.'),
      tick: duration().prefault('10s').describe('The time that the other two count in.'),
      initial: integer().prefault(10).describe('Records of one text that are logged in each tick.'),
      thereafter: integer().prefault(100).describe('Of the others, one in so many is logged.'),
    })
      .prefault({})
      .describe(noEffect('Drops repeated records; here a record is a change of state and never repeated.')),
  },
  { decoder: 'migration.LogsConfigV030' },
)

const otlp = object({
  protocol: oneOf(['grpc']).prefault('grpc').describe('OTLP over gRPC.'),
  endpoint: string().describe('URL of the receiver, such as http://localhost:4317; https for TLS.'),
  insecure: boolean().optional().describe('Plain text; where the endpoint has no scheme.'),
  headers: mapList(secret()).prefault({}).describe('Sent with every request.'),
  compression: oneOf(['gzip', 'none']).prefault('none').describe('Compression of requests.'),
  timeout: duration({ min: 1, bare: 'ms' })
    .prefault('10s')
    .describe('Longest time one request may take; a bare number is ms.'),
  temporality_preference: oneOf(['cumulative', 'delta', 'lowmemory'])
    .prefault('cumulative')
    .describe('Temporality of sums and histograms.'),
})

const periodic = object({
  interval: duration({ min: 100, bare: 'ms' })
    .prefault('1m')
    .describe('Time between two exports; a bare number is ms.'),
  timeout: duration({ min: 1, bare: 'ms' })
    .prefault('30s')
    .describe('Longest time one export may take; a bare number is ms.'),
  exporter: object({ otlp: otlp.describe('As OTLP.') }).describe('Where the metrics go.'),
})

const PERIODIC = 'write periodic: {exporter: {otlp: {protocol: grpc, endpoint: ...}}}'

const reader = object({
  periodic: periodic.optional().describe('Pushes every interval.'),
  pull: any().optional().describe('Not here: nothing listens on a port.'),
}).superRefine((value, ctx) => {
  if (value.pull !== undefined)
    ctx.addIssue(invalid('there is no pull reader here: nothing listens on a port', { remedy: PERIODIC }))
  else if (value.periodic === undefined) ctx.addIssue(invalid('needs a periodic reader', { remedy: PERIODIC }))
})

const metrics = object({
  level: oneOf(['none', 'basic', 'normal', 'detailed'], {
    ignoreCase: true,
    message: (found) => `unknown metrics level "${found}"`,
  })
    .prefault('normal')
    .describe('none turns the metrics off; the others are alike here.'),
  readers: list(reader).optional().describe('Where the metrics about this program itself go; without readers nowhere.'),
})

export const serviceSection = object({
  extensions: list(id()).prefault([]).describe('Extensions to start, in this order.'),
  pipelines: mapOf(pipeline, {
    goType: 'pipelines.Config',
    keys: String.raw`^\s*metrics(?:\s*$|\s*/\s*[^\p{Z}\p{C}\p{S}]+\s*$)`,
  })
    .prefault({})
    .describe('Which components data flows through: `metrics` or `metrics/name`.'),
  telemetry: object({
    logs: logs.prefault({}).describe('What this program logs about itself.'),
    metrics: metrics.prefault({}).describe('Metrics about this program itself.'),
    resource: mapOf(any()).prefault({}).describe('Attributes of this program in its metrics; null removes one.'),
  })
    .prefault({})
    .describe("The program's own logs and metrics."),
})

export type ServiceSection = z.output<typeof serviceSection>
export type TelemetryConfig = ServiceSection['telemetry']
export type PipelineConfig = z.output<typeof pipeline>
