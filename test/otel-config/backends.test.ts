import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createRegistry } from '../../src/component/registry.ts'
import type { Exporter, ExporterFactory } from '../../src/component/types.ts'
import { loadConfig } from '../../src/config/index.ts'
import type { Config as HttpConfig } from '../../src/exporters/otlp_http/config.ts'
import { parseTarget } from '../../src/exporters/otlp_http/target.ts'
import { ROOT } from '../e2e/program.ts'
import { createHarness } from '../exporters/harness.ts'

const DIRECTORY = join(ROOT, 'otel-config', 'backends')
const names = (await readdir(DIRECTORY)).map((file) => file.replace(/\.yaml$/, '')).sort()

interface Expected {
  readonly env?: Readonly<Record<string, string>>
  /** Of otlp_http the URL that requests go to, of otlp_grpc the endpoint. */
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly temporality: 'cumulative' | 'delta'
  readonly maxRequestBytes?: number
}

/** What each backend documents, in the test's own words. */
const BACKENDS: Readonly<Record<string, Expected>> = {
  prometheus: { target: 'http://localhost:9090/api/v1/otlp/v1/metrics', temporality: 'cumulative' },
  victoriametrics: {
    target: 'http://localhost:8428/opentelemetry/v1/metrics',
    temporality: 'cumulative',
    maxRequestBytes: 16 * 2 ** 20,
  },
  'grafana-cloud': {
    env: {
      GRAFANA_CLOUD_OTLP_ENDPOINT: 'https://otlp-gateway-prod-eu-west-2.grafana.net/otlp',
      GRAFANA_CLOUD_AUTH: 's3cret',
    },
    target: 'https://otlp-gateway-prod-eu-west-2.grafana.net/otlp/v1/metrics',
    headers: { authorization: 'Basic s3cret' },
    temporality: 'cumulative',
  },
  datadog: {
    env: { DD_API_KEY: 's3cret' },
    target: 'https://otlp.datadoghq.com/v1/metrics',
    headers: { 'dd-api-key': 's3cret', 'dd-otel-metric-config': '{"resource_attributes_as_tags": true}' },
    temporality: 'delta',
    maxRequestBytes: 500_000,
  },
  newrelic: {
    env: { NEW_RELIC_LICENSE_KEY: 's3cret' },
    target: 'https://otlp.nr-data.net/v1/metrics',
    headers: { 'api-key': 's3cret' },
    temporality: 'delta',
    maxRequestBytes: 1_000_000,
  },
  dynatrace: {
    env: { DYNATRACE_ENVIRONMENT_ID: 'abc12345', DYNATRACE_API_TOKEN: 's3cret' },
    target: 'https://abc12345.live.dynatrace.com/api/v2/otlp/v1/metrics',
    headers: { authorization: 'Api-Token s3cret' },
    temporality: 'delta',
    maxRequestBytes: 4_000_000,
  },
  honeycomb: {
    env: { HONEYCOMB_API_KEY: 's3cret' },
    target: 'https://api.honeycomb.io/v1/metrics',
    headers: { 'x-honeycomb-team': 's3cret', 'x-honeycomb-dataset': 'netvitals' },
    temporality: 'cumulative',
  },
  splunk: {
    env: { SPLUNK_REALM: 'us1', SPLUNK_ACCESS_TOKEN: 's3cret' },
    target: 'https://ingest.us1.signalfx.com/v2/datapoint/otlp',
    headers: { 'x-sf-token': 's3cret' },
    temporality: 'cumulative',
  },
  elastic: {
    env: { ELASTIC_OTLP_ENDPOINT: 'https://project.ingest.eu-west-1.aws.elastic.cloud', ELASTIC_API_KEY: 's3cret' },
    target: 'https://project.ingest.eu-west-1.aws.elastic.cloud/v1/metrics',
    headers: { authorization: 'ApiKey s3cret' },
    temporality: 'cumulative',
  },
  chronosphere: {
    env: { CHRONOSPHERE_TENANT: 'acme', CHRONOSPHERE_API_TOKEN: 's3cret' },
    target: 'https://acme.chronosphere.io/data/opentelemetry/v1/metrics',
    headers: { 'api-token': 's3cret' },
    temporality: 'cumulative',
  },
  coralogix: {
    env: { CORALOGIX_DOMAIN: 'eu2.coralogix.com', CORALOGIX_PRIVATE_KEY: 's3cret' },
    target: 'ingress.eu2.coralogix.com:443',
    headers: {
      authorization: 'Bearer s3cret',
      'cx-application-name': 'netvitals',
      'cx-subsystem-name': 'network',
    },
    temporality: 'cumulative',
    maxRequestBytes: 2_000_000,
  },
  signoz: {
    env: { SIGNOZ_INGESTION_KEY: 's3cret' },
    target: 'https://ingest.us.signoz.cloud/v1/metrics',
    headers: { 'signoz-ingestion-key': 's3cret' },
    temporality: 'cumulative',
    maxRequestBytes: 8 * 2 ** 20,
  },
  uptrace: {
    env: { UPTRACE_DSN: 'https://s3cret@api.uptrace.dev?grpc=4317' },
    target: 'https://api.uptrace.dev/v1/metrics',
    headers: { 'uptrace-dsn': 'https://s3cret@api.uptrace.dev?grpc=4317' },
    temporality: 'delta',
  },
}

async function load(name: string, env: Readonly<Record<string, string>>) {
  Object.assign(process.env, env)
  try {
    return await loadConfig({ uris: [join(DIRECTORY, `${name}.yaml`)], registry: createRegistry() })
  } finally {
    for (const key of Object.keys(env)) delete process.env[key]
  }
}

describe('otel-config/backends', () => {
  it('is tested whole', () => assert.deepEqual(names, Object.keys(BACKENDS).sort()))

  for (const [name, expected] of Object.entries(BACKENDS)) {
    it(`has ${name} right, as its documentation says`, async () => {
      const config = await load(name, expected.env ?? {})
      const [exporter, ...others] = [...config.exporters.values()]
      assert.equal(others.length, 0)
      const settings = exporter!.config as HttpConfig
      const isHttp = exporter!.id.type === 'otlp_http'
      assert.equal(isHttp ? parseTarget(settings).url.href : settings.endpoint, expected.target)
      assert.deepEqual(settings.headers, expected.headers ?? {})
      assert.equal(settings.temporality_preference, expected.temporality)
      assert.equal(settings.max_request_bytes, expected.maxRequestBytes ?? 4 * 2 ** 20)
      const factory = exporter!.factory as ExporterFactory<unknown>
      const made: Exporter = factory.create(createHarness(exporter!.id.type).settings, settings)
      await made.stop()
    })

    it(`says of ${name} where that is written, and has it in the README`, async () => {
      const text = await readFile(join(DIRECTORY, `${name}.yaml`), 'utf8')
      assert.match(text, new RegExp(`^# netvitals to .*\\n#\\n#   netvitals --config ${name}\\.yaml$`, 'm'))
      const isRun = /^# Run by the tests/m.test(text)
      assert.ok(isRun || /^# From documentation, not run\. .* 20\d\d:\n# {3}\S+\.\S+\//m.test(text))
      const readme = await readFile(join(DIRECTORY, '..', 'README.md'), 'utf8')
      const row = readme.match(new RegExp(`^\\| backends/${name}\\.yaml \\|.*\\| (.*) \\|$`, 'm'))
      assert.match(row?.[1] ?? '', isRun ? /run by the tests/ : /from documentation/)
    })
  }
})
