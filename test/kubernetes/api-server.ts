import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Access } from '../../src/kubernetes/access.ts'
import { type Certificates, createCertificates } from '../e2e/certificates.ts'
import { eventually } from '../e2e/child.ts'

export interface Asked {
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  /** Common name of the client's certificate. */
  readonly client?: string
}

export type Answer = (asked: Asked, response: ServerResponse) => void

export interface ObjectJson {
  readonly metadata: { readonly name: string; readonly uid: string; readonly [key: string]: unknown }
  readonly [key: string]: unknown
}

export interface ApiServer extends AsyncDisposable {
  readonly certificates: Certificates
  /** How to reach it; the token is not looked at unless a test does. */
  readonly access: Access
  readonly asked: readonly Asked[]
  /** What a list of that path gives from now on, and the version that it is of. */
  set(path: string, items: readonly ObjectJson[]): void
  /** To all that watch that path; `object` gets the next version. */
  event(path: string, type: string, object: unknown): void
  /** Ends every watch of that path. */
  endWatches(path: string): void
  watching(path: string): number
  /** Answers the next request of that path (a list, or a watch) in another way; several queue up. */
  next(kind: 'list' | 'watch', path: string, answer: Answer): void
  /** Forgets what was planned and listed, and ends every connection. */
  reset(): Promise<void>
  /** Looked at before anything else: true when it has answered. */
  gate?: ((asked: Asked, response: ServerResponse) => boolean) | undefined
}

/** A server that lists and watches as the Kubernetes API does, over TLS, and misbehaves when told to. */
export async function createApiServer(): Promise<ApiServer> {
  const certificates = await createCertificates()
  const lists = new Map<string, readonly ObjectJson[]>()
  const watches = new Map<string, Set<ServerResponse>>()
  const planned = new Map<string, Answer[]>()
  const asked: Asked[] = []
  let version = 1000

  const server = createServer(
    {
      cert: readFileSync(certificates.server.certFile),
      key: readFileSync(certificates.server.keyFile),
      ca: readFileSync(certificates.caFile),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const url = new URL(request.url!, 'https://server')
      const certificate = (request.socket as import('node:tls').TLSSocket).getPeerCertificate()
      const one: Asked = {
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        ...(certificate.subject ? { client: String(certificate.subject.CN) } : {}),
      }
      asked.push(one)
      const isWatch = one.query.has('watch')
      if (result.gate?.(one, response)) return
      const plan = planned.get(`${isWatch ? 'watch' : 'list'} ${one.path}`)?.shift()
      if (plan) plan(one, response)
      else if (isWatch) watch(one, response)
      else list(one, response)
    },
  )

  function list({ path, query }: Asked, response: ServerResponse): void {
    const items = lists.get(path) ?? []
    const limit = Number(query.get('limit') ?? items.length)
    const from = Number(query.get('continue') ?? 0)
    const more = from + limit < items.length ? { continue: String(from + limit) } : {}
    writeList(response, items.slice(from, from + limit), { resourceVersion: String(version), ...more })
  }

  function watch({ path }: Asked, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    const all = watches.get(path) ?? new Set()
    watches.set(path, all.add(response))
    response.on('close', () => all.delete(response))
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const result: ApiServer = {
    certificates,
    access: { server: `https://127.0.0.1:${port}`, ca: { file: certificates.caFile } },
    asked,
    set(path, items) {
      version++
      lists.set(path, items)
    },
    event(path, type, object) {
      version++
      for (const response of watches.get(path) ?? []) response.write(eventLine(type, object, version))
    },
    endWatches(path) {
      for (const response of watches.get(path) ?? []) response.end()
    },
    watching: (path) => watches.get(path)?.size ?? 0,
    next(kind, path, answer) {
      const key = `${kind} ${path}`
      planned.set(key, [...(planned.get(key) ?? []), answer])
    },
    async reset() {
      result.gate = undefined
      planned.clear()
      lists.clear()
      server.closeAllConnections()
      await eventually('no watch is left', () => [...watches.values()].every(({ size }) => size === 0) || undefined)
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await certificates[Symbol.asyncDispose]()
    },
  }
  return result
}

export function writeList(response: ServerResponse, items: readonly unknown[], metadata: object): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.write(`{"kind":"ThingList","apiVersion":"v1","metadata":${JSON.stringify(metadata)},"items":[`)
  items.forEach((item, index) => {
    response.write((index ? ',' : '') + JSON.stringify(item))
  })
  response.end(']}\n')
}

export function eventLine(type: string, object: unknown, version: number): string {
  const { metadata, ...rest } = object as { metadata?: object }
  const versioned = { ...rest, metadata: { ...metadata, resourceVersion: String(version) } }
  return `${JSON.stringify({ type, object: versioned })}\n`
}

/** An answer that is a Status object, as the API server's refusals are. */
export function refuse(code: number, message: string, headers: Record<string, string> = {}): Answer {
  return (_asked, response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code }))
  }
}
