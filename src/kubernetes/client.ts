import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { type Access, readSource, type Source } from './access.ts'
import { numberOf, objectOf, textOf } from './json.ts'

export interface ClientOptions {
  readonly access: Access
  readonly userAgent?: string
  /** Longest time until the answer's first byte. */
  readonly answerTimeoutMs?: number
  /** Files with tokens and certificates are read again when what is known of them is as old as this. */
  readonly rereadMs?: number
}

/** An answer other than 200. */
export interface ApiError extends Error {
  readonly status: number
  /** The server asks not to be asked again sooner. */
  readonly retryAfterMs?: number
}

export interface Client {
  /**
   * @param path from the server's root, with its query
   * @param signal ends the request, and the body's stream with it
   * @returns the body of a 200
   * @throws {ApiError} for any other answer; {Error} when there was none
   */
  get(path: string, signal: AbortSignal, accept?: string): Promise<IncomingMessage>
  /** Closes the connections that nobody uses. */
  close(): void
}

/** A server's own limit on what it says of an error is lower. */
const MAX_ERROR_BYTES = 64 * 1024
/** The kernel asks an idle connection's other end whether it is there: a watch may be silent for minutes. */
const KEEP_ALIVE_MS = 30_000

export function isApiError(error: unknown): error is ApiError {
  return error instanceof Error && typeof (error as Partial<ApiError>).status === 'number'
}

export function apiError(status: number, message: string, retryAfterMs?: number): ApiError {
  return Object.assign(new Error(message), { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
}

/**
 * GET over node:https, with credentials that the cluster may renew at any time. The official client costs 70 MB and its
 * informer ignores field selectors on watch.
 */
export function createClient(options: ClientOptions): Client {
  const { access, userAgent = 'netvitals', answerTimeoutMs = 30_000, rereadMs = 60_000 } = options
  const base = new URL(access.server)
  const credentials = createCredentials(access, rereadMs)

  async function get(path: string, signal: AbortSignal, accept = 'application/json'): Promise<IncomingMessage> {
    const { agent, token } = credentials.current()
    const response = await send(path, signal, agent, {
      accept,
      'user-agent': userAgent,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    })
    if (response.statusCode === 200) return response
    // A token may have been renewed a moment ago.
    if (response.statusCode === 401) credentials.expire()
    throw await explain(response)
  }

  function send(path: string, signal: AbortSignal, agent: Agent, headers: Record<string, string>) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({
        hostname: base.hostname.replace(/^\[|\]$/g, ''),
        port: base.port || 443,
        path: base.pathname.replace(/\/$/, '') + path,
        agent,
        headers: { ...headers, host: base.host },
        signal,
      })
      const timer = setTimeout(
        () => sent.destroy(new Error(`${base.host} did not answer within ${answerTimeoutMs} ms`)),
        answerTimeoutMs,
      )
      sent.once('response', (response) => {
        clearTimeout(timer)
        resolve(response)
      })
      // Stays: an error may come after the answer's first byte too.
      sent.on('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
      sent.end()
    })
  }

  return { get, close: credentials.close }
}

function createCredentials(access: Access, rereadMs: number) {
  let readAt = Number.NEGATIVE_INFINITY
  let token: string | undefined
  let identity = ''
  let agent: Agent | undefined

  /** A file that is gone for a moment, while it is replaced, leaves what is known of it. */
  function readAgain(): void {
    const text = (source: Source | undefined) => (source === undefined ? undefined : readSource(source))
    const known = agent !== undefined
    try {
      token = text(access.token)?.trim()
      const tls = { ca: text(access.ca), cert: text(access.certificate), key: text(access.key) }
      const found = JSON.stringify(tls)
      if (agent === undefined || found !== identity) {
        // Watches under way keep the old one's connections until they end.
        agent = createAgent(access, tls)
        identity = found
      }
    } catch (error) {
      if (!known) throw error
    }
  }

  return {
    /** @throws NETVITALS_KUBERNETES_ACCESS when a file can't be read and never could */
    current(): { agent: Agent; token: string | undefined } {
      if (performance.now() - readAt >= rereadMs) {
        readAgain()
        readAt = performance.now()
      }
      return { agent: agent!, token }
    },
    expire(): void {
      readAt = Number.NEGATIVE_INFINITY
    },
    close: () => agent?.destroy(),
  }
}

function createAgent(access: Access, tls: Readonly<Record<'ca' | 'cert' | 'key', string | undefined>>): Agent {
  const given = Object.entries(tls).filter(([, text]) => text !== undefined)
  return new Agent({
    ...Object.fromEntries(given),
    keepAlive: true,
    keepAliveMsecs: KEEP_ALIVE_MS,
    // A watch holds its connection: none may wait for another.
    maxSockets: Number.POSITIVE_INFINITY,
    maxFreeSockets: 1,
    ...(access.serverName === undefined ? {} : { servername: access.serverName }),
    ...(access.insecure ? { rejectUnauthorized: false } : {}),
  })
}

/** The server says why in a Status object; what stands before it (a load balancer) in anything. */
async function explain(response: IncomingMessage): Promise<ApiError> {
  const status = response.statusCode ?? 0
  let text = ''
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk
      if (text.length > MAX_ERROR_BYTES) break
    }
  } catch {}
  response.destroy()
  return apiError(
    status,
    `${status} ${statusMessage(text) ?? response.statusMessage ?? ''}`.trim(),
    retryAfter(response),
  )
}

function statusMessage(text: string): string | undefined {
  try {
    return textOf(objectOf(JSON.parse(text)).message)
  } catch {
    return undefined
  }
}

/** Retry-After, in seconds or as a date (RFC 9110 section 10.2.3). */
function retryAfter({ headers }: IncomingMessage): number | undefined {
  const value = headers['retry-after']
  if (value === undefined) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return numberOf(ms) === undefined ? undefined : Math.max(0, ms)
}
