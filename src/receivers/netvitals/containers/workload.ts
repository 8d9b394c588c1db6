export interface Workload {
  readonly kind: 'Deployment' | 'DaemonSet' | 'StatefulSet' | 'Job'
  readonly name: string
}

/** What Kubernetes makes up at the end of a pod's name. @see k8s.io/apimachinery/pkg/util/rand, alphanums */
const RANDOM = /-[bcdfghjklmnpqrstvwxz2456789]{5}$/
/** A name this long may have been cut before that. @see k8s.io/apiserver/pkg/storage/names, maxNameLength */
const NAME_MAX = 63

/**
 * The workload of a pod, by the labels that its controller puts on it, where the pod's name agrees: for whoever has no
 * API to ask for owners. Undefined: it has none, another kind of one, or a name that was cut.
 *
 * @see https://kubernetes.io/docs/reference/labels-annotations-taints/
 */
export function workloadOf(podName: string, labels: Readonly<Record<string, string>>): Workload | undefined {
  const generated = podName.length < NAME_MAX ? RANDOM.exec(podName) : null
  const stem = generated ? podName.slice(0, generated.index) : undefined
  const hash = labels['pod-template-hash']
  if (hash !== undefined) {
    const end = `-${hash}`
    return stem?.endsWith(end) ? named('Deployment', stem.slice(0, -end.length)) : undefined
  }
  if (labels['pod-template-generation'] !== undefined) return named('DaemonSet', stem)
  if (labels['statefulset.kubernetes.io/pod-name'] === podName)
    return named('StatefulSet', /^(.+)-\d+$/.exec(podName)?.[1])
  return named('Job', labels['batch.kubernetes.io/job-name'])
}

function named(kind: Workload['kind'], name: string | undefined): Workload | undefined {
  return name ? { kind, name } : undefined
}
