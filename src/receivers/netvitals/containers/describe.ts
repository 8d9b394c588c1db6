import type { Attributes } from '@opentelemetry/api'
import type { HostFacts } from './host.ts'
import type { Identity } from './identity.ts'
import { type CgroupIdentity, HOST } from './parse-path.ts'
import type { Container } from './types.ts'

export interface DescribeOptions {
  readonly host: HostFacts
  /** k8s.cluster.name */
  readonly clusterName?: string | undefined
  /** Labels and annotations of pods that become `k8s.pod.label.<key>` and `k8s.pod.annotation.<key>`. */
  readonly podLabels?: readonly string[]
  readonly podAnnotations?: readonly string[]
}

/** OpenTelemetry's word for a service that has no name. @see the resource SDK specification, "service.name" */
const UNKNOWN_SERVICE = 'unknown_service'

/**
 * Turns what a path tells, and who knows more, into a container with its resource attributes.
 *
 * Where no name is known (a Docker container by its path alone) service.name is `unknown_service`: an id in its
 * place would make every restart another service, and backends know the word. service.instance.id still tells
 * such containers apart.
 */
export function describeContainer(path: CgroupIdentity, options: DescribeOptions, identity?: Identity): Container {
  const { key, runtime, id } = path
  return Object.freeze({
    key,
    runtime: runtime === 'unknown' && isRuntime(identity?.runtimeName) ? identity.runtimeName : runtime,
    ...(id === undefined ? {} : { id }),
    displayName: displayName(path, identity),
    attributes: attributes(path, options, identity),
  })
}

function isRuntime(name: string | undefined): name is 'docker' | 'podman' | 'containerd' | 'cri-o' {
  return name === 'docker' || name === 'podman' || name === 'containerd' || name === 'cri-o'
}

function attributes(path: CgroupIdentity, options: DescribeOptions, identity?: Identity): Attributes {
  const { host, clusterName } = options
  const pod = identity?.pod
  const all: Record<string, string | undefined> = {
    ...service(path, host, identity),
    'container.id': path.id,
    'container.name': identity?.name ?? path.name,
    'container.runtime.name': runtimeName(path) ?? identity?.runtimeName,
    'container.image.name': identity?.image,
    'k8s.pod.name': pod?.name,
    'k8s.pod.uid': pod?.uid ?? path.podUid,
    'k8s.namespace.name': pod?.namespace,
    'k8s.container.name': pod?.containerName,
    ...ownerAttributes(pod?.owner),
    'systemd.unit': path.unit,
    'host.name': host.name,
    'host.id': host.id,
    'k8s.node.name': pod?.nodeName ?? host.nodeName,
    'k8s.cluster.name': clusterName,
  }
  for (const key of options.podLabels ?? []) all[`k8s.pod.label.${key}`] = pod?.labels[key]
  for (const key of options.podAnnotations ?? []) all[`k8s.pod.annotation.${key}`] = pod?.annotations[key]
  const result: Attributes = {}
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined) result[name] = value
  }
  return Object.freeze(result)
}

const WORKLOADS: Readonly<Record<string, string>> = {
  Deployment: 'k8s.deployment.name',
  ReplicaSet: 'k8s.replicaset.name',
  StatefulSet: 'k8s.statefulset.name',
  DaemonSet: 'k8s.daemonset.name',
  Job: 'k8s.job.name',
  CronJob: 'k8s.cronjob.name',
}

function ownerAttributes(owner: { kind: string; name: string } | undefined): Record<string, string> {
  const attribute = owner && WORKLOADS[owner.kind]
  return attribute ? { [attribute]: owner.name } : {}
}

/** @see "Specify resource attributes using Kubernetes annotations", OpenTelemetry semantic conventions for Kubernetes */
export const ANNOTATION = 'resource.opentelemetry.io/'
/** Labels of a pod that name its service, the first to believe first. */
export const SERVICE_LABELS = ['app.kubernetes.io/instance', 'app.kubernetes.io/name'] as const

/** service.* by OpenTelemetry's rules for Kubernetes, by Compose's and Swarm's labels, else by what the path tells. */
function service(path: CgroupIdentity, host: HostFacts, identity?: Identity): Record<string, string | undefined> {
  const pod = identity?.pod
  if (pod) {
    const { labels, annotations, containerName } = pod
    return {
      'service.name':
        annotations[`${ANNOTATION}service.name`] ??
        SERVICE_LABELS.map((label) => labels[label]).find((value) => value !== undefined) ??
        pod.owner?.name ??
        pod.name,
      'service.namespace': annotations[`${ANNOTATION}service.namespace`] ?? pod.namespace,
      // Not the annotation for it: two containers of a pod would be one.
      'service.instance.id': [pod.namespace, pod.name, ...(containerName ? [containerName] : [])].join('.'),
    }
  }
  const labels = identity?.labels ?? {}
  const namespace = labels['com.docker.compose.project'] ?? labels['com.docker.stack.namespace']
  return {
    'service.name':
      labels['com.docker.compose.service'] ??
      labels['com.docker.swarm.service.name'] ??
      identity?.name ??
      serviceName(path),
    ...(namespace && { 'service.namespace': namespace }),
    'service.instance.id': instanceId(path, host),
  }
}

function serviceName({ key, name, unit }: CgroupIdentity): string {
  if (key === HOST.key) return 'host'
  return name ?? unit?.replace(/\.[a-z]+$/, '') ?? UNKNOWN_SERVICE
}

/**
 * Unique per container in the world and the same after a restart of the agent: the id that a runtime drew, else
 * the host with what is unique on it.
 */
function instanceId({ key, runtime, id, name, podUid, unit, userId }: CgroupIdentity, host: HostFacts): string {
  const hostId = host.id ?? host.name
  if (id !== undefined && id !== name) return id
  if (runtime === 'systemd')
    return [hostId, ...(userId === undefined ? [] : [`user@${userId}.service`]), unit].join('/')
  if (key === HOST.key) return hostId
  // Two pods of one name are told apart by their uid; a static pod's is the same on every node.
  if (podUid !== undefined && id === undefined) return `${hostId}/${podUid}`
  return hostId + key
}

function runtimeName({ runtime }: CgroupIdentity): string | undefined {
  if (runtime === 'nspawn') return 'systemd-nspawn'
  return runtime === 'unknown' || runtime === 'systemd' || runtime === 'host' ? undefined : runtime
}

function displayName({ key, runtime, id, name, podUid, unit, userId }: CgroupIdentity, identity?: Identity): string {
  const pod = identity?.pod
  if (pod) return [pod.namespace, pod.name, ...(pod.containerName ? [pod.containerName] : [])].join('/')
  if (identity?.name) return `${identity.runtimeName ?? runtime} ${identity.name}`
  if (key === HOST.key) return 'host'
  if (runtime === 'systemd') return userId === undefined ? `${unit}` : `${unit} (user ${userId})`
  const short = name ?? id?.slice(0, 12)
  if (podUid !== undefined) return `pod ${podUid.slice(0, 8)}${short === undefined ? '' : `/${short}`}`
  return `${runtime === 'unknown' ? 'container' : runtime} ${short}${unit === undefined ? '' : ` (${unit})`}`
}
