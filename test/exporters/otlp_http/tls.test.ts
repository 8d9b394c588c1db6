import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { factory } from '../../../src/exporters/otlp_http/index.ts'
import { createReloading } from '../../../src/exporters/sending/tls.ts'
import { createHarness, exportBatch, makeBatch } from '../harness.ts'
import { type HttpServer, startHttpServer } from '../http-metrics-server.ts'
import { type Certificates, createCertificates } from '../otlp_grpc/certificates.ts'

let certificates: Certificates
const servers: Partial<Record<'tls' | 'other' | 'mutual', HttpServer>> = {}

before(async () => {
  certificates = createCertificates()
  servers.tls = await startHttpServer({ tls: keyPair('server') })
  servers.other = await startHttpServer({ tls: keyPair('other') })
  servers.mutual = await startHttpServer({
    tls: { ...keyPair('server'), ca: read('ca.pem'), requestCert: true, rejectUnauthorized: true },
  })
})

after(() => {
  for (const server of Object.values(servers)) server.stop()
  certificates.remove()
})

function read(name: string): Buffer {
  return readFileSync(certificates.file(name))
}

function keyPair(name: string) {
  return { key: read(`${name}.key`), cert: read(`${name}.pem`) }
}

async function start(config: object) {
  const { settings, host, lines } = createHarness('otlp_http')
  const retry_on_failure = { enabled: false }
  const sending_queue = { wait_for_result: true }
  const exporter = factory.create(settings, factory.config.parse({ retry_on_failure, sending_queue, ...config }))
  await exporter.start(host)
  const send = async () => (await exportBatch(exporter, makeBatch('a'))).error?.message
  return { exporter, send, lines }
}

/** Sends one batch; the reason when it fails. */
async function attempt(endpoint: string, tls: object): Promise<string | undefined> {
  const { exporter, send } = await start({ endpoint, tls })
  try {
    return await send()
  } finally {
    await exporter.stop()
  }
}

describe('TLS', () => {
  test('a CA, as a file or as text, is what the server is checked against', async () => {
    const { endpoint } = servers.tls!
    const ca_file = certificates.file('ca.pem')
    for (const tls of [{ ca_file }, { ca_pem: read('ca.pem').toString() }, { ca_file, insecure: true }]) {
      assert.equal(await attempt(endpoint, tls), undefined)
    }
    for (const tls of [{}, { insecure: true }, { ca_file: certificates.file('client.pem') }]) {
      assert.match((await attempt(endpoint, tls)) ?? 'sent', /failed to make an HTTP request: .*certificate/)
    }
  })

  test('insecure_skip_verify takes any certificate', async () => {
    assert.equal(await attempt(servers.tls!.endpoint, { insecure_skip_verify: true }), undefined)
  })

  test('the name in the certificate must be the endpoint’s, or the one that is set', async () => {
    const { endpoint } = servers.other!
    const ca_file = certificates.file('ca.pem')
    assert.match((await attempt(endpoint, { ca_file })) ?? 'sent', /altnames/)
    assert.equal(await attempt(endpoint, { ca_file, server_name_override: 'other.example' }), undefined)
    assert.match((await attempt(endpoint, { ca_file, server_name_override: 'third.example' })) ?? 'sent', /altnames/)
  })

  test('a server that asks for a client certificate gets it', async () => {
    const { endpoint } = servers.mutual!
    const ca_file = certificates.file('ca.pem')
    const [cert_file, key_file] = [certificates.file('client.pem'), certificates.file('client.key')]
    assert.equal(await attempt(endpoint, { ca_file, cert_file, key_file }), undefined)
    assert.match((await attempt(endpoint, { ca_file })) ?? 'sent', /failed to make an HTTP request/)
  })

  test('with reload_interval a new CA counts on the next connection, and a broken file changes nothing', async () => {
    const ca_file = certificates.file('reloaded.pem')
    copyFileSync(certificates.file('client.pem'), ca_file)
    const { exporter, send, lines } = await start({
      endpoint: servers.tls!.endpoint,
      tls: { ca_file, reload_interval: '1ms' },
    })
    assert.match((await send()) ?? 'sent', /certificate/)
    copyFileSync(certificates.file('ca.pem'), ca_file)
    await sleep(5)
    assert.equal(await send(), undefined)
    copyFileSync('/etc/hostname', ca_file)
    await sleep(5)
    assert.equal(await send(), undefined)
    assert.ok(lines.some(({ error }) => /reloaded\.pem is not a PEM file/.test(String(error))))
    await exporter.stop()
  })
})

test('what reloads is loaded when it is old enough, and not before', () => {
  let time = 0
  let loads = 0
  const get = createReloading({ intervalMs: 10, load: () => ++loads, onError: assert.fail, now: () => time })
  const at = (ms: number) => {
    time = ms
    return get()
  }
  assert.deepEqual([0, 9, 10, 19, 20].map(at), [1, 1, 2, 2, 3])
  const never = createReloading({ intervalMs: 0, load: () => ++loads, onError: assert.fail, now: () => 1e9 })
  assert.equal(never(), never())
})
