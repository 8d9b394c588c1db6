import { reasonOf } from '../errors.ts'
import type { Provider, Retrieved } from './providers.ts'
import { withoutPassword } from './value.ts'
import { YAML_LIMITS } from './yaml.ts'

/** Of a certificate that signed a private server's: `https:` URIs trust it besides the system's own (Node.js does). */
const CA_HINT = 'for a certificate of your own set NODE_EXTRA_CA_CERTS to the CA'

/**
 * `http://host/path` or `https://host/path` by one GET, redirects followed; bounded in time by the signal and in size
 * here. Errors begin as the Collector's do. A password in the URI is never repeated.
 */
export function createHttpProvider(scheme: 'http' | 'https', toRetrieved: (text: string) => Retrieved): Provider {
  return async (opaque, { signal }) => {
    const url = parseUrl(`${scheme}:${opaque}`)
    const shown = JSON.stringify(withoutPassword(url.href))
    const { authorization, target } = withCredentials(url)
    const response = await fetch(target, { signal, headers: { ...authorization, accept: '*/*' } }).catch((error) => {
      throw new Error(`unable to download the file via HTTP GET for uri ${shown}: ${describe(error, signal)}`)
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Error(`failed to load resource from uri ${shown}. status code: ${response.status}`)
    }
    const text = await readBounded(response).catch((error) => {
      throw new Error(`fail to read the response body from uri ${shown}: ${describe(error, signal)}`)
    })
    return toRetrieved(text)
  }
}

function parseUrl(uri: string): URL {
  const url = URL.parse(uri)
  if (url === null || !/^https?:\/\/[^/]/.test(uri))
    throw new Error(`invalid uri ${JSON.stringify(withoutPassword(uri))}`)
  return url
}

/** fetch() refuses a URL with credentials: they become the header that they stand for. */
function withCredentials(url: URL): { target: URL; authorization: Record<string, string> } {
  if (url.username === '' && url.password === '') return { target: url, authorization: {} }
  const target = new URL(url)
  target.username = ''
  target.password = ''
  const plain = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return { target, authorization: { authorization: `Basic ${Buffer.from(plain).toString('base64')}` } }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > YAML_LIMITS.maxChars) throw new Error(`larger than ${YAML_LIMITS.maxChars} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function describe(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'no answer within 5 s'
  const cause = (error as { cause?: unknown }).cause
  const reason = cause === undefined ? reasonOf(error) : reasonOf(cause)
  return /certificate|self-signed|issuer/i.test(reason) ? `${reason}; ${CA_HINT}` : reason
}
