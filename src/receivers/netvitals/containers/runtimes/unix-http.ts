import { request } from 'node:http'

/** A container's description is some ten kilobytes; this bounds what a broken daemon may send. */
const BODY_BYTES_MAX = 4 * 1024 * 1024

export interface GetOptions {
  readonly timeoutMs: number
  /** Ends it before. */
  readonly signal: AbortSignal
}

/**
 * GET of JSON over a unix socket. Undefined: 404.
 * @throws Error naming socket and path: no connection, no answer within `timeoutMs`, another status, no JSON, too long, aborted
 */
export function getJson(socketPath: string, path: string, { timeoutMs, signal }: GetOptions): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      outgoing.destroy()
      clearTimeout(timer)
      reject(new Error(`${socketPath}: GET ${path}: ${reason}`))
    }
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs)
    const headers = { host: 'localhost', connection: 'close' }
    const outgoing = request({ socketPath, path, headers, signal }, (incoming) => {
      const chunks: Buffer[] = []
      let bytes = 0
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > BODY_BYTES_MAX) fail(`more than ${BODY_BYTES_MAX} bytes`)
        else chunks.push(chunk)
      })
      incoming.on('error', (error) => fail(error.message))
      incoming.on('end', () => {
        if (!incoming.complete) return fail('the answer ended early')
        clearTimeout(timer)
        if (incoming.statusCode === 404) return resolve(undefined)
        if (incoming.statusCode !== 200) return fail(`status ${incoming.statusCode}`)
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')))
        } catch {
          fail('the answer is no JSON')
        }
      })
    })
    outgoing.on('error', (error) => fail(error.message))
    outgoing.end()
  })
}
