import type { Config } from './config.ts'

/** Where requests go. */
export interface Target {
  readonly url: URL
  /** Of the URL's user and password, which are not in `url`. */
  readonly authorization: string | undefined
  /** The URL to print: no query, which may hold a key. */
  readonly printable: string
}

const REMEDY = 'write http://host:4318, or https:// with TLS'

/**
 * `metrics_endpoint` as it is, else `endpoint` with /v1/metrics behind its path.
 * @throws {Error} naming the key, when it is not an http URL
 */
export function parseTarget({ endpoint, metrics_endpoint }: Pick<Config, 'endpoint' | 'metrics_endpoint'>): Target {
  const key = metrics_endpoint === '' ? 'endpoint' : 'metrics_endpoint'
  const text = metrics_endpoint === '' ? endpoint : metrics_endpoint
  if (text === '') throw new Error(`endpoint: nothing says where metrics go; ${REMEDY}`)
  if (!/^https?:\/\//i.test(text)) {
    const found = text.includes('@') ? '' : `, found "${text}"`
    throw new Error(`${key}: needs a scheme${found}; ${REMEDY}`)
  }
  let url: URL
  try {
    url = new URL(key === 'endpoint' ? joinMetricsPath(text) : text)
  } catch {
    throw new Error(`${key}: is not a valid URL; ${REMEDY}`)
  }
  const { username, password } = url
  url.username = ''
  url.password = ''
  url.hash = ''
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return {
    url,
    authorization:
      username === '' && password === '' ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`,
    printable: url.origin + url.pathname,
  }
}

/** As the Collector joins them: the text alone, one slash between the two. */
export function joinMetricsPath(endpoint: string): string {
  return `${endpoint.replace(/\/$/, '')}/v1/metrics`
}
