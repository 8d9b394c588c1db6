import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates, type SecureContext, type SecureVersion } from 'node:tls'
import { reasonOf } from '../../errors.ts'
import type { TlsConfig } from './tls-config.ts'

export interface ClientTls {
  readonly context: SecureContext
  /** Verify the server's certificate. */
  readonly verify: boolean
}

export function hasCa(tls: TlsConfig): boolean {
  return tls.ca_file !== '' || tls.ca_pem !== ''
}

/**
 * What a TLS connection is made with. As in the Collector, `insecure` without a CA leaves nothing of the other keys:
 * the connection then is TLS (https:// says so) with the system's CAs.
 *
 * @throws {Error} naming the key, when a file cannot be read or is not what it should be
 */
export function createClientTls(tls: TlsConfig): ClientTls {
  if (tls.insecure && !hasCa(tls)) return { context: createSecureContext({ ca: systemCas() }), verify: true }
  const given = hasCa(tls) ? [pem(tls.ca_pem, tls.ca_file, 'ca_file')] : []
  const cert = pem(tls.cert_pem, tls.cert_file, 'cert_file')
  const key = pem(tls.key_pem, tls.key_file, 'key_file')
  const ca = hasCa(tls) && !tls.include_system_ca_certs_pool ? given : [...given, ...systemCas()]
  try {
    const context = createSecureContext({
      ca,
      ...(cert === '' ? {} : { cert, key }),
      minVersion: secureVersion(tls.min_version || '1.2'),
      ...(tls.max_version ? { maxVersion: secureVersion(tls.max_version) } : {}),
    })
    return { context, verify: !tls.insecure_skip_verify }
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

export interface ReloadOptions<T> {
  /** Milliseconds; 0 means never again. */
  readonly intervalMs: number
  readonly load: () => T
  /** Files that cannot be used just now (half written, say): what was loaded before stays. */
  readonly onError: (error: Error) => void
  readonly now?: () => number
}

/**
 * What was made of certificate files, made anew when it is asked for and old enough.
 * @throws {Error} what `load` throws the first time
 */
export function createReloading<T>({ intervalMs, load, onError, now = () => performance.now() }: ReloadOptions<T>) {
  let current = load()
  let loadedAt = now()
  return function get(): T {
    if (intervalMs === 0 || now() - loadedAt < intervalMs) return current
    loadedAt = now()
    try {
      current = load()
    } catch (error) {
      onError(error as Error)
    }
    return current
  }
}
