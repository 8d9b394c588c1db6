import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { inspect } from 'node:util'
import { factory } from '../../../src/exporters/otlp_http/index.ts'
import { createRedactor } from '../../../src/exporters/sending/redact.ts'
import { createHarness, exportBatch, makeBatch } from '../harness.ts'
import { type Reply, startHttpServer } from '../http-metrics-server.ts'

const TOKEN = 's3cret-tok-3ba1e0c7d2'
const PASSWORD = 's3cret-pw-77aa12/x'
const KEY = 's3cret-key-998811'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** All that a failing exporter says anywhere, with secrets in every place that a configuration has for them. */
async function everythingSaid(reply: (sent: string) => Reply, config: object = {}): Promise<string> {
  const server = await startHttpServer({ reply: (index) => reply(JSON.stringify(server.requests[index])) })
  cleanUps.push(server.stop)
  const { settings, host, lines, statuses } = createHarness('otlp_http')
  const exporter = factory.create(
    settings,
    factory.config.parse({
      endpoint: `http://me:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}/p?api_key=${KEY}`,
      headers: { authorization: `Bearer ${TOKEN}` },
      retry_on_failure: { enabled: false },
      sending_queue: { wait_for_result: true },
      timeout: '500ms',
      ...config,
    }),
  )
  await exporter.start(host)
  const { error } = await exportBatch(exporter, makeBatch('m'))
  await exporter.stop()
  assert.ok(error)
  return [inspect(lines), inspect(statuses), inspect(error), error.stack, JSON.stringify(error)].join('\n')
}

describe('secrets are in nothing that the exporter says', () => {
  for (const [what, reply] of [
    ['refuses', () => ({ status: 401 })],
    ['repeats the request', (sent: string) => ({ status: 400, body: `denied ${TOKEN}: ${sent}` })],
    ['repeats the header alone', () => ({ status: 403, body: `bad header "Bearer ${TOKEN}"` })],
    ['breaks off', () => 'reset'],
    ['never answers', () => 'hang'],
  ] as const) {
    test(`when the backend ${what}`, async () => {
      const said = await everythingSaid(reply as (sent: string) => Reply)
      for (const secret of [TOKEN, PASSWORD, encodeURIComponent(PASSWORD), KEY]) {
        assert.ok(!said.includes(secret), said)
      }
      assert.match(said, /exporters::otlp_http: /)
    })
  }

  test('when the proxy refuses', async () => {
    const proxy = await startHttpServer({ reply: () => ({ status: 407, body: `no ${PASSWORD}` }) })
    cleanUps.push(proxy.stop)
    const proxy_url = `http://me:${encodeURIComponent(PASSWORD)}@127.0.0.1:${proxy.port}`
    const said = await everythingSaid(() => ({}), { proxy_url })
    assert.ok(!said.includes(PASSWORD) && !said.includes(encodeURIComponent(PASSWORD)), said)
  })
})

test('a redactor takes out the longest secret first, and leaves short words', () => {
  const redact = createRedactor(['Bearer abcdef-long', 'abcdef', 'ab', ''])
  assert.equal(redact('Bearer abcdef-long, abcdef-long, abcdef, ab'), '[REDACTED], [REDACTED], [REDACTED], ab')
})
