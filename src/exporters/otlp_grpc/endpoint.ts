/** Where to connect, made of the Collector's `endpoint`. */
export interface Endpoint {
  /** A gRPC target. @see https://github.com/grpc/grpc/blob/master/doc/naming.md */
  readonly target: string
  /** `https://` was written: TLS even where `tls.insecure` is set. */
  readonly isHttps: boolean
}

export interface EndpointProblem {
  /** In the Collector's words where it has them. */
  readonly problem: string
  readonly remedy: string
}

/** Empty also when there is only a scheme. */
export function isEmptyEndpoint(endpoint: string): boolean {
  return stripHttp(endpoint) === ''
}

function stripHttp(endpoint: string): string {
  return endpoint.replace(/^https?:\/\//, '')
}

/** What the endpoint lacks; undefined when it is usable. */
export function checkEndpoint(endpoint: string): EndpointProblem | undefined {
  if (endpoint.startsWith('unix:')) {
    if (/^unix:(\/\/)?$/.test(endpoint)) {
      return { problem: 'unix socket path cannot be empty', remedy: 'endpoint: write unix:///path/of/the.sock' }
    }
    return undefined
  }
  if (endpoint.startsWith('xds:')) return undefined
  const address = addressOf(endpoint)
  const say = (problem: string, remedy: string) => ({ problem, remedy: `endpoint: ${remedy}` })
  const [, host, port] = /^(\[[^\]]*\]|[^:[\]/]*)(?::([^:/]*))?$/.exec(address) ?? []
  if (host === undefined) {
    if (address.includes('/')) {
      const [hostPort] = address.split('/')
      return say(`a gRPC endpoint has no path, found "${endpoint}"`, `write ${hostPort}`)
    }
    return say(`address ${address}: too many colons in address`, 'write an IPv6 address in brackets: [::1]:4317')
  }
  if (port === undefined) {
    return say(`address ${address}: missing port in address`, `write ${endpoint}:4317`)
  }
  if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    return say(`invalid port "${port}"`, `write ${host}:4317`)
  }
  if (host === '' || host === '[]') return say(`address ${address}: missing host in address`, `write localhost:${port}`)
  return undefined
}

/** host:port behind any of the schemes. */
function addressOf(endpoint: string): string {
  return stripHttp(endpoint).replace(/^(dns|passthrough):(\/\/[^/]*\/)?/, '')
}

/** @throws {Error} for xds: its resolver is not part of this program */
export function parseEndpoint(endpoint: string): Endpoint {
  if (endpoint.startsWith('xds:')) {
    throw new Error(`endpoint "${endpoint}": xds is not supported here; write the backend's own host:port`)
  }
  const isHttps = endpoint.startsWith('https://')
  const target = /^(unix|dns):/.test(endpoint) ? endpoint : `dns:///${addressOf(endpoint)}`
  return { target, isHttps }
}
