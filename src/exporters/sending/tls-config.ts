import type { z } from 'zod'
import { boolean, duration, object, secret, string } from '../../config/fields.ts'

const VERSIONS = ['1.0', '1.1', '1.2', '1.3']

/** A TLS version. What is none is refused by `checkTls`, where the Collector does it, and not as a wrong form. */
function tlsVersion() {
  return string().meta({ field: { kind: 'enum', values: VERSIONS } })
}

/** The Collector's `tls` of a client; `insecureMeans` says what that key does for the protocol. */
export function tlsFields(insecureMeans: string) {
  return object({
    insecure: boolean().prefault(false).describe(insecureMeans),
    insecure_skip_verify: boolean().prefault(false).describe("Do not verify the server's certificate."),
    ca_file: string().prefault('').describe("File with the CA that signed the server's certificate, PEM."),
    ca_pem: secret().prefault('').describe("The CA that signed the server's certificate itself, PEM."),
    include_system_ca_certs_pool: boolean().prefault(false).describe("Trust the system's CAs besides the one given."),
    cert_file: string().prefault('').describe('File with the certificate that the client shows, PEM.'),
    cert_pem: secret().prefault('').describe('The certificate that the client shows itself, PEM.'),
    key_file: string().prefault('').describe("File with that certificate's key, PEM."),
    key_pem: secret().prefault('').describe("That certificate's key itself, PEM."),
    server_name_override: string().prefault('').describe("The name to look for in the server's certificate."),
    min_version: tlsVersion().prefault('1.2').describe('Oldest TLS version to accept: 1.0 to 1.3.'),
    max_version: tlsVersion().optional().describe('Newest TLS version to accept; by default the newest known.'),
    reload_interval: duration({ min: 0 })
      .prefault('0s')
      .describe('Read the files again, for new connections, when they were read so long ago; 0 means never.'),
  })
}

export type TlsConfig = z.output<ReturnType<typeof tlsFields>>

/** What is wrong with it, in the Collector's words; undefined when nothing is. */
export function checkTls(tls: TlsConfig): string | undefined {
  if (tls.ca_file !== '' && tls.ca_pem !== '') {
    return 'provide either a CA file or the PEM-encoded string, but not both'
  }
  if (tls.cert_file !== '' && tls.cert_pem !== '') return 'provide either certificate file or PEM, but not both'
  if (tls.key_file !== '' && tls.key_pem !== '') return 'provide either key file or PEM, but not both'
  if (((tls.cert_file || tls.cert_pem) === '') !== ((tls.key_file || tls.key_pem) === '')) {
    return 'TLS configuration must include both certificate and key (CertFile/CertPem and KeyFile/KeyPem)'
  }
  for (const key of ['min_version', 'max_version'] as const) {
    const version = tls[key]
    if (version !== undefined && version !== '' && !VERSIONS.includes(version)) {
      return `invalid TLS ${key}: unsupported TLS version: "${version}"`
    }
  }
  if (tls.max_version && tls.min_version > tls.max_version) {
    return 'invalid TLS configuration: min_version cannot be greater than max_version'
  }
  return undefined
}
