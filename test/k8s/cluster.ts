import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCgroupCleaner } from '../containers/sandbox.ts'
import { eventually } from '../e2e/child.ts'
import { ROOT } from '../e2e/program.ts'
import type { Question, Told } from './ask.ts'
import { type ControlPlane, createControlPlane } from './control-plane.ts'
import { noImages, writeBasicImages } from './images.ts'
import { buildKube } from './kube-build.ts'
import { createNode, type KubeNode } from './node.ts'
import { makeCgroups } from './node-cgroups.ts'

export interface Cluster extends AsyncDisposable {
  readonly nodes: readonly KubeNode[]
  readonly controlPlane: ControlPlane
  /** For files of the test's; removed at the end. */
  readonly directory: string
  /** As an administrator; gives its output, rejects with it when it fails. */
  kubectl(...args: string[]): Promise<string>
  /** `get -o json`, of one object or a list. */
  get<T = Record<string, unknown>>(...args: string[]): Promise<T>
  apply(...objects: readonly object[]): Promise<void>
  /** Puts an image on every node. @param tar in OCI layout */
  importImage(tar: string): Promise<void>
  /** What netvitals' own client is told, in the network of the control plane; as an administrator unless said. */
  ask(question: Omit<Question, 'kubeconfig'> & Partial<Question>): Promise<Told>
  /** A kubeconfig of the service account that deploy/kubernetes/base makes; applies its rights if need be. */
  kubeconfigOfAgent(): Promise<string>
  /** Waits until all pods of the Deployment or DaemonSet are ready; rejects with what the cluster says of them. */
  rolledOut(workload: string, namespace?: string, timeoutMs?: number): Promise<void>
}

const ASK = join(import.meta.dirname, 'ask.ts')

/** Why there can be no cluster here, if so. Builds Kubernetes when that takes nothing but time. */
export async function noCluster(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root'
  const programs = { containerd: 'containerd', runc: 'runc', iptables: 'iptables', openssl: 'openssl' }
  const directories = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  const absent = Object.entries(programs)
    .filter(([program]) => !directories.some((directory) => existsSync(join(directory, program))))
    .map(([, name]) => name)
  if (!existsSync('/usr/lib/cni/bridge')) absent.push('containernetworking-plugins')
  if (absent.length > 0) return `needs ${absent.join(', ')} (npm run test:kubernetes installs them)`
  return noImages() ?? (await buildKube()).skip
}

/** A real Kubernetes in namespaces of its own: dispose of it (`await using`) to end it and all that runs in it. */
export async function createCluster({ nodes: count = 2 }: { readonly nodes?: number } = {}): Promise<Cluster> {
  const kube = (await buildKube()).path!
  const parent = `netvitals-kube-${randomBytes(4).toString('hex')}`
  const cgroups = createCgroupCleaner(parent)
  const numbers = Array.from({ length: count }, (_, n) => n + 1)
  const nodes: KubeNode[] = []
  let controlPlane: ControlPlane | undefined

  async function stop(): Promise<void> {
    await Promise.all(nodes.map(({ sandbox }) => sandbox.stop()))
    await controlPlane?.sandbox.stop()
    cgroups.clean()
  }

  try {
    for (const n of numbers) {
      cgroups.own(`/${parent}/n${n}`)
      makeCgroups(`/${parent}/n${n}`)
    }
    controlPlane = await createControlPlane(
      kube,
      numbers.map((n) => `n${n}`),
    )
    const images = await writeBasicImages(controlPlane.sandbox.directory)
    for (const number of numbers) {
      const cgroupRoot = `/${parent}/n${number}`
      const node = await createNode({ kube, controlPlane, number, nodes: count, cgroupRoot })
      nodes.push(node)
      for (const image of images) await node.importImage(image)
    }
    const cluster = describe(controlPlane, nodes, stop)
    await ready(cluster)
    return cluster
  } catch (error) {
    await stop()
    throw error
  }
}

function describe(controlPlane: ControlPlane, nodes: readonly KubeNode[], stop: () => Promise<void>): Cluster {
  const directory = join(controlPlane.sandbox.directory, 'test')
  mkdirSync(directory)
  const kubectl = (...args: string[]) => controlPlane.kubectl(args)
  let files = 0

  async function rolledOut(workload: string, namespace = 'default', timeoutMs = 180_000): Promise<void> {
    const seconds = Math.ceil(timeoutMs / 1000)
    try {
      const args = ['-n', namespace, 'rollout', 'status', workload, `--timeout=${seconds}s`]
      await controlPlane.kubectl(args, timeoutMs + 10_000)
    } catch (error) {
      const said = await kubectl('-n', namespace, 'describe', 'pods').catch(String)
      throw new Error(`${(error as Error).message}\n${said}`, { cause: error })
    }
  }

  return {
    ...{ nodes, controlPlane, directory, kubectl, rolledOut },
    get: async (...args) => JSON.parse(await kubectl('get', ...args, '-o', 'json')),
    async apply(...objects) {
      const file = join(directory, `apply-${files++}.json`)
      writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
      await kubectl('apply', '-f', file)
    },
    async ask(question) {
      const whole: Question = { kubeconfig: controlPlane.pki.kubeconfig('admin'), ...question }
      const command = [process.execPath, '--disable-warning=ExperimentalWarning', ASK, JSON.stringify(whole)]
      return JSON.parse(await controlPlane.sandbox.run(command))
    },
    async kubeconfigOfAgent() {
      const base = join(ROOT, 'deploy/kubernetes/base')
      await kubectl('apply', '-f', join(base, 'namespace.yaml'))
      await kubectl('apply', '-n', 'netvitals', '-f', join(base, 'rbac.yaml'))
      const token = await kubectl('create', 'token', '-n', 'netvitals', 'netvitals')
      return controlPlane.pki.writeKubeconfig('agent', token)
    },
    async importImage(tar) {
      for (const node of nodes) await node.importImage(tar)
    },
    [Symbol.asyncDispose]: stop,
  }
}

async function ready({ nodes, kubectl }: Cluster): Promise<void> {
  for (const { name, podCidr, logs } of nodes) {
    try {
      await eventually(
        `${name} is ready`,
        async () => / Ready /.test(await kubectl('get', 'node', name, '--no-headers')) || undefined,
        180_000,
      )
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${logs()}`, { cause: error })
    }
    await kubectl('patch', 'node', name, '-p', JSON.stringify({ spec: { podCIDR: podCidr } }))
  }
  await eventually('there are service accounts', () => kubectl('get', 'serviceaccount', 'default'), 120_000)
}
