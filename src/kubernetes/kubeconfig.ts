import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { codedError, reasonOf } from '../errors.ts'
import type { Access, Source } from './access.ts'
import { type Json, listOf, objectOf, textOf } from './json.ts'

const TOKEN_REMEDY =
  'write a service account token in its place: `kubectl create token <service account> --duration 8760h`, as token or tokenFile'

/** What kubectl may use to let a user in, and this client may not. */
const REFUSED_USER_KEYS: Readonly<Record<string, string>> = {
  exec: `runs a program to get a token, which netvitals does not; ${TOKEN_REMEDY}`,
  'auth-provider': `was taken out of kubectl itself; ${TOKEN_REMEDY}`,
  username: `password log-in was taken out of Kubernetes 1.19; ${TOKEN_REMEDY}`,
  as: 'impersonation is not supported; use credentials of the user itself',
}

/**
 * One context of a kubeconfig: certificates, a token, or a file with one. Relative paths are the kubeconfig's own.
 * @throws NETVITALS_KUBERNETES_ACCESS with the file, the place in it, and what to write
 */
export async function readKubeconfig(path: string, contextName?: string): Promise<Access> {
  const fail = (reason: string, cause?: unknown): never => {
    throw codedError('NETVITALS_KUBERNETES_ACCESS', { reason: `kubeconfig ${path}: ${reason}` }, cause)
  }
  let config: Json
  try {
    const { parse } = await import('yaml')
    config = objectOf(parse(readFileSync(path, 'utf8')))
  } catch (error) {
    return fail(reasonOf(error).split('\n')[0]!, error)
  }

  function named(section: string, name: string, of: string): Json {
    const all = listOf(config[section])
    const found = all.find((item) => item.name === name)
    if (found) return found
    const names = all.map((item) => JSON.stringify(item.name)).join(', ') || 'none'
    return fail(`${of} names "${name}", which is not in ${section} (there: ${names})`)
  }

  const current = contextName ?? textOf(config['current-context'])
  if (current === undefined) return fail('current-context is not set; set it, or name the context in the configuration')
  const context = objectOf(named('contexts', current, contextName ? 'the context setting' : 'current-context').context)
  const place = `contexts[${current}]`
  const clusterName = textOf(context.cluster) ?? fail(`${place}.cluster is missing`)
  const cluster = objectOf(named('clusters', clusterName, `${place}.cluster`).cluster)
  const userName = textOf(context.user)
  const user = userName === undefined ? {} : objectOf(named('users', userName, `${place}.user`).user)

  for (const [key, reason] of Object.entries(REFUSED_USER_KEYS)) {
    if (user[key] !== undefined) fail(`users[${userName}].${key}: ${reason}`)
  }
  if (cluster['proxy-url'] !== undefined) {
    fail(`clusters[${clusterName}].proxy-url: proxies are not supported; reach the API server directly`)
  }

  /** A key's text (`token`), its base64 (`…-data`) or the file that it names. */
  function source(holder: Json, where: string, fileKey: string, dataKey: string, base64: boolean): Source | undefined {
    const data = textOf(holder[dataKey])
    const file = textOf(holder[fileKey])
    if (data === undefined) return file === undefined ? undefined : { file: resolve(dirname(path), file) }
    if (!base64) return { text: data }
    const text = Buffer.from(data, 'base64').toString()
    return text.includes('-----BEGIN ') ? { text } : fail(`${where}.${dataKey}: expected PEM in base64`)
  }

  const clusterPlace = `clusters[${clusterName}]`
  const userPlace = `users[${userName}]`
  const server = textOf(cluster.server) ?? fail(`${clusterPlace}.server is missing`)
  const url = URL.parse(server)
  if (url?.protocol !== 'https:') fail(`${clusterPlace}.server: expected https://host:port, found "${server}"`)
  const certificate = source(user, userPlace, 'client-certificate', 'client-certificate-data', true)
  const key = source(user, userPlace, 'client-key', 'client-key-data', true)
  if ((certificate === undefined) !== (key === undefined)) {
    fail(`${userPlace}: client-certificate and client-key go together, found only one of them`)
  }
  const ca = source(cluster, clusterPlace, 'certificate-authority', 'certificate-authority-data', true)
  const token = source(user, userPlace, 'tokenFile', 'token', false)
  const serverName = textOf(cluster['tls-server-name'])
  return {
    server: server.replace(/\/+$/, ''),
    ...(token && { token }),
    ...(ca && { ca }),
    ...(certificate && { certificate }),
    ...(key && { key }),
    ...(serverName !== undefined && { serverName }),
    ...(cluster['insecure-skip-tls-verify'] === true && { insecure: true }),
  }
}
