import type { CgroupIdentity } from './parse-path.ts'
import { workloadOf } from './workload.ts'

/** What a runtime or the Kubernetes API tells of a container. Unknown parts are absent, never guessed. */
export interface Identity {
  /** Who told it, as `containers.identity` counts it. */
  readonly source: IdentitySourceName
  /** The name that the runtime gives; of a Kubernetes container the one in its pod is `k8s.containerName`. */
  readonly name?: string
  /** As its author wrote it: `registry/app:1.2`. */
  readonly image?: string
  /** Of whoever runs it, where the path does not tell: `containerd`, `cri-o`. */
  readonly runtimeName?: string
  /** Labels of a container outside Kubernetes. */
  readonly labels?: Readonly<Record<string, string>>
  readonly pod?: PodOf
}

export interface PodOf {
  readonly name: string
  readonly namespace: string
  readonly uid?: string
  /** Absent for the pod's sandbox. */
  readonly containerName?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly nodeName?: string
  readonly owner?: { readonly kind: string; readonly name: string }
}

export type IdentitySourceName = 'kubernetes' | 'cri' | 'docker' | 'podman' | 'path'

/** One place that knows containers. */
export interface IdentitySource {
  readonly name: IdentitySourceName
  /** What is reported as down when it can't be asked; its name when absent. */
  readonly part?: string
  /** Whether such a container may be known there at all: then its series wait a while for the answer. */
  mayKnow(container: CgroupIdentity): boolean
  /** Undefined: not known there, or not yet. Rejects when it can't be asked. */
  lookup(container: CgroupIdentity): Promise<Identity | undefined>
  /** Told of containers that are answered otherwise from now on, by their id. */
  onChange?(listener: (containerIds: readonly string[]) => void): void
  close(): void
}

const PREFIX = 'io.kubernetes.'

/** `pod.name` -> `io.kubernetes.pod.name`. */
export function kubernetesLabels(named: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [PREFIX + name, value]))
}

/** Kubernetes' own labels, which every runtime keeps on a pod's containers. */
export function podOfLabels(
  labels: Readonly<Record<string, string>>,
  of: Partial<Pick<PodOf, 'labels' | 'annotations'>> = {},
): PodOf | undefined {
  const name = labels[`${PREFIX}pod.name`]
  const namespace = labels[`${PREFIX}pod.namespace`]
  if (!name || !namespace) return undefined
  const uid = labels[`${PREFIX}pod.uid`]
  const containerName = labels[`${PREFIX}container.name`]
  const owner = workloadOf(name, of.labels ?? {})
  return {
    name,
    namespace,
    ...(uid && { uid }),
    // Docker's name for a pod's sandbox.
    ...(containerName && containerName !== 'POD' && { containerName }),
    labels: of.labels ?? {},
    annotations: of.annotations ?? {},
    ...(owner && { owner }),
  }
}
