import type { ChannelCredentials } from '@grpc/grpc-js'
import { createClientTls, hasCa } from '../sending/tls.ts'
import type { TlsConfig } from '../sending/tls-config.ts'

type Grpc = typeof import('@grpc/grpc-js')

/**
 * Plain text or TLS, as the Collector decides: only `tls.insecure` turns TLS off, and neither when the endpoint says
 * https:// (then it is TLS with the system's CAs, whatever else is set) nor when there is a CA.
 *
 * @throws {Error} naming the key, when a file cannot be read or is not what it should be
 */
export function createCredentials(grpc: Grpc, tls: TlsConfig, isHttps: boolean): ChannelCredentials {
  if (tls.insecure && !hasCa(tls) && !isHttps) return grpc.credentials.createInsecure()
  const { context, verify } = createClientTls(tls)
  return grpc.credentials.createFromSecureContext(context, { rejectUnauthorized: verify })
}
