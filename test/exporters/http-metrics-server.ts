import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'

export interface ReceivedPost {
  readonly path: string
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** Decompressed. */
  readonly bytes: Buffer
  /** As it came. */
  readonly length: number
}

export interface HttpReply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** 'hang' never answers; 'reset' breaks the connection off. A function does what it wants. */
export type Reply = HttpReply | 'hang' | 'reset' | ((response: ServerResponse) => void)

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: gunzipSync,
  zlib: inflateSync,
  deflate: inflateSync,
  zstd: zstdDecompressSync,
}

/** An OTLP/HTTP backend on a real socket of the loopback interface; `reply` decides every answer. */
export async function startHttpServer(
  options: { port?: number; tls?: ServerOptions; reply?: (index: number) => Reply } = {},
) {
  const { port = 0, tls, reply } = options
  const requests: ReceivedPost[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = tls === undefined ? createServer() : createSecureServer(tls)
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const decode = DECODERS[request.headers['content-encoding'] ?? ''] ?? ((bytes: Buffer) => bytes)
    const { method = '', url: path = '', headers } = request
    const answer = reply?.(requests.length) ?? {}
    requests.push({ path, method, headers, bytes: decode(body), length: body.length })
    if (answer === 'hang') return
    if (answer === 'reset') request.socket.resetAndDestroy()
    else if (typeof answer === 'function') answer(response)
    else response.writeHead(answer.status ?? 200, answer.headers).end(answer.body)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port
  const scheme = tls === undefined ? 'http' : 'https'

  return {
    port: bound,
    endpoint: `${scheme}://127.0.0.1:${bound}`,
    requests,
    connections: () => connections,
    sockets,
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

export type HttpServer = Awaited<ReturnType<typeof startHttpServer>>
