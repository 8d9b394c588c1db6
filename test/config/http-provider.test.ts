import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { resolve } from '../../src/config/resolver.ts'
import { typedDeep } from '../../src/config/value.ts'
import { YAML_LIMITS } from '../../src/config/yaml.ts'
import { ConfigError } from '../../src/errors.ts'
import { createCertificates } from '../exporters/otlp_grpc/certificates.ts'
import { cli } from '../support/cli.ts'

const PAGES: Readonly<Record<string, RequestListener>> = {
  '/config': (_, response) => response.end('a: {b: 1}'),
  '/token': (_, response) => response.end('0123\n'),
  '/moved': (_, response) => response.writeHead(302, { location: '/config' }).end(),
  '/nothing': (_, response) => response.writeHead(404).end('s3cret page'),
  '/large': (_, response) => {
    const block = Buffer.alloc(2 ** 20, '#')
    const send = (): void => {
      while (!response.destroyed && response.write(block));
    }
    response.on('drain', send)
    send()
  },
  '/silent': () => {},
  '/half': (_, response) => response.write('a: '),
  '/login': ({ headers }, response) =>
    response.writeHead(headers.authorization === `Basic ${btoa('me:s3cret x')}` ? 200 : 401).end('a: 5'),
}

async function messageOf(...uris: string[]): Promise<string> {
  const error = await resolve({ uris }).then(
    (tree) => assert.fail(`taken: ${JSON.stringify(typedDeep(tree))}`),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof ConfigError, String(error))
  return error.message
}

describe('a configuration from http:', { concurrency: true }, () => {
  let server: Server
  let base = ''
  before(async () => {
    server = createServer((request, response) => PAGES[request.url!]!(request, response))
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  it('is read like a file, redirects followed', async () => {
    assert.deepEqual(await resolve({ uris: [`${base}/config`] }), { a: { b: 1 } })
    assert.deepEqual(await resolve({ uris: [`${base}/moved`] }), { a: { b: 1 } })
  })

  it('may be one value', async () => {
    assert.deepEqual(typedDeep(await resolve({ uris: [`yaml:v: \${${base}/token}`] })), { v: 83 })
    assert.deepEqual(typedDeep(await resolve({ uris: [`yaml:v: "x\${${base}/token}"`] })), { v: 'x0123\n' })
  })

  it('sends what stands before the @ as credentials', async () => {
    const uri = base.replace('//', '//me:s3cret%20x@')
    assert.deepEqual(await resolve({ uris: [`${uri}/login`] }), { a: 5 })
  })

  it('names the URI when there is no such page, not its text', async () => {
    const message = await messageOf(`${base}/nothing`)
    assert.equal(
      message,
      `failed to get config: cannot resolve the configuration: cannot retrieve the configuration: failed to load resource from uri "${base}/nothing". status code: 404`,
    )
  })

  it('never repeats a password', async () => {
    const message = await messageOf(`${base.replace('//', '//me:s3cret@')}/nothing`)
    assert.match(message, /me:\[REDACTED\]@/)
    const late = await messageOf(`${base.replace('//', '//me:s3cret@')}/silent`)
    assert.ok(late.includes('REDACTED') && !late.includes('s3cret'), late)
    assert.ok(!message.includes('s3cret'))
  })

  it('names the URI when nobody answers', async () => {
    const closed = createServer()
    await new Promise<void>((done) => closed.listen(0, '127.0.0.1', done))
    const { port } = closed.address() as AddressInfo
    await new Promise((done) => closed.close(done))
    const message = await messageOf(`http://127.0.0.1:${port}/x`)
    assert.match(
      message,
      /unable to download the file via HTTP GET for uri "http:\/\/127.0.0.1:\d+\/x": .*ECONNREFUSED/,
    )
  })

  it('ends when it is too large, with the URI and the key that asked', async () => {
    const message = await messageOf(`yaml:exporters::otlp_grpc::endpoint: \${${base}/large}`)
    assert.match(message, new RegExp(`fail to read .* "${base}/large": larger than ${YAML_LIMITS.maxChars} bytes`))
    assert.match(message, /\n {4}at exporters::otlp_grpc::endpoint$/)
  })

  for (const page of ['silent', 'half']) {
    it(`ends after 5 s when it is ${page}, with the URI and the key that asked`, async () => {
      const begin = performance.now()
      const message = await messageOf(`yaml:a: {b: "\${${base}/${page}}"}`)
      assert.ok(performance.now() - begin >= 4900)
      assert.match(message, new RegExp(`${base}/${page}.*(?:no answer within 5 s)`))
      assert.match(message, /\n {4}at a::b$/)
    })
  }

  for (const uri of ['http:x', 'http://', 'https:///x', 'http://a b/']) {
    it(`refuses ${uri}, which is no URL`, async () => assert.match(await messageOf(uri), /invalid uri "/))
  }
})

const VALID = `receivers: {netvitals: }
exporters: {debug: }
service: {pipelines: {metrics: {receivers: [netvitals], exporters: [debug]}}}`

describe('a configuration from https:', () => {
  const certificates = createCertificates()
  after(() => certificates.remove())

  async function served<T>(ask: (base: string) => Promise<T>): Promise<T> {
    const [cert, key] = ['server.pem', 'server.key'].map((name) => readFileSync(certificates.file(name)))
    const server = createSecureServer({ cert, key }, (_, response) => response.end(VALID))
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    try {
      return await ask(`https://localhost:${(server.address() as AddressInfo).port}`)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  it('is refused when nobody trusts its certificate, with what helps', async () => {
    const message = await served((base) => messageOf(`${base}/config`))
    assert.match(message, /unable to download .* certificate.*; .*NODE_EXTRA_CA_CERTS/)
  })

  it('is read when the certificate is trusted', async () => {
    const env = { NODE_EXTRA_CA_CERTS: certificates.file('ca.pem') }
    const { code, stderr } = await served((base) => cli(['validate', `--config=${base}/config`], { env }))
    assert.equal(stderr, '')
    assert.equal(code, 0)
  })
})
