import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { IssueDetail } from '../../../src/config/fields.ts'
import { parseEndpoint } from '../../../src/exporters/otlp_grpc/endpoint.ts'
import { factory } from '../../../src/exporters/otlp_grpc/index.ts'
import { COMPRESSIONS } from '../../../src/exporters/sending/client-config.ts'
import { createHarness } from '../harness.ts'

function problems(config: object): string[] {
  const result = factory.config.safeParse(config)
  return (result.error?.issues ?? []).map((issue) => {
    const { remedy } = ('params' in issue ? issue.params : {}) as IssueDetail
    return [...issue.path, issue.message].join('::') + (remedy === undefined ? '' : `; ${remedy}`)
  })
}

describe('configuration', () => {
  test('defaults are the Collector’s, but for the one consumer', () => {
    const { retry_on_failure, sending_queue, ...config } = factory.config.parse({ endpoint: 'collector:4317' })
    assert.partialDeepStrictEqual(config, {
      compression: 'gzip',
      timeout: 5000,
      headers: {},
      wait_for_ready: false,
      balancer_name: 'round_robin',
      max_request_bytes: 4 * 1024 * 1024,
    })
    assert.equal(config.keepalive, undefined)
    assert.deepEqual(retry_on_failure, {
      enabled: true,
      initial_interval: 5000,
      randomization_factor: 0.5,
      multiplier: 1.5,
      max_interval: 30_000,
      max_elapsed_time: 300_000,
    })
    assert.deepEqual(sending_queue, {
      enabled: true,
      sizer: 'requests',
      queue_size: 1000,
      max_points: 500_000,
      num_consumers: 1,
      block_on_overflow: false,
      wait_for_result: false,
      storage: '',
    })
  })

  test('every form of endpoint that the Collector takes leads to the right target', () => {
    for (const [endpoint, target, isHttps = false] of [
      ['backend.example.com:4317', 'dns:///backend.example.com:4317'],
      ['http://backend.example.com:4317', 'dns:///backend.example.com:4317'],
      ['https://backend.example.com:4317', 'dns:///backend.example.com:4317', true],
      ['dns:///backend.example.com:4317', 'dns:///backend.example.com:4317'],
      ['dns://8.8.8.8/backend.example.com:4317', 'dns://8.8.8.8/backend.example.com:4317'],
      ['passthrough:///backend.example.com:4317', 'dns:///backend.example.com:4317'],
      ['unix:///my/unix/socket.sock', 'unix:///my/unix/socket.sock'],
      ['[::1]:4317', 'dns:///[::1]:4317'],
      ['127.0.0.1:4317', 'dns:///127.0.0.1:4317'],
    ] as const) {
      assert.deepEqual(problems({ endpoint }), [], endpoint)
      assert.deepEqual(parseEndpoint(endpoint), { target, isHttps }, endpoint)
    }
  })

  test('a faulty endpoint is refused with what to write instead', () => {
    for (const [endpoint, problem] of [
      ['', 'requires a non-empty "endpoint"; write endpoint: collector:4317'],
      ['https://', 'requires a non-empty "endpoint"; write endpoint: collector:4317'],
      ['collector', 'clientconfig::address collector: missing port in address; endpoint: write collector:4317'],
      [
        'http://collector',
        'clientconfig::address collector: missing port in address; endpoint: write http://collector:4317',
      ],
      [
        'dns:///collector',
        'clientconfig::address collector: missing port in address; endpoint: write dns:///collector:4317',
      ],
      ['collector:', 'clientconfig::invalid port ""; endpoint: write collector:4317'],
      ['[::1]', 'clientconfig::address [::1]: missing port in address; endpoint: write [::1]:4317'],
      ['collector:otlp', 'clientconfig::invalid port "otlp"; endpoint: write collector:4317'],
      ['collector:70000', 'clientconfig::invalid port "70000"; endpoint: write collector:4317'],
      [':4317', 'clientconfig::address :4317: missing host in address; endpoint: write localhost:4317'],
      [
        '::1:4317',
        'clientconfig::address ::1:4317: too many colons in address; endpoint: write an IPv6 address in brackets: [::1]:4317',
      ],
      [
        'http://collector:4317/v1/metrics',
        'clientconfig::a gRPC endpoint has no path, found "http://collector:4317/v1/metrics"; endpoint: write collector:4317',
      ],
      ['unix://', 'clientconfig::unix socket path cannot be empty; endpoint: write unix:///path/of/the.sock'],
    ]) {
      assert.deepEqual(problems({ endpoint }), [problem], endpoint)
    }
  })

  test('each mistake is named by its key, all of them at once', () => {
    const endpoint = 'x:4317'
    for (const [config, expected] of [
      [{ bogus: 1 }, ['has invalid keys: bogus']],
      [{ timeout: '-5s' }, ['timeoutconfig::timeout value must be greater than or equal to 0; timeout: 0 is no limit']],
      [
        { compression: 'brotli' },
        [`compression::unsupported compression type "brotli"; one of ${COMPRESSIONS.join(', ')}`],
      ],
      [
        { balancer_name: 'nope' },
        ['clientconfig::invalid balancer_name: nope; balancer_name: one of round_robin, pick_first'],
      ],
      [{ max_request_bytes: '1B' }, ['max_request_bytes::must be at least 1024, got 1']],
      [
        {
          headers: [
            { name: 'a', value: 'b' },
            { name: 'a', value: 'c' },
          ],
        },
        ['headers::duplicate keys in map-style list: [a]; give each name once'],
      ],
      [
        { tls: { ca_file: 'a', ca_pem: 'b' } },
        ['clientconfig::tls::provide either a CA file or the PEM-encoded string, but not both'],
      ],
      [
        { tls: { cert_file: 'a', cert_pem: 'b', key_file: 'k' } },
        ['clientconfig::tls::provide either certificate file or PEM, but not both'],
      ],
      [
        { tls: { cert_file: 'a' } },
        [
          'clientconfig::tls::TLS configuration must include both certificate and key (CertFile/CertPem and KeyFile/KeyPem)',
        ],
      ],
      [{ tls: { min_version: 'asd' } }, ['clientconfig::tls::invalid TLS min_version: unsupported TLS version: "asd"']],
      [
        { tls: { min_version: '1.3', max_version: '1.2' } },
        ['clientconfig::tls::invalid TLS configuration: min_version cannot be greater than max_version'],
      ],
      [
        { retry_on_failure: { randomization_factor: -5 } },
        ['retry_on_failure::randomization_factor value must be greater than or equal to 0'],
      ],
      [
        { retry_on_failure: { max_elapsed_time: '1s' } },
        ["retry_on_failure::'max_elapsed_time' must not be less than 'initial_interval'"],
      ],
      [{ retry_on_failure: { multiplier: -1, enabled: false } }, []],
      [{ retry_on_failure: { max_elapsed_time: 0 } }, []],
      [{ sending_queue: { queue_size: 0 } }, ['sending_queue::`queue_size` must be positive']],
      [{ sending_queue: { num_consumers: 0 } }, ['sending_queue::`num_consumers` must be positive']],
      [
        { sending_queue: { sizer: 'foo' } },
        ['sending_queue::sizer::invalid sizer: "foo"; one of requests, items, bytes'],
      ],
      [
        { sending_queue: { batch: { flush_timeout: 0 } } },
        ['sending_queue::batch: `flush_timeout` must be positive, found 0'],
      ],
      [
        { sending_queue: { batch: { sizer: 'requests' } } },
        [
          'sending_queue::`min_size` must be less than or equal to `queue_size`\n' +
            'batch: `batch` supports only `items` or `bytes` sizer, found "requests"',
        ],
      ],
      [
        { sending_queue: { batch: { min_size: 10, max_size: 9 } } },
        ['sending_queue::batch: `max_size` (9) must be greater or equal to `min_size` (10)'],
      ],
      [
        { sending_queue: { batch: { partition: { metadata_keys: ['a', 'A'] } } } },
        ['sending_queue::batch: partition: duplicate entry in metadata_keys: "a" (case-insensitive)'],
      ],
      [{ sending_queue: { batch: { enabled: false, flush_timeout: 0 } } }, []],
      [
        { sending_queue: { storage: 'file_storage', wait_for_result: true } },
        ['sending_queue::`wait_for_result` is not supported with a persistent queue configured with `storage`'],
      ],
      [
        { temporality_preference: 'lowmemory' },
        ['temporality_preference::invalid temporality_preference: "lowmemory"; one of cumulative, delta'],
      ],
      [{ temporality_preference: 'DELTA' }, []],
      [{ sending_queue: { size: 5 } }, ['sending_queue::has invalid keys: size']],
      [
        { endpoint: '', timeout: '-1s' },
        [
          'timeoutconfig::timeout value must be greater than or equal to 0; timeout: 0 is no limit',
          'requires a non-empty "endpoint"; write endpoint: collector:4317',
        ],
      ],
    ] as const) {
      assert.deepEqual(problems({ endpoint, ...config }), expected, JSON.stringify(config))
    }
  })

  test('what the Collector has and netvitals has not is refused before anything starts, with what to write', () => {
    const create = (config: object) =>
      factory.create(createHarness().settings, factory.config.parse({ endpoint: 'x:4317', ...config }))
    for (const [config, problem] of [
      [{ auth: { authenticator: 'basicauth/client' } }, /^auth: .*"basicauth\/client".*not found; .*write headers/],
      [{ middlewares: [{ id: 'foo' }] }, /^middlewares: .*"foo".*not found; .*leave it out/],
      [{ sending_queue: { storage: 'file_storage' } }, /^sending_queue::storage: the queue is in memory/],
      [{ compression: 'zstd' }, /^compression: zstd is not supported over gRPC here; write gzip/],
    ] as const) {
      assert.throws(() => create(config), { message: problem })
    }
    assert.doesNotThrow(() => create({ sending_queue: { storage: 'file_storage', enabled: false } }))
  })

  test('xds is accepted as the Collector does, and refused with its reason where a channel would be made', () => {
    assert.deepEqual(problems({ endpoint: 'xds:///my-service:4317' }), [])
    assert.throws(
      () => parseEndpoint('xds:///my-service:4317'),
      /xds is not supported here; write the backend's own host:port/,
    )
  })
})

test('the README names every key', async () => {
  const readme = await readFile(new URL('../../../src/exporters/otlp_grpc/README.md', import.meta.url), 'utf8')
  const tls = { max_version: '1.3' }
  const auth = { authenticator: 'x' }
  const config = factory.config.parse({ endpoint: 'x:4317', keepalive: {}, tls, auth, sending_queue: { batch: {} } })
  const keys = Object.entries(config).flatMap(([key, value]) => {
    const inner = typeof value === 'object' && key !== 'headers' ? Object.keys(value) : []
    return inner.length === 0 ? [key] : inner.map((name) => `${key}::${name}`)
  })
  assert.ok(keys.length > 30)
  assert.deepEqual(
    keys.filter((key) => !readme.includes(`\`${key}\``)),
    [],
  )
})
