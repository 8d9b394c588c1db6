/** What netvitals and a real Collector are both asked, of components that both have. */
export interface Question {
  readonly name: string
  /** `--config`, in order. RECEIVER stands for a receiver that the asked one has. */
  readonly documents: readonly string[]
  readonly set?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Why the errors are worded otherwise; without it they are alike. */
  readonly otherWords?: string
}

const PIPELINE = 'service: {pipelines: {metrics: {receivers: [RECEIVER], exporters: [X]}}}'

/** A configuration around one exporter. */
function exporter(id: string, settings: string): string[] {
  return [`receivers: {RECEIVER: }\nexporters:\n  ${id}: ${settings}\n${PIPELINE.replace('X', id)}`]
}

const grpc = (settings: string): string[] => exporter('otlp_grpc', `{endpoint: "backend:4317", ${settings}}`)
const http = (settings: string): string[] => exporter('otlp_http', `{endpoint: "http://backend:4318", ${settings}}`)
const debug = (settings: string): string[] => exporter('debug', settings)

/** A configuration around one processor. */
function processor(id: string, settings: string): string[] {
  return [
    `receivers: {RECEIVER: }\nprocessors: {${id}: ${settings}}\nexporters: {debug: }
service: {pipelines: {metrics: {receivers: [RECEIVER], processors: [${id}], exporters: [debug]}}}`,
  ]
}

const batch = (settings: string): string[] => processor('batch', settings)
const toDelta = (settings: string): string[] => processor('cumulative_to_delta', settings)

function telemetry(settings: string): string[] {
  return [
    `receivers: {RECEIVER: }\nexporters: {debug: }
service: {telemetry: ${settings}, pipelines: {metrics: {receivers: [RECEIVER], exporters: [debug]}}}`,
  ]
}

function pipelines(text: string): string[] {
  return [
    `receivers: {RECEIVER: }\nprocessors: {batch: }\nexporters: {debug: , debug/2: }\nservice: {pipelines: ${text}}`,
  ]
}

const VALID = { otlpGrpc: grpc(''), debug: debug('') }

/** Expected to be taken, with the same effective values. */
export const TAKEN: readonly Question[] = [
  { name: 'otlp_grpc with its defaults', documents: VALID.otlpGrpc },
  { name: 'otlp_grpc by its older name', documents: exporter('otlp', '{endpoint: "backend:4317"}') },
  { name: 'otlp_grpc with a name', documents: exporter('otlp_grpc/second', '{endpoint: "backend:4317"}') },
  {
    name: 'spaces around the parts of an id',
    documents: [
      `receivers: {RECEIVER: }
exporters: {" debug / a ": }
service: {pipelines: {metrics: {receivers: [RECEIVER], exporters: ["debug/a "]}}}`,
    ],
  },
  {
    name: 'otlp_grpc with all retry settings',
    documents: grpc(
      'retry_on_failure: {initial_interval: 1s, multiplier: 2, randomization_factor: 0, max_interval: 1m, max_elapsed_time: 0}',
    ),
  },
  { name: 'retry switched off', documents: grpc('retry_on_failure: {enabled: false}') },
  {
    name: 'a queue with its settings',
    documents: grpc(
      'sending_queue: {num_consumers: 3, queue_size: 77, block_on_overflow: true, wait_for_result: true}',
    ),
  },
  { name: 'a queue switched off', documents: grpc('sending_queue: {enabled: false}') },
  {
    name: 'TLS settings',
    documents: grpc('tls: {insecure_skip_verify: true, server_name_override: x, min_version: "1.3"}'),
  },
  { name: 'plain text', documents: grpc('tls: {insecure: true}, compression: none') },
  { name: 'headers as a map', documents: grpc('headers: {b: "2", a: "1"}') },
  { name: 'headers as a list', documents: grpc('headers: [{name: a, value: "1"}]') },
  { name: 'keepalive', documents: grpc('keepalive: {time: 1m, timeout: 3s, permit_without_stream: true}') },
  { name: 'a duration as a number', documents: grpc('timeout: 7000000000') },
  { name: 'a duration of several units', documents: grpc('timeout: 1h2m3.5s') },
  { name: 'a number with a fraction of nothing', documents: grpc('sending_queue: {queue_size: 1e2}') },
  { name: 'null for a default', documents: grpc('timeout: , compression: ~') },
  { name: 'otlp_http with its defaults', documents: http('') },
  { name: 'otlp_http by its older name', documents: exporter('otlphttp', '{endpoint: "https://backend"}') },
  {
    name: 'otlp_http with its own settings',
    documents: http('encoding: json, timeout: 3s, metrics_endpoint: "http://backend/x", compression: zstd'),
  },
  { name: 'debug with its defaults', documents: VALID.debug },
  { name: 'debug in capitals', documents: debug('{verbosity: NORMAL, sampling_initial: 3, sampling_thereafter: 4}') },
  { name: 'debug to a file', documents: debug('{use_internal_logger: false, output_paths: [stderr, /dev/null]}') },
  { name: 'a text for a list', documents: debug('{use_internal_logger: false, output_paths: "stdout,stderr"}') },
  { name: 'batch with its defaults', documents: batch('') },
  {
    name: 'batch with its settings',
    documents: batch(
      '{timeout: 1m30s, send_batch_size: 0x10, send_batch_max_size: 0b100000, metadata_keys: [a], metadata_cardinality_limit: 1_0}',
    ),
  },
  { name: 'cumulative_to_delta with its defaults', documents: toDelta('') },
  {
    name: 'cumulative_to_delta by its older name',
    documents: processor('cumulativetodelta', '{include: {match_type: ""}}'),
  },
  {
    name: 'cumulative_to_delta with its settings',
    documents: toDelta(
      '{max_staleness: 0, initial_value: drop, include: {metrics: [a, b], match_type: strict}, exclude: {metrics: "b.*", match_type: regexp, metric_types: [Sum]}}',
    ),
  },
  {
    name: 'the log of the program',
    documents: telemetry('{logs: {level: WARN, encoding: json, initial_fields: {a: b}}}'),
  },
  { name: 'metrics of the program switched off', documents: telemetry('{metrics: {level: none}}') },
  {
    name: 'an exporter and a receiver twice',
    documents: pipelines('{metrics: {receivers: [RECEIVER, RECEIVER], exporters: [debug, debug]}}'),
  },
  {
    name: 'several pipelines',
    documents: pipelines(
      '{metrics/a: {receivers: [RECEIVER], exporters: [debug]}, metrics/b: {receivers: [RECEIVER], processors: [batch], exporters: [debug, debug/2]}}',
    ),
  },
  {
    name: 'components that nothing uses',
    documents: pipelines('{metrics: {receivers: [RECEIVER], exporters: [debug]}}'),
  },
  {
    name: 'several documents, later ones winning',
    documents: [
      ...grpc('timeout: 1s'),
      'exporters: {otlp_grpc: {timeout: 2s, sending_queue: {queue_size: 5}}}',
      'exporters::otlp_grpc::sending_queue::num_consumers: 2',
    ],
  },
  {
    name: '--set after all',
    documents: VALID.otlpGrpc,
    set: ['exporters.otlp_grpc.timeout=9s', 'exporters.otlp_grpc.headers={x: "y"}'],
  },
  {
    name: 'variables in every place',
    documents: grpc(
      `timeout: "\${env:NV_T}", headers: {a: "x-\${NV_A}"}, sending_queue: {queue_size: "\${env:NV_N:-5}"}`,
    ),
    env: { NV_T: '4s', NV_A: '0123' },
  },
  {
    name: 'a variable that is a whole section',
    documents: [
      `receivers: {RECEIVER: }\nexporters: "\${env:NV_E}"\nservice: {pipelines: {metrics: {receivers: [RECEIVER], exporters: [debug]}}}`,
    ],
    env: { NV_E: '{debug: {verbosity: detailed}}' },
  },
  { name: 'a variable that is not set, as a number', documents: batch(`{send_batch_size: "\${env:NV_UNSET}"}`) },
  { name: 'an escaped dollar', documents: grpc(`headers: {a: "$\${env:NV_A}", b: "1$$"}`) },
  {
    name: 'anchors and merge keys',
    documents: [
      `receivers: {RECEIVER: }
processors: {batch/a: &a {timeout: 3s, send_batch_size: 5}, batch/b: {<<: *a, send_batch_size: 7}, batch/c: *a}
exporters: {debug: }
service: {pipelines: {metrics: {receivers: [RECEIVER], exporters: [debug]}}}`,
    ],
  },
]

/** Expected to be refused. */
export const REFUSED: readonly Question[] = [
  { name: 'nothing', documents: ['{}'] },
  { name: 'no pipelines', documents: ['receivers: {RECEIVER: }\nexporters: {debug: }'] },
  { name: 'no receivers', documents: ['exporters: {debug: }\nservice: {pipelines: {metrics: {exporters: [debug]}}}'] },
  {
    name: 'no exporters',
    documents: ['receivers: {RECEIVER: }\nservice: {pipelines: {metrics: {receivers: [RECEIVER]}}}'],
  },
  { name: 'a pipeline without an exporter', documents: pipelines('{metrics: {receivers: [RECEIVER]}}') },
  { name: 'a pipeline without a receiver', documents: pipelines('{metrics: {exporters: [debug]}}') },
  {
    name: 'a reference into nothing',
    documents: pipelines('{metrics: {receivers: [RECEIVER], processors: [batch/nope], exporters: [debug]}}'),
  },
  {
    name: 'an extension that is not there',
    documents: [`${VALID.debug[0]!.replace('service: {', 'service: {extensions: [nope], ')}`],
  },
  {
    name: 'a processor twice',
    documents: pipelines('{metrics: {receivers: [RECEIVER], processors: [batch, batch], exporters: [debug]}}'),
  },
  {
    name: 'a signal that is none',
    documents: pipelines('{metrix: {receivers: [RECEIVER], exporters: [debug]}}'),
    otherWords: 'the Collector lists its signals',
  },
  {
    name: 'a pipeline with an empty name',
    documents: pipelines('{"metrics/": {receivers: [RECEIVER], exporters: [debug]}}'),
  },
  { name: 'pipelines that are a text', documents: pipelines('hello') },
  { name: 'an unknown section', documents: [...VALID.debug, 'nonsense: 1'] },
  { name: 'an unknown key of the service', documents: [...VALID.debug, 'service: {nonsense: 1}'] },
  { name: 'an unknown key of a component', documents: debug('{nonsense: 1}') },
  { name: 'an unknown key that is null', documents: grpc('nonsense: ') },
  { name: 'a key in another case', documents: grpc('Timeout: 1s') },
  { name: 'an unknown key further down', documents: grpc('tls: {nonsense: 1}') },
  { name: 'an unknown key of the queue', documents: grpc('sending_queue: {nonsense: 1}') },
  { name: 'an unknown key of the log', documents: telemetry('{logs: {nonsense: 1}}') },
  { name: 'an unknown type', documents: exporter('nonsense', '') },
  { name: 'a component that is a text', documents: debug('hello') },
  { name: 'a text for a number', documents: batch('{send_batch_size: many}') },
  { name: 'a number in quotes', documents: batch('{send_batch_size: "5"}') },
  { name: 'a negative number for an unsigned one', documents: batch('{send_batch_size: -1}') },
  { name: 'a number for a text', documents: grpc('authority: 5') },
  { name: 'a header that is a number', documents: grpc('headers: {a: 5}') },
  { name: 'a header twice', documents: grpc('headers: [{name: a, value: b}, {name: a, value: c}]') },
  { name: 'a text for a boolean', documents: grpc('tls: {insecure: "true"}') },
  { name: 'a switch of the queue in quotes', documents: grpc('sending_queue: {enabled: "true"}') },
  { name: 'a duration of an unknown unit', documents: batch('{timeout: 1d}') },
  { name: 'a duration with a space', documents: grpc('timeout: 5 s') },
  { name: 'a map for a list', documents: pipelines('{metrics: {receivers: {RECEIVER: }, exporters: [debug]}}') },
  { name: 'no endpoint', documents: exporter('otlp_grpc', '') },
  { name: 'no port', documents: exporter('otlp_grpc', '{endpoint: backend}') },
  { name: 'a port that is no number', documents: exporter('otlp_grpc', '{endpoint: "backend:x"}') },
  { name: 'no endpoint of otlp_http', documents: exporter('otlp_http', '') },
  { name: 'an encoding that is none', documents: http('encoding: xml') },
  { name: 'a balancer that is none', documents: grpc('balancer_name: nope') },
  { name: 'a batch larger than its limit', documents: batch('{send_batch_size: 10, send_batch_max_size: 5}') },
  { name: 'a batch that waits less than nothing', documents: batch('{timeout: -1s}') },
  { name: 'metrics without a match_type', documents: toDelta('{include: {metrics: [a]}}') },
  { name: 'a match_type without metrics', documents: toDelta('{exclude: {match_type: strict, metrics: }}') },
  { name: 'a metric type that is no such', documents: toDelta('{include: {metric_types: [gauge]}}') },
  { name: 'an initial_value that is none', documents: toDelta('{initial_value: maybe}') },
  { name: 'an unknown key of a match', documents: toDelta('{include: {metric: [a]}}') },
  { name: 'an unknown key of cumulative_to_delta', documents: toDelta('{max_stale: 1h}') },
  { name: 'a queue of nothing', documents: grpc('sending_queue: {queue_size: 0}') },
  {
    name: 'retries that wait less than nothing',
    documents: grpc('retry_on_failure: {initial_interval: -1s}'),
  },
  { name: 'a verbosity that is none', documents: debug('{verbosity: loud}') },
  { name: 'a verbosity that is not supported', documents: debug('{verbosity: none}') },
  { name: 'output_paths with the internal logger', documents: debug('{output_paths: [stdout]}') },
  { name: 'a log level that is none', documents: telemetry('{logs: {level: trace}}') },
  { name: 'no reader', documents: telemetry('{metrics: {level: basic, readers: []}}') },
  { name: 'a variable with an invalid name', documents: grpc(`authority: "\${env:a%b}"`) },
  { name: 'a reference with an unknown scheme', documents: grpc(`authority: "\${nope:x}"`) },
  { name: 'a file that is not there', documents: grpc(`authority: "\${file:/nope}"`) },
  { name: 'a key twice', documents: ['receivers: {RECEIVER: }\nexporters: {debug: }\nexporters: {debug: }'] },
  { name: 'a list at the top', documents: ['[1, 2]'] },
  { name: 'what is no YAML', documents: ['a: [1'], otherWords: 'another YAML parser' },
  { name: '--set without a value', documents: VALID.debug, set: ['exporters.debug'] },
]
