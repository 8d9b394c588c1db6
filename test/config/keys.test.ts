import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ajv } from 'ajv'
import type { z } from 'zod'
import { printSchema } from '../../src/commands/print-schema.ts'
import { COMPONENTS } from '../../src/component/components.ts'
import { createRegistry } from '../../src/component/registry.ts'
import { loadConfig } from '../../src/config/index.ts'
import { serviceSection } from '../../src/config/service-section.ts'
import { ConfigError } from '../../src/errors.ts'
import { invalidExample, type Key, keysOf, treeAt, validExample } from './examples.ts'

const registry = createRegistry()

/** What each needs to be valid at all. */
const NEEDED: Readonly<Record<string, object>> = {
  'exporters::otlp_grpc': { endpoint: 'collector:4317' },
  'exporters::otlp_http': { endpoint: 'http://collector:4318' },
}

const READER = { periodic: { exporter: { otlp: { endpoint: 'http://localhost:4317' } } } }
const PIPELINE = { receivers: ['netvitals'], processors: [], exporters: ['debug'] }
const RUNTIME = { type: 'cri', socket: '/run/containerd/containerd.sock' }
const FOLD = { name: 'AWS', cidrs: ['203.0.113.0/24'] }
const CONVERTED = { metrics: ['tcp'], match_type: 'strict' }
const CERTIFICATE = { cert_file: 'a.pem', key_file: 'b.pem' }
const CERTIFICATE_ITSELF = { cert_pem: 'a', key_pem: 'b' }

/**
 * Valid values where the kind alone does not tell one, by the end of the key's place; `up` is how many levels above
 * the key the value stands, for keys that are right only beside others.
 */
const VALUES: Readonly<Record<string, { readonly value: unknown; readonly up?: number }>> = {
  'otlp_grpc::endpoint': { value: 'collector:4317' },
  'otlp_http::endpoint': { value: 'http://collector:4318' },
  balancer_name: { value: 'pick_first' },
  _cidrs: { value: ['10.0.0.0/8'] },
  '_cidrs::0': { value: '10.0.0.0/8' },
  'destinations::fold': { value: [FOLD] },
  'destinations::fold::0': { value: FOLD },
  'fold::0::name': { value: FOLD, up: 1 },
  'fold::0::cidrs': { value: FOLD, up: 1 },
  'fold::0::cidrs::0': { value: FOLD, up: 2 },
  'probes::include': { value: ['10.0.0.0/8'] },
  'probes::include::0': { value: '10.0.0.0/8' },
  'probes::exclude': { value: ['10.0.0.0/8'] },
  'probes::exclude::0': { value: '10.0.0.0/8' },
  'cumulative_to_delta::include': { value: CONVERTED },
  'cumulative_to_delta::exclude': { value: CONVERTED },
  'cumulative_to_delta::include::metrics': { value: CONVERTED, up: 1 },
  'cumulative_to_delta::exclude::metrics': { value: CONVERTED, up: 1 },
  'include::metrics::0': { value: CONVERTED, up: 2 },
  'exclude::metrics::0': { value: CONVERTED, up: 2 },
  'include::match_type': { value: CONVERTED, up: 1 },
  'exclude::match_type': { value: CONVERTED, up: 1 },
  metric_types: { value: ['sum'] },
  'metric_types::0': { value: 'sum' },
  'containers::include': { value: [{ names: ['shop'] }] },
  'containers::include::0': { value: { names: ['shop'] } },
  'containers::exclude': { value: [{ names: ['shop'] }] },
  'containers::exclude::0': { value: { names: ['shop'] } },
  'kubernetes::context': { value: { kubeconfig: '/root/.kube/config', context: 'shop' }, up: 1 },
  'runtimes::0::type': { value: RUNTIME, up: 1 },
  'runtimes::0::socket': { value: RUNTIME, up: 1 },
  cert_file: { value: CERTIFICATE, up: 1 },
  key_file: { value: CERTIFICATE, up: 1 },
  cert_pem: { value: CERTIFICATE_ITSELF, up: 1 },
  key_pem: { value: CERTIFICATE_ITSELF, up: 1 },
  max_version: { value: '1.3' },
  'batch::sizer': { value: 'items' },
  'debug::output_paths': { value: { use_internal_logger: false, output_paths: ['stderr'] }, up: 1 },
  'debug::output_paths::0': { value: { use_internal_logger: false, output_paths: ['stderr'] }, up: 2 },
  'service::extensions': { value: [] },
  'service::extensions::0': { value: [], up: 1 },
  'service::pipelines': { value: { 'metrics/other': PIPELINE } },
  'metrics/other': { value: PIPELINE },
  'other::receivers': { value: PIPELINE, up: 1 },
  'other::processors': { value: PIPELINE, up: 1 },
  'other::exporters': { value: PIPELINE, up: 1 },
  'other::receivers::0': { value: PIPELINE, up: 2 },
  'other::processors::0': { value: { ...PIPELINE, processors: ['batch'] }, up: 2 },
  'other::exporters::0': { value: PIPELINE, up: 2 },
  readers: { value: [READER] },
  'readers::0': { value: READER },
}

/** Documented only to be refused with a sentence. */
const NEVER = ['telemetry::metrics::readers::0::pull']

async function configuration(owner: string, path: readonly string[], value: unknown): Promise<string> {
  const base = {
    receivers: { netvitals: {} },
    processors: { batch: {} },
    exporters: { debug: {} },
    service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: ['debug'] } } },
  }
  const settings = JSON.stringify(treeAt([...owner.split('::'), ...path], value))
  const needed = JSON.stringify(treeAt(owner.split('::'), NEEDED[owner] ?? {}))
  const uris = [JSON.stringify(base), needed, settings].map((text) => `yaml:${text}`)
  return loadConfig({ uris, registry }).then(
    () => '',
    (error: unknown) => {
      if (!(error instanceof ConfigError)) throw error
      return error.message
    },
  )
}

async function owners(): Promise<(readonly [string, z.core.$ZodType])[]> {
  const components = await Promise.all(
    COMPONENTS.map(async ({ kind, type, load }) => [`${kind}s::${type}`, (await load()).factory.config] as const),
  )
  return [...components, ['service', serviceSection]]
}

function validAt({ owner, path, schema }: Key): { path: readonly string[]; value: unknown } {
  const place = [...owner.split('::'), ...path].join('::')
  const [, found] = Object.entries(VALUES).find(([end]) => place.endsWith(end)) ?? []
  if (found !== undefined) return { path: path.slice(0, path.length - (found.up ?? 0)), value: found.value }
  const value = validExample(schema)
  const reader = path.indexOf('readers')
  return reader < 0
    ? { path, value }
    : { path: path.slice(0, reader + 2), value: readerWith(path.slice(reader + 2), value) }
}

/** A reader is whole or wrong: the key is laid over one that is right. */
function readerWith(path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path
  function laid(tree: Record<string, unknown>, [first, ...others]: readonly string[]): Record<string, unknown> {
    const below = others.length === 0 ? value : laid((tree[first!] ?? {}) as Record<string, unknown>, others)
    return {
      ...tree,
      [first!]: others.length === 0 && isTree(value) ? { ...value, ...(tree[first!] as object) } : below,
    }
  }
  return laid(READER, [key!, ...rest])
}

/** As the place of a mistake: whole, and not as the beginning of another. */
function namesPlace(message: string, place: string): boolean {
  return message.split('\n').some((line) => {
    const told = line.replace(/^ {4}at /, '')
    return told === place || told.startsWith(`${place}: `)
  })
}

function isTree(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

describe('every documented key of every component', async () => {
  const schemaTakes = new Ajv({ allowUnionTypes: true }).compile(JSON.parse(await printSchema(registry)))
  const inSchema = (owner: string, path: readonly string[], value: unknown): boolean =>
    schemaTakes(treeAt([...owner.split('::'), ...path], value))

  for (const [owner, schema] of await owners()) {
    describe(owner, () => {
      const keys = keysOf(owner, schema)
      it('is there', () => assert.ok(keys.length > 0))

      for (const key of keys) {
        const place = key.path.join('::')
        const isItem = ['0', 'name', 'metrics/other'].includes(key.path.at(-1)!)
        if (!isItem) it(`${place} has a sentence`, () => assert.match(key.text, /\S.*\.$|[:;,] \S/))

        it(`${place} takes a valid value`, async () => {
          const { path, value } = validAt(key)
          const message = await configuration(owner, path, value)
          if (NEVER.includes(place)) assert.notEqual(message, '')
          else assert.equal(message, '')
          assert.ok(inSchema(owner, path, value), JSON.stringify(schemaTakes.errors))
        })

        const wrong = invalidExample(key.schema)
        if (wrong === undefined) continue
        it(`${place} refuses an invalid one and is named`, async () => {
          const message = await configuration(owner, key.path, wrong)
          const where = [...owner.split('::'), ...key.path].join('::')
          assert.ok(namesPlace(message, where), `${message}\n\nlacks ${where}`)
          assert.ok(!inSchema(owner, key.path, wrong), 'the JSON Schema takes it')
        })
      }
    })
  }
})
