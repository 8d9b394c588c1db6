import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSocketServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const PROTO = join(import.meta.dirname, '../../../../src/receivers/netvitals/containers/runtimes/cri.proto')

/** A directory of the test's own for sockets: their paths may have 107 bytes at most. */
export function socketDirectory(t: Pick<TestContext, 'after'>): string {
  const directory = mkdtempSync(join(tmpdir(), 'nv-sock-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Whatever a daemon may do with a connection. */
export async function listen(
  t: Pick<TestContext, 'after'>,
  path: string,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  const server = createSocketServer(onConnection)
  await listening(t, server, path)
  return server
}

export interface DockerServer {
  readonly asked: string[]
  stop(): void
}

/** Docker's API on a unix socket. `containers` are answers by id; what they lack is 404. */
export async function serveDocker(
  t: Pick<TestContext, 'after'>,
  path: string,
  containers: Map<string, unknown>,
  before?: RequestListener,
): Promise<DockerServer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    if (before) {
      before(request, response)
      if (response.writableEnded) return
    }
    const id = /^\/containers\/([^/]+)\/json$/.exec(request.url!)?.[1]
    const found = id === undefined ? undefined : containers.get(id)
    response.statusCode = found === undefined ? 404 : 200
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(found ?? { message: `No such container: ${id}` }))
  })
  await listening(t, server, path)
  const stop = () => {
    server.closeAllConnections()
    server.close()
  }
  return { asked, stop }
}

async function listening(t: Pick<TestContext, 'after'>, server: Server, path: string): Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
}

export interface CriContainer {
  readonly id: string
  readonly podSandboxId: string
  readonly metadata?: { readonly name: string }
  readonly labels?: Readonly<Record<string, string>>
  readonly image?: { readonly image: string; readonly userSpecifiedImage?: string }
}
export interface CriSandbox {
  readonly id: string
  readonly metadata: { readonly name: string; readonly uid: string; readonly namespace: string }
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

interface SandboxFilter {
  readonly id: string
  readonly labelSelector: Readonly<Record<string, string>>
}

type Unary = (call: { request: Record<string, never> }, callback: grpc.sendUnaryData<object>) => void

/** CRI's RuntimeService on a unix socket, made from the same .proto. */
export async function serveCri(
  t: Pick<TestContext, 'after'>,
  path: string,
  { containers = [], sandboxes = [] }: { containers?: readonly CriContainer[]; sandboxes?: readonly CriSandbox[] },
  override: Partial<Record<'Version' | 'ListPodSandbox' | 'ListContainers' | 'ContainerStatus', Unary>> = {},
) {
  const { runtime } = grpc.loadPackageDefinition(loadSync(PROTO, { defaults: true })) as unknown as {
    runtime: { v1: { RuntimeService: { service: grpc.ServiceDefinition } } }
  }
  const asked: string[] = []
  const answer =
    (method: string, of: (request: never) => object): Unary =>
    (call, callback) => {
      asked.push(method)
      callback(null, of(call.request as never))
    }
  const service: Record<string, Unary> = {
    Version: answer('Version', () => ({ runtimeName: 'containerd' })),
    ListContainers: answer('ListContainers', ({ filter }: { filter: { id: string } }) => ({
      containers: containers.filter(({ id }) => id === filter.id),
    })),
    ListPodSandbox: answer('ListPodSandbox', ({ filter }: { filter: SandboxFilter }) => ({
      items: sandboxes.filter(
        ({ id, labels = {} }) =>
          (filter.id === '' || id === filter.id) &&
          Object.entries(filter.labelSelector).every(([key, value]) => labels[key] === value),
      ),
    })),
    ContainerStatus: (call, callback) => {
      asked.push('ContainerStatus')
      const { containerId } = call.request as unknown as { containerId: string }
      const found = containers.find(({ id }) => id === containerId)
      if (found) callback(null, { status: { id: found.id, image: found.image } })
      else callback({ code: grpc.status.NOT_FOUND, details: 'no such container' })
    },
    ...override,
  }
  const server = new grpc.Server()
  server.addService(runtime.v1.RuntimeService.service, service as unknown as grpc.UntypedServiceImplementation)
  const stop = () => server.forceShutdown()
  t.after(stop)
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  )
  return { asked, stop }
}

export async function until(condition: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
  const giveUpMs = Date.now() + timeoutMs
  while (!condition()) {
    if (Date.now() > giveUpMs) throw new Error(`gave up waiting until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
