import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Settings } from '../../component/types.ts'
import { reasonOf } from '../../errors.ts'
import { createRedactor } from '../sending/redact.ts'
import type { Failed, Send, SendOutcome } from '../sending/retry.ts'
import { createReloading } from '../sending/tls.ts'
import { createAgent, retire } from './agent.ts'
import { createCompress } from './compression.ts'
import type { Config } from './config.ts'
import { type HttpAnswer, outcomeOf } from './outcome.ts'
import { parseTarget, type Target } from './target.ts'

/** As the Collector: what a response has beyond is not read. */
const MAX_RESPONSE_BYTES = 64 * 1024
const CONTENT_TYPE = { proto: 'application/x-protobuf', json: 'application/json' } as const

export interface MetricsClient {
  readonly send: Send
  readonly close: () => void
}

/**
 * Posts requests to one URL, over connections that are kept.
 * @throws {Error} naming the key that cannot be used
 */
export function createMetricsClient(
  config: Config,
  { version, log }: Pick<Settings, 'version' | 'log'>,
): MetricsClient {
  const target = parseTarget(config)
  const isHttps = target.url.protocol === 'https:'
  const compress = createCompress(config.compression, config.compression_params.level)
  const headers = createHeaders(config, target, version)
  const redact = createRedactor(secretsOf(config, target))
  const post = isHttps ? httpsRequest : httpRequest
  const agents = createReloading({
    intervalMs: isHttps ? config.tls.reload_interval : 0,
    load: () => createAgent(config, isHttps),
    onError: (error) => log.warn({ error: reasonOf(error) }, 'Certificate files cannot be used, the old ones stay.'),
  })
  let agent = agents()

  async function send(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<SendOutcome> {
    const body = compress === undefined ? bytes : await compress(bytes)
    let outcome = await attempt(body, signal)
    // The backend closed a kept connection just as it was used again: not its state, so no wait.
    if (outcome === 'stale connection') outcome = await attempt(body, signal)
    if (outcome === 'stale connection') return failed('ECONNRESET', 'the connection was closed')
    return outcome.sent ? outcome : { ...outcome, reason: redact(outcome.reason) }
  }

  function attempt(body: Uint8Array, signal: AbortSignal): Promise<SendOutcome | 'stale connection'> {
    const current = agents()
    if (current !== agent) {
      retire(agent)
      agent = current
    }
    return new Promise((settle) => {
      const timeout = config.timeout === 0 ? undefined : setTimeout(expire, config.timeout)
      const options = { method: 'POST', agent, headers: { ...headers, 'content-length': body.length } }
      let isAnswered = false
      const request: ClientRequest = post(target.url, options, (response) => {
        isAnswered = true
        void read(response).then((answer) => finish(outcomeOf(answer, target.printable)))
      })
      request.on('error', (error) => {
        if (isAnswered) return
        const isStale = request.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(codeOf(error))
        finish(isStale && !signal.aborted ? 'stale connection' : failed(codeOf(error), reasonOf(error)))
      })
      const cancel = () => request.destroy(Object.assign(new Error('stopped'), { code: 'CANCELLED' }))
      function expire(): void {
        const reason = `no response within ${config.timeout / 1000} s (timeout)`
        request.destroy(Object.assign(new Error(reason), { code: 'TIMEOUT' }))
      }
      function finish(outcome: SendOutcome | 'stale connection'): void {
        clearTimeout(timeout)
        signal.removeEventListener('abort', cancel)
        settle(outcome)
      }
      if (signal.aborted) cancel()
      else signal.addEventListener('abort', cancel)
      request.end(body)
    })
  }

  /** No answer at all: the next attempt may find a backend. */
  function failed(code: string, reason: string): Failed {
    const text = `failed to make an HTTP request: ${target.printable}: ${reason}`
    return { sent: false, retryable: true, code, reason: redact(text) }
  }

  return { send, close: () => agent.destroy() }
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.name
}

/** The status alone says what became of the request, also when its body breaks off or does not end in time. */
async function read(response: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      // Leaving the loop ends the response and its connection.
      if (length >= MAX_RESPONSE_BYTES) break
    }
  } catch {}
  const { 'content-type': type = '', 'retry-after': retryAfter, location } = response.headers
  return {
    status: response.statusCode ?? 0,
    contentType: type.split(';')[0]!.trim().toLowerCase(),
    retryAfter,
    location,
    body: Buffer.concat(chunks).subarray(0, MAX_RESPONSE_BYTES),
  }
}

function createHeaders(config: Config, target: Target, version: string): Record<string, string> {
  const encodings =
    config.compression === 'none' || config.compression === '' ? {} : { 'content-encoding': config.compression }
  const headers: Record<string, string> = {
    'user-agent': `netvitals/${version}`,
    ...(target.authorization === undefined ? {} : { authorization: target.authorization }),
    'content-type': CONTENT_TYPE[config.encoding],
    ...encodings,
  }
  for (const [name, value] of Object.entries(config.headers)) {
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    } catch {
      throw new Error(`headers: "${name}" cannot be sent: a name is a token (RFC 9110), a value has no line breaks`)
    }
    headers[name.toLowerCase()] = value
  }
  return headers
}

function secretsOf(config: Config, { authorization }: Target): string[] {
  const { HTTP_PROXY = '', HTTPS_PROXY = '', http_proxy = '', https_proxy = '' } = process.env
  const proxies = [config.proxy_url, HTTP_PROXY, HTTPS_PROXY, http_proxy, https_proxy].flatMap((url) => {
    const password = URL.parse(url)?.password ?? ''
    return [password, decodeURIComponent(password)]
  })
  return [...Object.values(config.headers), ...(authorization === undefined ? [] : [authorization]), ...proxies]
}
