import { reasonOf } from '../../../errors.ts'
import type { Access, Kubernetes, KubernetesOptions } from '../../../kubernetes/index.ts'
import type { Logger } from '../../../log.ts'
import type { KubernetesConfig } from './config.ts'

export interface ClusterOptions {
  readonly config: KubernetesConfig
  /** Of the node that this runs on, where it is known. */
  readonly nodeName: string | undefined
  /** Which labels and annotations of pods are wanted. */
  readonly keep: Required<Pick<KubernetesOptions, 'keepLabel' | 'keepAnnotation'>>
  /** Longest time that the start waits until everything has been listed once, milliseconds. */
  readonly waitMs: number
  readonly report: (status: 'ok' | 'down', detail?: string) => void
  readonly log: Pick<Logger, 'debug'>
  readonly env?: NodeJS.ProcessEnv
}

/** The cluster that this runs in, while it is watched. */
export interface Cluster {
  readonly index: Kubernetes
  /** Reports whether the API server is heard now. */
  check(): void
  close(): void
}

/**
 * Begins to watch the cluster and waits for its first lists, so that what is there already has its name from the
 * first. Undefined where there is no cluster, or none that can be asked, which is reported as down.
 * @throws NETVITALS_KUBERNETES_ACCESS where a kubeconfig that is set can't be used; Error where the mode can't be
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster | undefined> {
  const { config, nodeName, keep, waitMs, report, log } = options
  const access = await findCluster(options)
  if (access === undefined) return undefined
  if (config.mode === 'node' && nodeName === undefined) {
    throw new Error(
      'kubernetes::mode: "node" takes the name of this node; set the environment variable NODE_NAME from spec.nodeName, or containers::node_name, or write cluster',
    )
  }
  // Loaded here: most hosts are in no cluster.
  const { createKubernetes } = await import('../../../kubernetes/index.ts')
  const index = createKubernetes({
    access,
    mode: config.mode,
    nodeName,
    ...keep,
    // Each kind of object says for itself what is told once for all of them.
    log: { info: (...args: unknown[]) => say(log, args), warn: (...args: unknown[]) => say(log, args) },
  })
  let told: 'ok' | 'down' | undefined

  function check(): void {
    const problems = index.status().flatMap(({ resource, problem, heardAtMs }) => {
      if (problem === undefined) return []
      const since = heardAtMs === undefined ? 'never listed' : `as of ${new Date(heardAtMs).toISOString()}`
      return [`${resource} ${since}: ${problem}`]
    })
    const status = problems.length === 0 ? 'ok' : 'down'
    // Its reason may be another each time: the first one is told.
    if (status === told) return
    told = status
    if (status === 'ok') report('ok')
    else report('down', `names are as old as this: ${problems[0]}`)
  }

  index.start()
  await firstOf(index.whenSynced(), waitMs)
  check()
  return { index, check, close: index.stop }
}

async function findCluster({ config, report, env = process.env }: ClusterOptions): Promise<Access | undefined> {
  const { enabled, kubeconfig, context } = config
  if (enabled === 'false') return undefined
  const isSet = kubeconfig !== undefined || enabled === 'true'
  if (!isSet && !env.KUBERNETES_SERVICE_HOST) return undefined
  const { findAccess } = await import('../../../kubernetes/access.ts')
  try {
    const access = await findAccess({ kubeconfig, context, env })
    if (access === undefined) report('down', NO_CLUSTER)
    return access
  } catch (error) {
    if (kubeconfig !== undefined) throw error
    report('down', `pods and Services are not named: ${reasonOf(error)}; or set kubernetes::enabled to false`)
    return undefined
  }
}

const NO_CLUSTER =
  'kubernetes::enabled is true and nothing says where the API server is; run in a pod, set kubernetes::kubeconfig or the environment variable KUBECONFIG, or write auto'

function say(log: Pick<Logger, 'debug'>, args: unknown[]): void {
  log.debug(...(args as Parameters<Logger['debug']>))
}

function firstOf(done: Promise<void>, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, waitMs)
    void done.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
