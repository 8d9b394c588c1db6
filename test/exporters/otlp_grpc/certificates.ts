import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A CA of the test's own (ca.pem), a server's certificate for localhost and 127.0.0.1 (server.pem), one for
 * other.example only (other.pem) and a client's (client.pem), each with its key (*.key), in a directory.
 */
export function createCertificates() {
  const directory = mkdtempSync(join(tmpdir(), 'netvitals-tls-'))
  const file = (name: string) => join(directory, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=netvitals test CA')
  const names = {
    server: 'DNS:localhost,IP:127.0.0.1',
    other: 'DNS:other.example',
    client: 'DNS:client.example',
  }
  for (const [name, subjectAltName] of Object.entries(names)) {
    const extensions = ['-addext', `subjectAltName=${subjectAltName}`, '-addext', 'basicConstraints=CA:FALSE']
    const output = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`]
    openssl('req', '-x509', ...newKey, '-CA', 'ca.pem', '-CAkey', 'ca.key', ...output, ...extensions)
  }
  return { file, remove: () => rmSync(directory, { recursive: true }) }
}

export type Certificates = ReturnType<typeof createCertificates>
