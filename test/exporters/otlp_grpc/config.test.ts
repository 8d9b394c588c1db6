import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { IssueDetail } from '../../../src/config/fields.ts'
import { parseEndpoint } from '../../../src/exporters/otlp_grpc/endpoint.ts'
import { factory } from '../../../src/exporters/otlp_grpc/index.ts'

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
      ['collector', 'endpoint::port is missing in "collector"; write collector:4317'],
      ['http://collector', 'endpoint::port is missing in "http://collector"; write http://collector:4317'],
      ['dns:///collector', 'endpoint::port is missing in "dns:///collector"; write dns:///collector:4317'],
      ['collector:', 'endpoint::port is missing in "collector:"; write collector:4317'],
      ['[::1]', 'endpoint::port is missing in "[::1]"; write [::1]:4317'],
      ['collector:otlp', 'endpoint::invalid port "otlp"; write collector:4317'],
      ['collector:70000', 'endpoint::invalid port "70000"; write collector:4317'],
      [':4317', 'endpoint::host is missing in ":4317"; write localhost:4317'],
      ['::1:4317', 'endpoint::"::1:4317" is not host:port; write an IPv6 address in brackets: [::1]:4317'],
      [
        'http://collector:4317/v1/metrics',
        'endpoint::a gRPC endpoint has no path, found "http://collector:4317/v1/metrics"; write collector:4317',
      ],
      ['unix://', 'endpoint::unix socket path cannot be empty; write unix:///path/of/the.sock'],
    ]) {
      assert.deepEqual(problems({ endpoint }), [problem], endpoint)
    }
  })

  test('each mistake is named by its key, all of them at once', () => {
    const endpoint = 'x:4317'
    for (const [config, expected] of [
      [{ bogus: 1 }, ['has invalid keys: bogus']],
      [{ timeout: '-5s' }, ['timeout::timeout value must be greater than or equal to 0']],
      [{ compression: 'zstd' }, ['compression::unsupported compression type "zstd"; one of gzip, none, ']],
      [{ balancer_name: 'nope' }, ['balancer_name::invalid balancer_name: nope; one of round_robin, pick_first, ']],
      [{ max_request_bytes: '1B' }, ['max_request_bytes::must be at least 1024, got 1']],
      [
        {
          headers: [
            { name: 'a', value: 'b' },
            { name: 'a', value: 'c' },
          ],
        },
        ['headers::duplicate keys in map-style list: [a]'],
      ],
      [
        { tls: { ca_file: 'a', ca_pem: 'b' } },
        ['tls::provide either a CA file or the PEM-encoded string, but not both'],
      ],
      [
        { tls: { cert_file: 'a', cert_pem: 'b', key_file: 'k' } },
        ['tls::provide either certificate file or PEM, but not both'],
      ],
      [{ tls: { cert_file: 'a' } }, ['tls::provide both certificate and key, or neither']],
      [
        { tls: { min_version: 'asd' } },
        ['tls::min_version::unsupported TLS version: "asd"; one of 1.0, 1.1, 1.2, 1.3'],
      ],
      [
        { tls: { min_version: '1.3', max_version: '1.2' } },
        ['tls::invalid TLS configuration: min_version cannot be greater than max_version'],
      ],
      [
        { retry_on_failure: { randomization_factor: -5 } },
        ["retry_on_failure::'randomization_factor' must be within [0, 1]"],
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
      [{ sending_queue: { size: 5 } }, ['sending_queue::has invalid keys: size']],
      [
        { endpoint: '', timeout: '-1s' },
        [
          'timeout::timeout value must be greater than or equal to 0',
          'requires a non-empty "endpoint"; write endpoint: collector:4317',
        ],
      ],
    ] as const) {
      assert.deepEqual(problems({ endpoint, ...config }), expected, JSON.stringify(config))
    }
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
  const config = factory.config.parse({ endpoint: 'collector:4317', keepalive: {}, tls })
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
