/**
 * Runs where the API server is reached (`cluster.ask`): lists everything with netvitals' own client, answers what is
 * asked in its argument, and ends.
 */
import { createKubernetes, findAccess, type Kubernetes, type KubernetesOptions } from '../../src/kubernetes/index.ts'
import { eventually } from '../e2e/child.ts'

export interface Question {
  readonly kubeconfig: string
  readonly mode?: KubernetesOptions['mode']
  readonly nodeName?: string
  readonly addresses?: readonly [address: string, port?: number][]
  readonly containerIds?: readonly string[]
}

export interface Told {
  readonly peers: readonly ReturnType<Kubernetes['byAddress']>[]
  readonly containers: readonly ReturnType<Kubernetes['byContainerId']>[]
  readonly podCidrs: readonly string[]
  readonly status: ReturnType<Kubernetes['status']>
}

async function answer({ kubeconfig, mode, nodeName, addresses = [], containerIds = [] }: Question): Promise<Told> {
  const access = await findAccess({ kubeconfig })
  const kubernetes = createKubernetes({ access: access!, ...(mode && { mode }), nodeName })
  kubernetes.start()
  try {
    await eventually('everything is listed', () => (allSynced(kubernetes) ? true : undefined), 30_000)
    const containers = () => containerIds.map((id) => kubernetes.byContainerId(id) ?? null)
    await eventually('every workload', () => (containers().every((each) => each?.complete ?? true) ? true : undefined))
    return {
      peers: addresses.map(([address, port]) => kubernetes.byAddress(address, port)),
      containers: containers() as Told['containers'],
      podCidrs: kubernetes.podCidrs(),
      status: kubernetes.status(),
    }
  } catch (error) {
    throw new Error(`${(error as Error).message}: ${JSON.stringify(kubernetes.status())}`)
  } finally {
    kubernetes.stop()
  }
}

const allSynced = (kubernetes: Kubernetes) => kubernetes.status().every(({ synced }) => synced)

if (import.meta.main) console.log(JSON.stringify(await answer(JSON.parse(process.argv[2]!))))
