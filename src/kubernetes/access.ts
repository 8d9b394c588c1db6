import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codedError } from '../errors.ts'
import { readKubeconfig } from './kubeconfig.ts'

/** Text that is given, or a file that may be written anew at any time. */
export type Source = { readonly text: string } | { readonly file: string }

/** Where the API server is, and what it takes to be let in. */
export interface Access {
  /** `https://10.96.0.1:443`, with a path where a proxy serves several clusters; no `/` at its end. */
  readonly server: string
  readonly token?: Source
  /** PEM of the authorities that the server's certificate must come from; those of the system when absent. */
  readonly ca?: Source
  readonly certificate?: Source
  readonly key?: Source
  /** The name that the server's certificate must have, where it is not the host's. */
  readonly serverName?: string
  /** The server's certificate is not looked at. */
  readonly insecure?: boolean
}

export interface AccessOptions {
  /** Path of a kubeconfig; without one KUBECONFIG, and before that the pod's own service account. */
  readonly kubeconfig?: string | undefined
  /** The kubeconfig's context; its current one when absent. */
  readonly context?: string | undefined
  readonly env?: NodeJS.ProcessEnv
  /** Where a pod's service account is mounted. */
  readonly serviceAccount?: string
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * What is set, else the service account of the pod that this runs in, else KUBECONFIG.
 * @returns undefined where nothing says that there is a cluster
 * @throws NETVITALS_KUBERNETES_ACCESS when it says so and can't be read
 */
export async function findAccess(options: AccessOptions = {}): Promise<Access | undefined> {
  const { kubeconfig, context, env = process.env, serviceAccount = SERVICE_ACCOUNT } = options
  if (kubeconfig !== undefined) return readKubeconfig(kubeconfig, context)
  if (env.KUBERNETES_SERVICE_HOST) return inCluster(env, serviceAccount)
  return env.KUBECONFIG ? readKubeconfig(env.KUBECONFIG, context) : undefined
}

/** @see https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
function inCluster(env: NodeJS.ProcessEnv, directory: string): Access {
  const host = env.KUBERNETES_SERVICE_HOST!
  const access: Access = {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${env.KUBERNETES_SERVICE_PORT || '443'}`,
    token: { file: join(directory, 'token') },
    ca: { file: join(directory, 'ca.crt') },
  }
  for (const source of [access.token!, access.ca!]) readSource(source)
  return access
}

/** @throws NETVITALS_KUBERNETES_ACCESS when the file can't be read or is empty */
export function readSource(source: Source): string {
  if ('text' in source) return source.text
  let text: string
  try {
    text = readFileSync(source.file, 'utf8')
  } catch (error) {
    const hint = source.file.startsWith('/var/run/secrets/')
      ? '; a pod has it unless its spec says automountServiceAccountToken: false'
      : ''
    throw codedError('NETVITALS_KUBERNETES_ACCESS', { reason: `${(error as Error).message}${hint}` }, error)
  }
  if (text.trim() === '') throw codedError('NETVITALS_KUBERNETES_ACCESS', { reason: `${source.file} is empty` })
  return text
}
