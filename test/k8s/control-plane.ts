import { join } from 'node:path'
import { createSandbox, type Sandbox } from '../containers/sandbox.ts'
import { eventually } from '../e2e/child.ts'
import { createPki, type Pki } from './pki.ts'

/** The control plane's address in the network that all nodes are in. */
export const CONTROL_PLANE = '10.99.0.1'
const PORT = 6443

export interface ControlPlane {
  readonly sandbox: Sandbox
  readonly pki: Pki
  /** Rejects with its output when it fails. */
  kubectl(args: readonly string[], timeoutMs?: number): Promise<string>
  /** The last that each of its programs said. */
  logs(): string
}

/** etcd, API server, controller manager and scheduler in namespaces of their own, with a bridge for the nodes. */
export async function createControlPlane(kube: string, nodes: readonly string[]): Promise<ControlPlane> {
  const bridge = `ip link add lan0 type bridge; ip addr add ${CONTROL_PLANE}/24 dev lan0; ip link set lan0 up`
  const sandbox = await createSandbox('kube-cp', bridge)
  try {
    return await startControlPlane(kube, nodes, sandbox)
  } catch (error) {
    await sandbox.stop()
    throw error
  }
}

async function startControlPlane(kube: string, nodes: readonly string[], sandbox: Sandbox): Promise<ControlPlane> {
  const pki = createPki(join(sandbox.directory, 'pki'), CONTROL_PLANE, PORT, nodes)
  const started = new Map<string, () => string>()
  const start = (name: string, ...args: string[]) => started.set(name, sandbox.start([kube, name, ...args]).log)
  const kubectl = (args: readonly string[], timeoutMs?: number) =>
    sandbox.run([kube, 'kubectl', '--kubeconfig', pki.kubeconfig('admin'), ...args], timeoutMs)
  const logs = () => [...started].map(([name, log]) => `--- ${name}\n${log().slice(-2_000)}`).join('\n')
  const until = async (what: string, attempt: () => Promise<unknown>) => {
    try {
      await eventually(what, () => attempt().then(() => true), 120_000)
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${logs()}`, { cause: error })
    }
  }

  const socket = `unix://${join(sandbox.directory, 'etcd.sock')}`
  const peer = `unix://${join(sandbox.directory, 'etcd-peer.sock')}`
  start(
    'etcd',
    ...['--data-dir', join(sandbox.directory, 'etcd'), '--unsafe-no-fsync', '--log-level', 'warn'],
    ...['--listen-client-urls', socket, '--advertise-client-urls', socket, '--listen-peer-urls', peer],
    ...['--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
  )
  start(
    'kube-apiserver',
    ...[`--etcd-servers=${socket}`, `--bind-address=${CONTROL_PLANE}`, `--advertise-address=${CONTROL_PLANE}`],
    ...[`--secure-port=${PORT}`, '--service-cluster-ip-range=10.96.0.0/16', '--allow-privileged=true'],
    ...[`--tls-cert-file=${pki.file('api.crt')}`, `--tls-private-key-file=${pki.file('api.key')}`],
    ...[`--client-ca-file=${pki.file('ca.crt')}`, `--token-auth-file=${pki.file('tokens.csv')}`],
    ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction'],
    ...[`--kubelet-client-certificate=${pki.file('kubelet-client.crt')}`],
    ...[`--kubelet-client-key=${pki.file('kubelet-client.key')}`, '--kubelet-preferred-address-types=InternalIP'],
    ...['--service-account-issuer=https://kubernetes.default.svc', `--cert-dir=${pki.file('apiserver')}`],
    ...[`--service-account-signing-key-file=${pki.file('sa.key')}`, `--service-account-key-file=${pki.file('sa.pub')}`],
  )
  await until('the API server is ready', () => kubectl(['get', '--raw', '/readyz']))
  const as = (user: string) => {
    const config = pki.kubeconfig(user)
    return [`--kubeconfig=${config}`, `--authentication-kubeconfig=${config}`, `--authorization-kubeconfig=${config}`]
  }
  start(
    'kube-controller-manager',
    ...as('kcm'),
    ...[`--service-account-private-key-file=${pki.file('sa.key')}`, `--root-ca-file=${pki.file('ca.crt')}`],
    ...['--use-service-account-credentials=true', '--leader-elect=false', '--secure-port=0'],
    // The podCIDR of a node is in its CNI's configuration here; it is written by hand.
    ...['--allocate-node-cidrs=false'],
  )
  start('kube-scheduler', ...as('scheduler'), '--leader-elect=false', '--secure-port=0')
  return { sandbox, pki, kubectl, logs }
}
