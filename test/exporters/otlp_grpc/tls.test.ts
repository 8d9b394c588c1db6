import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { ServerCredentials } from '@grpc/grpc-js'
import { factory } from '../../../src/exporters/otlp_grpc/index.ts'
import { createHarness, exportBatch, makeBatch } from '../harness.ts'
import { type MetricsServer, startMetricsServer } from '../metrics-server.ts'
import { type Certificates, createCertificates } from './certificates.ts'

let certificates: Certificates
const servers: Partial<Record<'plain' | 'tls' | 'other' | 'mutual', MetricsServer>> = {}

before(async () => {
  certificates = createCertificates()
  servers.plain = await startMetricsServer()
  servers.tls = await startMetricsServer({ credentials: serverCredentials('server') })
  servers.other = await startMetricsServer({ credentials: serverCredentials('other') })
  servers.mutual = await startMetricsServer({ credentials: serverCredentials('server', true) })
})

after(() => {
  for (const server of Object.values(servers)) server.stop()
  certificates.remove()
})

function serverCredentials(name: string, checkClient = false): ServerCredentials {
  const read = (file: string) => readFileSync(certificates.file(file))
  const keys = [{ private_key: read(`${name}.key`), cert_chain: read(`${name}.pem`) }]
  return ServerCredentials.createSsl(checkClient ? read('ca.pem') : null, keys, checkClient)
}

/** Sends one batch; the reason when it fails. */
async function attempt(config: object): Promise<string | undefined> {
  const { settings, host } = createHarness()
  const retry_on_failure = { enabled: false }
  const sending_queue = { wait_for_result: true }
  const exporter = factory.create(settings, factory.config.parse({ retry_on_failure, sending_queue, ...config }))
  try {
    await exporter.start(host)
    const { error } = await exportBatch(exporter, makeBatch('a'))
    return error?.message
  } finally {
    await exporter.stop()
  }
}

describe('TLS', () => {
  test('insecure means plain text', async () => {
    assert.equal(await attempt({ endpoint: servers.plain!.endpoint, tls: { insecure: true } }), undefined)
    assert.equal(await attempt({ endpoint: `http://${servers.plain!.endpoint}`, tls: { insecure: true } }), undefined)
  })

  test('without insecure it is TLS, also with http:// in front', async () => {
    for (const scheme of ['', 'http://', 'https://']) {
      assert.match((await attempt({ endpoint: scheme + servers.plain!.endpoint })) ?? 'sent', /UNAVAILABLE/, scheme)
    }
  })

  test('https:// is TLS even where insecure is set', async () => {
    const config = { endpoint: `https://${servers.plain!.endpoint}`, tls: { insecure: true } }
    assert.match((await attempt(config)) ?? 'sent', /UNAVAILABLE/)
  })

  test('a CA, as a file or as text, is what the server is checked against; it overrides insecure', async () => {
    const { endpoint } = servers.tls!
    const ca_file = certificates.file('ca.pem')
    assert.equal(await attempt({ endpoint, tls: { ca_file } }), undefined)
    assert.equal(await attempt({ endpoint, tls: { ca_pem: readFileSync(ca_file, 'utf8') } }), undefined)
    assert.equal(await attempt({ endpoint, tls: { ca_file, insecure: true } }), undefined)
    assert.equal(await attempt({ endpoint, tls: { ca_file, include_system_ca_certs_pool: true } }), undefined)
    assert.match((await attempt({ endpoint })) ?? 'sent', /UNAVAILABLE: .*certificate/)
    assert.match(
      (await attempt({ endpoint, tls: { ca_file: certificates.file('client.pem') } })) ?? 'sent',
      /UNAVAILABLE/,
    )
  })

  test('insecure_skip_verify takes any certificate', async () => {
    assert.equal(await attempt({ endpoint: servers.tls!.endpoint, tls: { insecure_skip_verify: true } }), undefined)
  })

  test('the name in the certificate must be the endpoint’s, or the one that is set', async () => {
    const { endpoint } = servers.other!
    const ca_file = certificates.file('ca.pem')
    assert.match((await attempt({ endpoint, tls: { ca_file } })) ?? 'sent', /UNAVAILABLE: .*altnames/)
    assert.equal(await attempt({ endpoint, tls: { ca_file, server_name_override: 'other.example' } }), undefined)
    assert.equal(await attempt({ endpoint, authority: 'other.example:443', tls: { ca_file } }), undefined)
  })

  test('a server that asks for a client certificate gets it', async () => {
    const { endpoint } = servers.mutual!
    const ca_file = certificates.file('ca.pem')
    const [cert_file, key_file] = [certificates.file('client.pem'), certificates.file('client.key')]
    assert.equal(await attempt({ endpoint, tls: { ca_file, cert_file, key_file } }), undefined)
    assert.match((await attempt({ endpoint, tls: { ca_file } })) ?? 'sent', /UNAVAILABLE/)
  })

  test('min_version is kept', async () => {
    const { endpoint } = servers.tls!
    const ca_file = certificates.file('ca.pem')
    assert.equal(await attempt({ endpoint, tls: { ca_file, min_version: '1.3' } }), undefined)
    assert.equal(await attempt({ endpoint, tls: { ca_file, max_version: '1.2' } }), undefined)
  })

  test('without a CA the system’s are trusted', async () => {
    const config = { endpoint: `https://${servers.tls!.endpoint}`, tls: { insecure: true } }
    const script = `
      const { factory } = await import('./src/exporters/otlp_grpc/index.ts')
      const { createHarness, exportBatch, makeBatch } = await import('./test/exporters/harness.ts')
      const { settings, host } = createHarness()
      const config = { ...${JSON.stringify(config)}, retry_on_failure: { enabled: false }, sending_queue: { enabled: false } }
      const exporter = factory.create(settings, factory.config.parse(config))
      await exporter.start(host)
      console.log(JSON.stringify(await exportBatch(exporter, makeBatch('a'))))
      await exporter.stop()`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      env: { ...process.env, SSL_CERT_FILE: certificates.file('ca.pem'), SSL_CERT_DIR: '/nonexistent' },
      timeout: 30_000,
    })
    assert.equal(stdout.trim(), '{"code":0}')
  })

  test('a file that is missing or not what it should be stops the start, named by its key', async () => {
    const endpoint = 'localhost:1'
    await assert.rejects(
      attempt({ endpoint, tls: { ca_file: '/nonexistent' } }),
      /^Error: tls::ca_file: ENOENT.*\/nonexistent/,
    )
    await assert.rejects(
      attempt({ endpoint, tls: { ca_file: '/etc/hostname' } }),
      /tls::ca_file: \/etc\/hostname is not a PEM file/,
    )
    const [cert_file, key_file] = [certificates.file('client.pem'), certificates.file('server.key')]
    await assert.rejects(attempt({ endpoint, tls: { cert_file, key_file } }), /key and certificate do not match/)
  })
})
