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
    kind: 'exporter',
    type: 'otlp_grpc',
    aliases: ['otlp'],
    stability: 'beta',
    description: 'Sends metrics to an OpenTelemetry Collector or backend as OTLP over gRPC.',
    load: () => import('../exporters/otlp_grpc/index.ts'),
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

/** Components that users of the Collector look for and that do not belong here: what to use instead. */
export const INSTEAD: Readonly<Record<ComponentKind, Readonly<Record<string, string>>>> = {
  receiver: {
    otlp: `netvitals makes its own metrics and receives none: ${COLLECTOR}`,
    hostmetrics: `the host itself is measured by the Collector's hostmetrics receiver: ${COLLECTOR}`,
    kubeletstats: `the kubelet is read by the Collector's kubeletstats receiver: ${COLLECTOR}`,
    docker_stats: `containers' CPU and memory are read by the Collector's docker_stats receiver: ${COLLECTOR}`,
    prometheus: `scraping is done by the Collector's prometheus receiver: ${COLLECTOR}`,
    filelog: `logs are read by the Collector's filelog receiver: ${COLLECTOR}`,
  },
  processor: {
    memory_limiter:
      'nothing to limit: series, queues and kernel maps are bounded by settings of their own; leave it out',
    resourcedetection: 'host.name and host.id are on every resource already; leave it out',
    k8sattributes: 'pods and workloads are named by the netvitals receiver itself; leave it out',
    transform: `metrics are transformed by the Collector's transform processor: ${COLLECTOR}`,
    filter: `metrics are filtered by the Collector's filter processor: ${COLLECTOR}`,
    attributes: `attributes are changed by the Collector's attributes processor: ${COLLECTOR}`,
    resource: `resources are changed by the Collector's resource processor: ${COLLECTOR}`,
  },
  exporter: {
    prometheus: `nothing is scraped here: ${COLLECTOR}, which has a prometheus exporter`,
    prometheusremotewrite: `remote write is spoken by the Collector: ${COLLECTOR}; Prometheus itself takes OTLP`,
    logging: 'it is called debug',
    file: `files are written by the Collector's file exporter: ${COLLECTOR}`,
    nop: 'use debug with verbosity: basic',
  },
  connector: {},
  extension: {
    health_check: 'systemd and Kubernetes see the process itself; leave it out',
    zpages: 'set service::telemetry::logs::level to debug, or use the debug exporter',
    pprof: 'start it with node --inspect',
  },
}
