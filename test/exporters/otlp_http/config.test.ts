import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { IssueDetail } from '../../../src/config/fields.ts'
import { factory } from '../../../src/exporters/otlp_http/index.ts'
import { parseTarget } from '../../../src/exporters/otlp_http/target.ts'
import { createHarness } from '../harness.ts'

const ENDPOINT = { endpoint: 'http://collector:4318' }

function problems(config: object): string[] {
  const result = factory.config.safeParse(config)
  return (result.error?.issues ?? []).map((issue) => {
    const { remedy } = ('params' in issue ? issue.params : {}) as IssueDetail
    return [...issue.path, issue.message].join('::') + (remedy === undefined ? '' : `; ${remedy}`)
  })
}

function create(config: object) {
  return factory.create(createHarness('otlp_http').settings, factory.config.parse({ ...ENDPOINT, ...config }))
}

describe('configuration', () => {
  test('defaults are the Collector’s, but for the one consumer', () => {
    assert.partialDeepStrictEqual(factory.config.parse(ENDPOINT), {
      encoding: 'proto',
      compression: 'gzip',
      timeout: 30_000,
      headers: {},
      max_idle_conns: 100,
      idle_conn_timeout: 90_000,
      max_request_bytes: 4 * 1024 * 1024,
      temporality_preference: 'cumulative',
      retry_on_failure: { initial_interval: 5000, max_elapsed_time: 300_000 },
      sending_queue: { queue_size: 1000, num_consumers: 1 },
    })
  })

  test('each mistake is named by its key, in the Collector’s words', () => {
    for (const [config, expected] of [
      [{}, ['at least one endpoint must be specified; write endpoint: http://collector:4318']],
      [{ ...ENDPOINT, balancer_name: 'round_robin' }, ['has invalid keys: balancer_name']],
      [{ ...ENDPOINT, encoding: 'invalid' }, ['encoding::invalid encoding type: invalid; one of proto, json']],
      [
        { ...ENDPOINT, timeout: '-1s' },
        ['timeoutconfig::timeout value must be greater than or equal to 0; timeout: 0 is no limit'],
      ],
      [
        { ...ENDPOINT, compression: 'snappy', compression_params: { level: 9 } },
        ['clientconfig::unsupported parameters {Level:9} for compression type "snappy"'],
      ],
      [
        { ...ENDPOINT, compression_params: { level: 10 } },
        ['clientconfig::unsupported parameters {Level:10} for compression type "gzip"'],
      ],
      [{ ...ENDPOINT, compression: 'zstd', compression_params: { level: 30 } }, []],
      [{ ...ENDPOINT, compression: 'none', compression_params: { level: 9 } }, []],
      [
        { ...ENDPOINT, tls: { ca_file: 'a', ca_pem: 'b' } },
        ['clientconfig::tls::provide either a CA file or the PEM-encoded string, but not both'],
      ],
      [{ ...ENDPOINT, max_request_bytes: '1B' }, ['max_request_bytes::must be at least 1024, got 1']],
      [{ ...ENDPOINT, temporality_preference: 'Delta' }, []],
    ] as const) {
      assert.deepEqual(problems(config), expected, JSON.stringify(config))
    }
  })

  test('keys of the Collector that change nothing here are taken', () => {
    const config = {
      ...ENDPOINT,
      traces_endpoint: 'http://x/traces',
      keepalive: { max_idle_conns: 5, idle_conn_timeout: '10s' },
      http2_read_idle_timeout: '10s',
      http2_ping_timeout: '5s',
      cookies: {},
      force_attempt_http2: false,
      read_buffer_size: 123,
      write_buffer_size: 345,
    }
    assert.deepEqual(problems(config), [])
    assert.doesNotThrow(() => create(config))
  })

  test('what cannot work is refused before anything starts, with what to write', () => {
    for (const [config, problem] of [
      [{ endpoint: 'x:4318' }, /^endpoint: needs a scheme, found "x:4318"; write http:\/\/host:4318, or https/],
      [{ endpoint: 'me:s3cret@x:4318' }, /^endpoint: needs a scheme; write http/],
      [{ endpoint: 'http://[::1' }, /^endpoint: is not a valid URL; write/],
      [{ metrics_endpoint: 'collector' }, /^metrics_endpoint: needs a scheme, found "collector"/],
      [{ endpoint: '', logs_endpoint: 'http://x' }, /^endpoint: nothing says where metrics go/],
      [{ compression: 'snappy' }, /^compression: snappy is not supported here; write gzip or zstd/],
      [{ proxy_url: 'proxy:3128' }, /^proxy_url: must be an http:\/\/ or https:\/\/ URL; write http:\/\/proxy:3128/],
      [{ headers: { 'can you have a . here?': 'x' } }, /^headers: "can you have a \. here\?" cannot be sent/],
      [{ headers: { a: 's3cret-value\n' } }, /^headers: "a" cannot be sent: [^\n]*no line breaks$/],
      [{ auth: { authenticator: 'oauth2client' } }, /^auth: .*"oauth2client".*not found; .*write headers/],
      [{ sending_queue: { storage: 'file_storage' } }, /^sending_queue::storage: /],
      [{ endpoint: 'https://x', tls: { ca_file: '/nonexistent' } }, /^tls::ca_file: ENOENT.*\/nonexistent/],
    ] as const) {
      assert.throws(() => create(config), { message: problem }, JSON.stringify(config))
    }
  })

  test('the URL is joined as text: one slash between endpoint and path, metrics_endpoint as it is', () => {
    const urlOf = (endpoint: string, metrics_endpoint = '') => parseTarget({ endpoint, metrics_endpoint }).url.href
    assert.equal(urlOf('http://x:4318'), 'http://x:4318/v1/metrics')
    assert.equal(urlOf('https://x/otlp/'), 'https://x/otlp/v1/metrics')
    assert.equal(urlOf('HTTPS://x'), 'https://x/v1/metrics')
    assert.equal(urlOf('http://[::1]:4318'), 'http://[::1]:4318/v1/metrics')
    assert.equal(urlOf('http://ignored', 'https://x/custom/?a=b'), 'https://x/custom/?a=b')
  })
})
