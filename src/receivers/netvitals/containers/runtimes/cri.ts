import { fileURLToPath } from 'node:url'
import type { Client } from '@grpc/grpc-js'
import { type Identity, type IdentitySource, podOfLabels } from '../identity.ts'
import type { CgroupIdentity } from '../parse-path.ts'
import { isHexId } from './docker.ts'

export interface CriOptions {
  readonly socketPath: string
  readonly timeoutMs: number
}

interface Sandbox {
  readonly metadata?: { readonly name: string; readonly uid: string; readonly namespace: string } | null
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
interface Answers {
  readonly ListPodSandbox: { readonly items: readonly Sandbox[] }
  readonly ListContainers: {
    readonly containers: readonly {
      readonly podSandboxId: string
      readonly metadata?: { readonly name: string } | null
      readonly labels: Readonly<Record<string, string>>
    }[]
  }
  readonly ContainerStatus: {
    readonly status?: {
      readonly image?: { readonly image: string; readonly userSpecifiedImage: string } | null
    } | null
  }
}
type Call = (
  request: object,
  options: { deadline: number },
  callback: (error: Error | null, answer: never) => void,
) => void

/** containerd's and CRI-O's interface for the kubelet. gRPC is loaded with the first question. */
export function createCriSource({ socketPath, timeoutMs }: CriOptions): IdentitySource {
  let connecting: Promise<Client> | undefined
  let closed = false

  async function connect(): Promise<Client> {
    const [{ credentials, loadPackageDefinition }, { load }] = await Promise.all([
      import('@grpc/grpc-js'),
      import('@grpc/proto-loader'),
    ])
    const definition = await load(fileURLToPath(new URL('./cri.proto', import.meta.url)), { defaults: true })
    const { runtime } = loadPackageDefinition(definition) as unknown as {
      runtime: { v1: { RuntimeService: new (address: string, credentials: unknown, options: object) => Client } }
    }
    return new runtime.v1.RuntimeService(`unix:${socketPath}`, credentials.createInsecure(), {
      // A runtime that restarts is there again soon.
      'grpc.max_reconnect_backoff_ms': 10_000,
      'grpc.default_authority': 'localhost',
    })
  }

  async function ask<M extends keyof Answers>(method: M, request: object): Promise<Answers[M]> {
    connecting ??= connect()
    const client = await connecting
    if (closed) throw new Error(`${socketPath}: closed`)
    return new Promise((resolve, reject) => {
      const call = (client as never as Record<string, Call>)[method]!.bind(client)
      call(request, { deadline: Date.now() + timeoutMs }, (error, answer) => {
        if (error) reject(new Error(`${socketPath}: ${method}: ${error.message}`))
        else resolve(answer)
      })
    })
  }

  async function sandbox(id: string): Promise<Sandbox | undefined> {
    return (await ask('ListPodSandbox', { filter: { id } })).items[0]
  }

  return {
    name: 'cri',
    mayKnow: ({ id, runtime }) =>
      id !== undefined && isHexId(id) && (runtime === 'containerd' || runtime === 'cri-o' || runtime === 'unknown'),
    async lookup({ id }: CgroupIdentity): Promise<Identity | undefined> {
      const [container] = (await ask('ListContainers', { filter: { id } })).containers
      if (container === undefined) {
        // The pod's own container, which holds its network.
        const found = await sandbox(id!)
        return found && { source: 'cri', ...podOf(found, {}) }
      }
      const [status, pod] = await Promise.all([
        ask('ContainerStatus', { containerId: id }),
        sandbox(container.podSandboxId),
      ])
      const image = status.status?.image?.userSpecifiedImage || status.status?.image?.image
      const name = container.metadata?.name
      return {
        source: 'cri',
        ...(name && { name }),
        ...(image && { image }),
        ...podOf(pod, container.labels),
      }
    },
    close() {
      closed = true
      connecting?.then((client) => client.close()).catch(() => {})
    },
  }
}

/** The pod's own labels are on its sandbox alone. */
function podOf(found: Sandbox | undefined, labels: Readonly<Record<string, string>>): Pick<Identity, 'pod'> {
  const pod = podOfLabels({ ...found?.labels, ...labels }, found)
  return pod ? { pod } : {}
}
