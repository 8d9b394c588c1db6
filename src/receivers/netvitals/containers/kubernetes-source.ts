import type { ContainerIdentity, Kubernetes, PodIdentity } from '../../../kubernetes/index.ts'
import type { ContainersConfig } from './config.ts'
import { ANNOTATION, SERVICE_LABELS } from './describe.ts'
import type { Identity, IdentitySource } from './identity.ts'
import type { CgroupIdentity } from './parse-path.ts'

export type KubernetesPods = Pick<Kubernetes, 'byContainerId' | 'byPodUid' | 'onChange'>

export interface KubernetesSource extends IdentitySource {
  /** From here on this is asked; until then no container is known. */
  use(pods: KubernetesPods): void
}

export interface KubernetesSourceOptions {
  /** How long what is half known is not told yet, milliseconds: a part of what a container's first export waits. */
  readonly patienceMs: number
}

/** A container that ended while it was waited for. */
const FORGET_MS = 120_000

/**
 * What the Kubernetes API tells of pods' containers. The API writes a container's id a moment after its start, and a
 * pod's Deployment may be known later than the pod: until `patienceMs` are over only what is complete is told, then
 * what there is, and the rest when it comes.
 */
export function createKubernetesSource({ patienceMs }: KubernetesSourceOptions): KubernetesSource {
  const listeners: ((containerIds: readonly string[]) => void)[] = []
  /** Containers half known, by key. */
  const waiting = new Map<string, { timer: NodeJS.Timeout; isOver: boolean }>()
  let pods: KubernetesPods | undefined
  let unsubscribe: (() => void) | undefined

  function tell(containerIds: readonly string[]): void {
    for (const listener of listeners) listener(containerIds)
  }

  /** Whether it is time to tell what is known, though more may come. */
  function isOverdue(key: string, id: string | undefined): boolean {
    const known = waiting.get(key)
    if (known) return known.isOver
    const wait = { timer: setTimeout(over, patienceMs).unref(), isOver: false }
    waiting.set(key, wait)
    return false

    function over(): void {
      wait.isOver = true
      // It may have ended: then nobody asks again.
      wait.timer = setTimeout(settle, FORGET_MS, key).unref()
      if (id !== undefined) tell([id])
    }
  }

  function settle(key: string): void {
    clearTimeout(waiting.get(key)?.timer)
    waiting.delete(key)
  }

  return {
    name: 'kubernetes',
    mayKnow: ({ podUid }) => pods !== undefined && podUid !== undefined,
    async lookup({ key, id, podUid }: CgroupIdentity) {
      const container = id === undefined ? undefined : pods?.byContainerId(id)
      const pod = container ?? (podUid === undefined ? undefined : pods?.byPodUid(podUid))
      if (pod === undefined) return undefined
      // What has an id and is no container of the pod's status may be its sandbox, or not in the status yet.
      const isWhole = pod.complete && (container !== undefined || id === undefined)
      if (!isWhole && !isOverdue(key, id)) return undefined
      settle(key)
      return identityOf(pod, container)
    },
    onChange: (listener) => void listeners.push(listener),
    use(of) {
      unsubscribe?.()
      pods = of
      unsubscribe = of.onChange(({ containerIds }) => {
        if (containerIds.length > 0) tell(containerIds)
      })
    },
    close() {
      unsubscribe?.()
      pods = undefined
      for (const key of [...waiting.keys()]) settle(key)
    },
  }
}

function identityOf(pod: PodIdentity, container: ContainerIdentity | undefined): Identity {
  const { podName: name, namespace, podUid: uid, labels, annotations, nodeName, owner } = pod
  return {
    source: 'kubernetes',
    ...(container?.image !== undefined && { image: container.image }),
    pod: {
      ...{ name, namespace, uid, labels, annotations },
      ...(container && { containerName: container.containerName }),
      ...(nodeName !== undefined && { nodeName }),
      ...(owner && { owner }),
    },
  }
}

/** Which labels and annotations of pods are read: what nobody reads takes memory for every pod of the cluster. */
export function keepOf(config: Pick<ContainersConfig, 'pod_labels' | 'pod_annotations' | 'include' | 'exclude'>) {
  const labels = new Set([
    ...SERVICE_LABELS,
    ...config.pod_labels,
    ...[...config.include, ...config.exclude].flatMap(({ pod_labels }) => Object.keys(pod_labels)),
  ])
  const annotations = new Set(config.pod_annotations)
  return {
    keepLabel: (key: string) => labels.has(key),
    keepAnnotation: (key: string) => key.startsWith(ANNOTATION) || annotations.has(key),
  }
}
