import type { ComponentKind, Factory, Stability } from './types.ts'

/** What is known of a component without loading it. `load` brings its module, and the libraries that it needs. */
export interface ComponentEntry {
  readonly kind: ComponentKind
  readonly type: string
  /** Older names that still work. */
  readonly aliases?: readonly string[]
  readonly stability: Stability
  /** One sentence. */
  readonly description: string
  readonly load: () => Promise<{ readonly factory: Factory }>
}

/** Every component there is. */
export const COMPONENTS: readonly ComponentEntry[] = [
  {
    kind: 'receiver',
    type: 'netvitals',
    stability: 'alpha',
    description: 'TCP connections and retransmits of every container of this host, from the kernel.',
    load: () => import('../receivers/netvitals/index.ts'),
  },
  {
    kind: 'processor',
    type: 'batch',
    stability: 'beta',
    description: 'Joins and splits batches by their number of data points.',
    load: () => import('../processors/batch/index.ts'),
  },
  {
    kind: 'processor',
    type: 'cumulative_to_delta',
    aliases: ['cumulativetodelta'],
    stability: 'beta',
    description: 'Tells monotonic sums since their last point instead of since their start.',
    load: () => import('../processors/cumulative_to_delta/index.ts'),
  },
  {
    kind: 'exporter',
    type: 'otlp_grpc',
    aliases: ['otlp'],
    stability: 'beta',
    description: 'Sends metrics to an OpenTelemetry Collector or backend as OTLP over gRPC.',
    load: () => import('../exporters/otlp_grpc/index.ts'),
  },
  {
    kind: 'exporter',
    type: 'otlp_http',
    aliases: ['otlphttp'],
    stability: 'beta',
    description: 'Sends metrics to an OpenTelemetry Collector or backend as OTLP over HTTP.',
    load: () => import('../exporters/otlp_http/index.ts'),
  },
  {
    kind: 'exporter',
    type: 'debug',
    stability: 'beta',
    description: 'Logs what passes, as the Collector prints it.',
    load: () => import('../exporters/debug/index.ts'),
  },
  {
    kind: 'exporter',
    type: 'console',
    stability: 'beta',
    description: 'A table of every container and whom it talks to, the worst links first.',
    load: () => import('../exporters/console/index.ts'),
  },
]

const COLLECTOR = 'run the Collector beside netvitals and send to it with the otlp_grpc exporter'
const NAMED = 'pods and workloads are named by the netvitals receiver itself; leave it out'
const DETECTED = 'host.name and host.id are on every resource already; leave it out'
// biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own notation
const HEADERS = 'write what the backend asks for under headers of the exporter, with the secret as ${env:NAME}'
const VENDOR = 'the backend takes OTLP: use otlp_http or otlp_grpc (examples in otel-config/backends)'

/** One sentence for several types. */
function forEach(types: string, sentence: (type: string) => string): Record<string, string> {
  return Object.fromEntries(types.split(' ').map((type) => [type, sentence(type)]))
}

/** Components that users of the Collector look for and that do not belong here: what to use instead. */
export const INSTEAD: Readonly<Record<ComponentKind, Readonly<Record<string, string>>>> = {
  receiver: {
    otlp: `netvitals makes its own metrics and receives none: ${COLLECTOR}`,
    ...forEach(
      'hostmetrics host_metrics',
      (type) => `the host itself is measured by the Collector's ${type} receiver: ${COLLECTOR}`,
    ),
    ...forEach(
      'kubeletstats kubelet_stats k8s_cluster k8s_events k8sobjects k8s_objects',
      (type) => `Kubernetes itself is read by the Collector's ${type} receiver: ${COLLECTOR}`,
    ),
    ...forEach(
      'docker_stats podman_stats',
      (type) => `containers' CPU and memory are read by the Collector's ${type} receiver: ${COLLECTOR}`,
    ),
    ...forEach(
      'prometheus prometheus_simple statsd collectd carbon influxdb',
      (type) => `other metrics are collected by the Collector's ${type} receiver: ${COLLECTOR}`,
    ),
    ...forEach(
      'filelog file_log journald syslog fluentforward tcplog udplog windowseventlog',
      (type) => `logs are read by the Collector's ${type} receiver: ${COLLECTOR}`,
    ),
    ...forEach('jaeger zipkin', (type) => `traces are received by the Collector's ${type} receiver: ${COLLECTOR}`),
    ...forEach(
      'icmpcheck icmp_check',
      () =>
        'the netvitals receiver pings what each container talks to, see its probes; other targets are for the Collector',
    ),
    ...forEach(
      'httpcheck http_check tcpcheck tcp_check',
      (type) => `endpoints are checked by the Collector's ${type} receiver: ${COLLECTOR}`,
    ),
    nop: 'use netvitals: a pipeline needs a receiver that receives',
  },
  processor: {
    memory_limiter:
      'nothing to limit: series, queues and kernel maps are bounded by settings of their own; leave it out',
    ...forEach('resourcedetection resource_detection', () => DETECTED),
    ...forEach('k8sattributes k8s_attributes', () => NAMED),
    ...forEach('deltatocumulative delta_to_cumulative', () => 'metrics are cumulative already; leave it out'),
    ...forEach(
      'transform metricstransform metrics_transform',
      (type) => `metrics are transformed by the Collector's ${type} processor: ${COLLECTOR}`,
    ),
    filter: `metrics are filtered by the Collector's filter processor; to leave out whole metrics set metrics::<name>::enabled: false on the netvitals receiver: ${COLLECTOR}`,
    attributes: `attributes are changed by the Collector's attributes processor: ${COLLECTOR}`,
    resource: `resources are changed by the Collector's resource processor: ${COLLECTOR}`,
    ...forEach(
      'groupbyattrs group_by_attrs interval redaction metricsgeneration deltatorate metricstarttime',
      (type) => `metrics are changed by the Collector's ${type} processor: ${COLLECTOR}`,
    ),
    ...forEach(
      'tail_sampling probabilistic_sampler span',
      (type) => `traces and logs are for the Collector and its ${type} processor; here there are metrics only`,
    ),
    nop: 'leave it out',
  },
  exporter: {
    prometheus: `nothing is scraped here: ${COLLECTOR}, which has a prometheus exporter; Prometheus itself takes OTLP`,
    ...forEach(
      'prometheusremotewrite prometheus_remote_write',
      () => `remote write is spoken by the Collector: ${COLLECTOR}; Prometheus itself takes OTLP`,
    ),
    logging: 'it is called debug',
    file: `files are written by the Collector's file exporter: ${COLLECTOR}`,
    ...forEach(
      'datadog signalfx sapm splunk_hec elasticsearch dynatrace logzio coralogix googlecloud azuremonitor awsemf influxdb clickhouse',
      () => VENDOR,
    ),
    ...forEach(
      'kafka pulsar rabbitmq load_balancing loadbalancing',
      (type) => `that is what the Collector's ${type} exporter does: ${COLLECTOR}`,
    ),
    ...forEach('jaeger zipkin loki', () => 'traces and logs are for the Collector; here there are metrics only'),
    nop: 'use debug with verbosity: basic',
  },
  connector: forEach(
    'forward routing spanmetrics servicegraph count sum failover roundrobin nop',
    (type) => `there are no connectors here; the Collector has ${type}: ${COLLECTOR}`,
  ),
  extension: {
    ...forEach(
      'health_check healthcheck healthcheckv2',
      () => 'systemd and Kubernetes see the process itself; leave it out',
    ),
    zpages: 'set service::telemetry::logs::level to debug, or use the debug exporter',
    pprof: 'start it with node --inspect',
    memory_limiter: 'series, queues and kernel maps are bounded by settings of their own; leave it out',
    ...forEach(
      'file_storage db_storage redis_storage',
      () => `queues are in memory here; for one on disk ${COLLECTOR}`,
    ),
    ...forEach('basicauth basic_auth bearertokenauth bearer_token_auth headers_setter', () => HEADERS),
    ...forEach(
      'oauth2client oauth2_client oidc sigv4auth sigv4_auth googleclientauth',
      () => `tokens that must be renewed are for the Collector: ${COLLECTOR}`,
    ),
    ...forEach(
      'k8s_observer docker_observer host_observer',
      () => 'containers are found by the netvitals receiver itself; leave it out',
    ),
    opamp: 'configurations are read anew on SIGHUP, or as they change with --watch',
  },
}
