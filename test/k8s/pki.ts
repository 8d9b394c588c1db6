import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Pki {
  file(name: string): string
  /** A kubeconfig for a user of the token file, which names it and its groups. */
  kubeconfig(user: string): string
  /** One for a user who has this token. @returns its path */
  writeKubeconfig(user: string, token: string): string
}

/** Users by the names that RBAC's built-in roles give rights to. */
const usersOf = (nodes: readonly string[]): [name: string, user: string, group: string][] => [
  ['admin', 'admin', 'system:masters'],
  ['kcm', 'system:kube-controller-manager', ''],
  ['scheduler', 'system:kube-scheduler', ''],
  ['proxy', 'system:kube-proxy', ''],
  ...nodes.map((node): [string, string, string] => [node, `system:node:${node}`, 'system:nodes']),
]

/** Keys, certificates, tokens and kubeconfigs of a cluster whose API server is at `host`:`port`. */
export function createPki(directory: string, host: string, port: number, nodes: readonly string[]): Pki {
  mkdirSync(directory, { recursive: true })
  const file = (name: string) => join(directory, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']

  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'sa.key')
  openssl('ec', '-in', 'sa.key', '-pubout', '-out', 'sa.pub')
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=netvitals test cluster')
  const names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'].map((name) => `DNS:${name}`)
  const addresses = ['127.0.0.1', host, SERVICE_IP].map((address) => `IP:${address}`)
  const certificates = {
    api: ['/CN=kube-apiserver', `subjectAltName=${[...names, ...addresses].join()}`],
    'kubelet-client': ['/O=system:masters/CN=apiserver-kubelet-client', 'extendedKeyUsage=clientAuth'],
  } as const
  for (const [name, [subject, extension]] of Object.entries(certificates)) {
    const output = ['-keyout', `${name}.key`, '-out', `${name}.crt`, '-subj', subject, '-addext', extension]
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-addext',
      'basicConstraints=CA:FALSE',
      ...output,
    )
  }

  function writeKubeconfig(name: string, token: string): string {
    const cluster = { server: `https://${host}:${port}`, 'certificate-authority': file('ca.crt') }
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'lab' },
      clusters: [{ name: 'lab', cluster }],
      users: [{ name, user: { token } }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: name } }],
    }
    writeFileSync(file(`${name}.kubeconfig`), JSON.stringify(config))
    return file(`${name}.kubeconfig`)
  }

  const tokens = usersOf(nodes).map(([name, user, group]) => {
    const token = randomBytes(16).toString('hex')
    writeKubeconfig(name, token)
    return [token, user, name, ...(group ? [`"${group}"`] : [])].join()
  })
  writeFileSync(file('tokens.csv'), `${tokens.join('\n')}\n`)
  return { file, writeKubeconfig, kubeconfig: (user) => file(`${user}.kubeconfig`) }
}

/** Of the Service `kubernetes`: the first of the range. */
export const SERVICE_IP = '10.96.0.1'
