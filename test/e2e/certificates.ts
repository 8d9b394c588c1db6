import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Certificates extends AsyncDisposable {
  /** Of the authority that signed both. */
  readonly caFile: string
  /** Of an authority that signed nothing here. */
  readonly otherCaFile: string
  /** For 127.0.0.1 and localhost. */
  readonly server: KeyPair
  readonly client: KeyPair
}

export interface KeyPair {
  readonly certFile: string
  readonly keyFile: string
}

/** Short-lived certificates in a directory of their own, by openssl. */
export async function createCertificates(): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), 'netvitals-certs-'))
  const path = (name: string) => join(directory, name)
  const pair = (name: string): KeyPair => ({ certFile: path(`${name}.crt`), keyFile: path(`${name}.key`) })

  async function selfSigned(name: string): Promise<KeyPair> {
    const { certFile, keyFile } = pair(name)
    await openssl('req', '-x509', '-subj', `/CN=netvitals test ${name}`, '-keyout', keyFile, '-out', certFile)
    return { certFile, keyFile }
  }

  async function signed(name: string, ca: KeyPair, extensions: string): Promise<KeyPair> {
    const { certFile, keyFile } = pair(name)
    await writeFile(path(`${name}.ext`), extensions)
    await openssl('req', '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', path(`${name}.csr`))
    await run('openssl', [
      ...['x509', '-req', '-days', '2', '-in', path(`${name}.csr`), '-out', certFile],
      ...['-CA', ca.certFile, '-CAkey', ca.keyFile, '-CAcreateserial', '-extfile', path(`${name}.ext`)],
    ])
    return { certFile, keyFile }
  }

  const ca = await selfSigned('ca')
  return {
    caFile: ca.certFile,
    otherCaFile: (await selfSigned('other-ca')).certFile,
    server: await signed('server', ca, 'subjectAltName = IP:127.0.0.1, DNS:localhost\nextendedKeyUsage = serverAuth\n'),
    client: await signed('client', ca, 'extendedKeyUsage = clientAuth\n'),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

async function openssl(command: string, ...args: string[]): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await run('openssl', [command, ...key, '-days', '2', ...args])
}

/** Why there can be none here, if so. */
export async function noCertificates(): Promise<string | undefined> {
  return run('openssl', ['version']).then(
    () => undefined,
    () => 'openssl is not installed, needed to make certificates: apt-get install openssl',
  )
}
