import { fileURLToPath } from 'node:url'
import type { Client } from '@grpc/grpc-js'
import { type Identity, type IdentitySource, kubernetesLabels, podOfLabels } from '../identity.ts'
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
  readonly Version: { readonly runtimeName: string }
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
  callback: (error: (Error & { code?: number }) | null, answer: never) => void,
) => { cancel(): void }

/** @see grpc's statuscodes.md */
const UNIMPLEMENTED = 12
const NOT_FOUND = 5

class CriError extends Error {
  readonly code: number | undefined
  constructor(message: string, code: number | undefined) {
    super(message)
    this.code = code
  }
}

/** containerd's and CRI-O's interface for the kubelet. gRPC is loaded with the first question. */
export function createCriSource({ socketPath, timeoutMs }: CriOptions): IdentitySource {
  let connecting: Promise<Client> | undefined
  const underWay = new Set<{ cancel(): void }>()
  let runtimeName: string | undefined
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
    const client = await connecting.catch((error) => {
      connecting = undefined
      throw error
    })
    if (closed) throw new Error(`${socketPath}: closed`)
    return new Promise((resolve, reject) => {
      const call = (client as never as Record<string, Call>)[method]!.bind(client)
      const asked = call(request, { deadline: Date.now() + timeoutMs }, (error, answer) => {
        underWay.delete(asked)
        if (error) reject(new CriError(`${socketPath}: ${method}: ${error.message}`, error.code))
        else resolve(answer)
      })
      underWay.add(asked)
    })
  }

  async function find({ id, podUid }: CgroupIdentity): Promise<Identity | undefined> {
    if (id === undefined) return ofSandbox({ labelSelector: kubernetesLabels({ 'pod.uid': podUid! }) })
    const [container] = (await ask('ListContainers', { filter: { id } })).containers
    // Perhaps the pod's own, which holds its network.
    if (container === undefined) return ofSandbox({ id })
    const [status, found] = await Promise.all([
      ask('ContainerStatus', { containerId: id }),
      sandbox({ id: container.podSandboxId }),
    ])
    const image = status.status?.image?.userSpecifiedImage || status.status?.image?.image
    const name = container.metadata?.name
    return {
      ...(await base()),
      ...(name && { name }),
      ...(image && { image }),
      ...podOf(found, container.labels, name),
    }
  }

  async function base(): Promise<Identity> {
    runtimeName ??= (await ask('Version', {})).runtimeName
    return { source: 'cri', ...(runtimeName && { runtimeName }) }
  }

  async function ofSandbox(filter: object): Promise<Identity | undefined> {
    const found = await sandbox(filter)
    return found && { ...(await base()), ...podOf(found, {}) }
  }

  async function sandbox(filter: object): Promise<Sandbox | undefined> {
    return (await ask('ListPodSandbox', { filter })).items[0]
  }

  return {
    name: 'cri',
    part: `cri ${socketPath}`,
    mayKnow: ({ id, runtime, podUid }) =>
      id === undefined
        ? podUid !== undefined
        : isHexId(id) &&
          // Docker's in a pod: cri-dockerd.
          (runtime === 'containerd' || runtime === 'cri-o' || runtime === 'unknown' || podUid !== undefined),
    async lookup(container: CgroupIdentity): Promise<Identity | undefined> {
      try {
        return await find(container)
      } catch (error) {
        // A containerd without CRI, as beside Docker; a container that went while it was asked for.
        const { code } = error as CriError
        if (code === UNIMPLEMENTED || code === NOT_FOUND) return undefined
        throw error
      }
    },
    close() {
      closed = true
      for (const asked of underWay) asked.cancel()
      connecting?.then((client) => client.close()).catch(() => {})
    },
  }
}

/** The pod's own labels are on its sandbox alone. What is no kubelet's has no labels of Kubernetes. */
function podOf(
  found: Sandbox | undefined,
  labels: Readonly<Record<string, string>>,
  containerName?: string,
): Pick<Identity, 'pod'> {
  const { name = '', namespace = '', uid = '' } = found?.metadata ?? {}
  const pod = podOfLabels(
    {
      ...kubernetesLabels({ 'pod.name': name, 'pod.namespace': namespace, 'pod.uid': uid }),
      ...(containerName && kubernetesLabels({ 'container.name': containerName })),
      ...found?.labels,
      ...labels,
    },
    found,
  )
  return pod ? { pod } : {}
}
