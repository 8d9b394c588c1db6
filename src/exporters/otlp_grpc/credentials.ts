import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates, type SecureContext, type SecureVersion } from 'node:tls'
import type { ChannelCredentials } from '@grpc/grpc-js'
import { reasonOf } from '../../errors.ts'
import type { TlsConfig } from './config.ts'

type Grpc = typeof import('@grpc/grpc-js')

/**
 * Plain text or TLS, as the Collector decides: only `tls.insecure` turns TLS off, and neither when the endpoint says
 * https:// (then it is TLS with the system's CAs, whatever else is set) nor when there is a CA.
 *
 * @throws {Error} naming the key, when a file cannot be read or is not what it should be
 */
export function createCredentials(grpc: Grpc, tls: TlsConfig, isHttps: boolean): ChannelCredentials {
  const hasCa = tls.ca_file !== '' || tls.ca_pem !== ''
  if (!tls.insecure || hasCa) {
    return grpc.credentials.createFromSecureContext(secureContext(tls, hasCa), {
      rejectUnauthorized: !tls.insecure_skip_verify,
    })
  }
  if (!isHttps) return grpc.credentials.createInsecure()
  return grpc.credentials.createFromSecureContext(createSecureContext({ ca: systemCas() }))
}

function secureContext(tls: TlsConfig, hasCa: boolean): SecureContext {
  const given = hasCa ? [pem(tls.ca_pem, tls.ca_file, 'ca_file')] : []
  const cert = pem(tls.cert_pem, tls.cert_file, 'cert_file')
  const key = pem(tls.key_pem, tls.key_file, 'key_file')
  const ca = hasCa && !tls.include_system_ca_certs_pool ? given : [...given, ...systemCas()]
  try {
    return createSecureContext({
      ca,
      ...(cert === '' ? {} : { cert, key }),
      minVersion: secureVersion(tls.min_version),
      ...(tls.max_version === undefined ? {} : { maxVersion: secureVersion(tls.max_version) }),
    })
  } catch (error) {
    throw new Error(
      `tls: the CA, certificate or key is not valid PEM, or key and certificate do not match: ${reasonOf(error)}`,
    )
  }
}

function secureVersion(version: string): SecureVersion {
  return (version === '1.0' ? 'TLSv1' : `TLSv${version}`) as SecureVersion
}

function pem(text: string, file: string, key: string): string {
  if (file === '') return text
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`tls::${key}: ${reasonOf(error)}`)
  }
  if (!content.includes('-----BEGIN ')) throw new Error(`tls::${key}: ${file} is not a PEM file`)
  return content
}

/** The system's CAs as Go finds them; where there are none (a bare container image), those that Node.js brings. */
function systemCas(): string[] {
  const system = getCACertificates('system')
  return system.length > 0 ? system : getCACertificates('bundled')
}
