import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { type ApiError, createClient, isApiError } from '../../src/kubernetes/client.ts'
import { noCertificates } from '../e2e/certificates.ts'
import { type ApiServer, createApiServer, refuse } from './api-server.ts'

const PATH = '/api/v1/pods'
const never = new AbortController().signal

describe('the client', { skip: (await noCertificates()) ?? false }, () => {
  let server: ApiServer
  const tokenFile = join(tmpdir(), `netvitals-token-${process.pid}`)

  before(async () => {
    server = await createApiServer()
  })
  beforeEach(() => {
    server.gate = undefined
  })
  after(async () => {
    rmSync(tokenFile, { force: true })
    await server[Symbol.asyncDispose]()
  })

  async function refusal(client: ReturnType<typeof createClient>): Promise<ApiError> {
    const error = await client.get(PATH, never).then(
      () => assert.fail('an answer'),
      (error) => error,
    )
    assert.ok(isApiError(error), String(error))
    return error
  }

  it('reads a body, over one connection after the other', async () => {
    server.set(PATH, [{ metadata: { name: 'a', uid: '1' } }])
    const client = createClient({ access: server.access, userAgent: 'netvitals/1' })
    for (let i = 0; i < 2; i++) {
      const body = await client.get(PATH, never)
      assert.match((await body.toArray()).join(''), /"items":\[\{"metadata":\{"name":"a"/)
    }
    assert.equal(server.asked.at(-1)?.headers['user-agent'], 'netvitals/1')
    client.close()
  })

  it("says what the server says, and how long it doesn't want to be asked", async () => {
    const client = createClient({ access: server.access })
    server.next('list', PATH, refuse(429, 'too many requests', { 'retry-after': '7' }))
    const error = await refusal(client)
    assert.equal(error.message, '429 too many requests')
    assert.equal(error.status, 429)
    assert.equal(error.retryAfterMs, 7_000)

    server.next('list', PATH, refuse(503, 'later', { 'retry-after': new Date(Date.now() + 60_000).toUTCString() }))
    const { retryAfterMs = 0 } = await refusal(client)
    assert.ok(retryAfterMs > 50_000 && retryAfterMs <= 60_000, String(retryAfterMs))
    client.close()
  })

  it('says what a stranger in the way says in its own words', async () => {
    const client = createClient({ access: server.access })
    server.next('list', PATH, (_asked, response) => {
      response.writeHead(502, { 'content-type': 'text/html', 'retry-after': 'soon' }).end('<html>')
    })
    const { message, retryAfterMs } = await refusal(client)
    assert.equal(message, '502 Bad Gateway')
    assert.equal(retryAfterMs, undefined)
    server.next('list', PATH, (_asked, response) => response.writeHead(302, { location: '/login' }).end())
    assert.equal((await refusal(client)).message, '302 Found')
    client.close()
  })

  it('reads its token again from the file, at once when the server knows the old one no more', async () => {
    writeFileSync(tokenFile, 'old\n')
    server.gate = ({ headers }, response) => {
      if (headers.authorization === 'Bearer new') return false
      refuse(401, 'Unauthorized')({} as never, response)
      return true
    }
    const client = createClient({ access: { ...server.access, token: { file: tokenFile } }, rereadMs: 3_600_000 })
    assert.equal((await refusal(client)).status, 401)
    writeFileSync(tokenFile, 'new\n')
    await (await client.get(PATH, never)).toArray()
    client.close()
  })

  it('reads its token again when it is old', async () => {
    writeFileSync(tokenFile, 'first')
    const client = createClient({ access: { ...server.access, token: { file: tokenFile } }, rereadMs: 0 })
    await (await client.get(PATH, never)).toArray()
    writeFileSync(tokenFile, 'second')
    await (await client.get(PATH, never)).toArray()
    assert.deepEqual(
      server.asked.slice(-2).map(({ headers }) => headers.authorization),
      ['Bearer first', 'Bearer second'],
    )
    client.close()
  })

  it('goes on with the token that it has while the file is gone, and says so when it never had one', async () => {
    writeFileSync(tokenFile, 'kept')
    const access = { ...server.access, token: { file: tokenFile } }
    const client = createClient({ access, rereadMs: 0 })
    await (await client.get(PATH, never)).toArray()
    rmSync(tokenFile)
    await (await client.get(PATH, never)).toArray()
    assert.equal(server.asked.at(-1)?.headers.authorization, 'Bearer kept')
    client.close()
    await assert.rejects(createClient({ access }).get(PATH, never), { code: 'NETVITALS_KUBERNETES_ACCESS' })
  })

  it('shows its certificate', async () => {
    const { certFile, keyFile } = server.certificates.client
    const access = { ...server.access, certificate: { file: certFile }, key: { file: keyFile } }
    const client = createClient({ access })
    await (await client.get(PATH, never)).toArray()
    assert.equal(server.asked.at(-1)?.client, 'client')
    client.close()
  })

  it('refuses a server that another authority vouches for', async () => {
    const { access, certificates } = server
    const other = createClient({ access: { ...access, ca: { file: certificates.otherCaFile } } })
    await assert.rejects(other.get(PATH, never), /certificate/)
    const wrongName = createClient({ access: { ...access, serverName: 'api.example' } })
    await assert.rejects(wrongName.get(PATH, never), /altnames/)
    const blind = createClient({ access: { server: access.server, insecure: true } })
    await (await blind.get(PATH, never)).toArray()
    for (const client of [other, wrongName, blind]) client.close()
  })

  it('gives up on a server that accepts and says nothing, or is not there', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const { port } = silent.address() as { port: number }
    const client = createClient({ access: { server: `https://127.0.0.1:${port}` }, answerTimeoutMs: 200 })
    await assert.rejects(client.get(PATH, never), /127\.0\.0\.1:\d+ did not answer within 200 ms/)
    silent.close()
    await assert.rejects(client.get(PATH, never), /ECONNREFUSED/)
    client.close()
  })

  it('ends a request, and a body under way, when it is told to', async () => {
    const client = createClient({ access: server.access })
    const ending = new AbortController()
    const body = await client.get(`${PATH}?watch=true`, ending.signal)
    setTimeout(() => ending.abort(), 20)
    await assert.rejects(body.toArray(), /aborted/)
    await assert.rejects(client.get(PATH, ending.signal), { name: 'AbortError' })
    client.close()
  })
})
