import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { type Point, parseLines, pointsOf } from '../e2e/otlp-json.ts'
import { ROOT } from '../e2e/program.ts'
import type { Cluster } from './cluster.ts'
import { COLLECTOR_IMAGE, NETVITALS_IMAGE, writeCollectorImage, writeNetvitalsImage } from './images.ts'
import type { Pod } from './workload.ts'

export interface DeployOptions {
  /** A Collector's program, static. */
  readonly collector: string
  /** Laid over the configuration of deploy/kubernetes/base. */
  readonly config?: object
  /** Of netvitals, besides the DaemonSet's own. */
  readonly env?: Readonly<Record<string, string>>
}

export interface DeployedNetvitals {
  /** One on each node; others after `configure`. */
  readonly pods: readonly Pod[]
  /** Rolls out another configuration in the place of `config`. */
  configure(config: object): Promise<void>
  /** Where the Collector of that node writes what it receives, once it has; a new one begins it anew. */
  receivedFile(nodeName: string): string
  /** All that is in that file. */
  received(nodeName: string): Point[]
  /** @param options of `kubectl logs` */
  log(pod: Pod, container?: string, ...options: string[]): Promise<string>
}

interface Deletable {
  readonly metadata: { readonly deletionTimestamp?: string }
}

const OUT = 'otlp-out'
const FILE = 'otlp.jsonl'

/**
 * deploy/kubernetes/overlays/collector as it stands, with images of this clone, the Collector also writing what it
 * receives to a file of the node's.
 */
export async function deployNetvitals(cluster: Cluster, options: DeployOptions): Promise<DeployedNetvitals> {
  for (const image of [
    await writeNetvitalsImage(cluster.directory),
    await writeCollectorImage(cluster.directory, options.collector),
  ]) {
    await cluster.importImage(image)
  }
  for (const { sandbox } of cluster.nodes) {
    const directory = join(sandbox.directory, OUT)
    mkdirSync(directory)
    // The Collector is a user without rights.
    chmodSync(directory, 0o777)
    await sandbox.run(['sh', '-ec', 'mkdir -p /run/otlp-out; mount --bind "$1" /run/otlp-out', 'sh', directory])
  }
  let pods: readonly Pod[] = []
  async function configure(config: object): Promise<void> {
    await cluster.kubectl('apply', '-k', writeKustomization(cluster.directory, { ...options, config }))
    await cluster.rolledOut('daemonset/netvitals', 'netvitals')
    const { items } = await cluster.get<{ items: (Pod & Deletable)[] }>('pods', '-n', 'netvitals')
    pods = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  }
  function receivedFile(nodeName: string): string {
    const node = cluster.nodes.find(({ name }) => name === nodeName)!
    return join(node.sandbox.directory, OUT, FILE)
  }

  await configure(options.config ?? {})
  return {
    get pods() {
      return pods
    },
    ...{ configure, receivedFile },
    log: ({ metadata }, container = 'netvitals', ...options) =>
      cluster.kubectl('logs', '-n', metadata.namespace, metadata.name, '-c', container, ...options),
    received(nodeName) {
      try {
        return pointsOf(parseLines(readFileSync(receivedFile(nodeName), 'utf8')))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        return []
      }
    },
  }
}

/** JSON is YAML. @returns its folder */
function writeKustomization(parent: string, { config = {}, env = {} }: DeployOptions): string {
  const directory = join(parent, 'kustomization')
  mkdirSync(directory, { recursive: true })
  const write = (name: string, content: object) => writeFileSync(join(directory, name), JSON.stringify(content))
  write('test.yaml', {
    exporters: { file: { path: `/out/${FILE}`, flush_interval: '100ms' } },
    service: { pipelines: { 'metrics/test': { receivers: ['otlp'], exporters: ['file'] } } },
  })
  write('kustomization.yaml', {
    ...{ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', namespace: 'netvitals' },
    resources: [relative(directory, join(ROOT, 'deploy/kubernetes/overlays/collector'))],
    images: [image('netvitals', NETVITALS_IMAGE), image('otel/opentelemetry-collector-contrib', COLLECTOR_IMAGE)],
    configMapGenerator: [{ name: 'otel-collector', behavior: 'merge', files: ['test.yaml'] }],
    patches: [
      {
        target: { kind: 'DaemonSet', name: 'netvitals' },
        patch: JSON.stringify([
          ...addArgs('netvitals', `yaml:${JSON.stringify(config)}`),
          ...Object.entries(env).map(([name, value]) => addTo('netvitals', 'env', { name, value })),
          ...addArgs('otel-collector', '/etc/otelcol/test.yaml'),
          addTo('otel-collector', 'volumeMounts', { name: 'out', mountPath: '/out' }),
          add('/spec/template/spec/volumes/-', { name: 'out', hostPath: { path: '/run/otlp-out' } }),
        ]),
      },
    ],
  })
  return directory
}

/** Places in the overlay's list of containers. */
const INDEX = { netvitals: 0, 'otel-collector': 1 } as const

const add = (path: string, value: unknown) => ({ op: 'add', path, value })

const addTo = (container: keyof typeof INDEX, list: string, value: unknown) =>
  add(`/spec/template/spec/containers/${INDEX[container]}/${list}/-`, value)

function addArgs(container: keyof typeof INDEX, config: string): object[] {
  return [
    { op: 'test', path: `/spec/template/spec/containers/${INDEX[container]}/name`, value: container },
    ...['--config', config].map((argument) => addTo(container, 'args', argument)),
  ]
}

function image(name: string, replacement: string): object {
  const [newName, newTag] = replacement.split(':')
  return { name, newName, newTag }
}
