import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Ajv } from 'ajv'
import { printSchema } from '../../src/commands/print-schema.ts'
import { type ComponentRegistry, createRegistry } from '../../src/component/registry.ts'
import { loadConfig, setToUri } from '../../src/config/index.ts'
import { parseYaml } from '../../src/config/yaml.ts'
import { ConfigError } from '../../src/errors.ts'
import { CASES, FOLDER, inCase, SKIP } from '../conformance/cases.ts'
import { COLLECTOR_COMPONENTS } from '../conformance/components.ts'
import { ROOT } from '../support/cli.ts'

/** What a JSON Schema cannot say, by the words in which `validate` says it. Anything else, both refuse. */
const BEYOND_SCHEMA: readonly [what: string, said: RegExp][] = [
  ['that a name stands in another place too', /references \w+ ".*" (?:which is not configured|multiple times)/],
  [
    'what a file lacks: another may have it',
    /no (?:receiver|exporter) configuration|must have at least one|empty config/,
  ],
  ['that two names are one without their spaces', /duplicate name|duplicate (?:keys in map|entry)|ambiguous ID/],
  [
    'what a text means',
    /missing port|invalid port|socket path|invalid balancer_name|unsupported TLS version|invalid uri/,
  ],
  [
    'that a text with a default must not stay empty',
    /requires? a non-empty|is required when|(?:specify at|at) least one (?:protocol|endpoint)/,
  ],
  ['a bound of a duration that is text', /(?:timeout|value) must be greater or?|must be at \w+ [\d.]+(?:m?s|m|h), got/],
  ['what one key means beside another', /only with|not supported|must not be empty|both|than '|than max|supports only/],
  [
    'the same, of sizes',
    /must be (?:less than or equal|greater (?:or|than) .*equal) to|smaller than|unsupported param/,
  ],
  ["bounds that are a component's own", /must be positive|value must be|must be greater than zero|power of two/],
  ['what is documented only to be refused', /pull reader|verbosity level "None"/],
  ['what is not there at all', /should exist when metric level/],
  ['what a variable or a file holds', /environment variable|unable to read|recursive expansions/],
]

async function compile(registry: ComponentRegistry) {
  const schema = JSON.parse(await printSchema(registry))
  return new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema)
}

const used = new Set<string>()

function beyondSchema(message: string): boolean {
  const found = BEYOND_SCHEMA.find(([, said]) => said.test(message))
  if (found !== undefined) used.add(found[0])
  return found !== undefined
}

describe('the JSON Schema', () => {
  const folders = ['test/config/testdata', 'otel-config', 'otel-config/backends']
  const files = folders.flatMap((folder) => {
    try {
      return readdirSync(join(ROOT, folder))
        .filter((file) => file.endsWith('.yaml') && !file.includes('collector'))
        .map((file) => `${folder}/${file}`)
    } catch {
      return []
    }
  })

  it('is compiled in strict mode', async () => assert.ok(await compile(createRegistry())))

  describe('says of a file of ours what validate says', async () => {
    const registry = createRegistry()
    const matches = await compile(registry)
    for (const file of files) {
      it(file, async () => {
        const text = readFileSync(join(ROOT, file), 'utf8')
        const message = await messageOf({ uris: [join(ROOT, file)], registry })
        if (/not valid YAML|cannot be used as a Conf/.test(message)) return
        agree(file, matches(parseYaml(text)), JSON.stringify(matches.errors, null, 1), message)
      })
    }
  })

  describe('says of every case what validate says', { skip: SKIP }, async () => {
    const registry = createRegistry(COLLECTOR_COMPONENTS)
    const matches = await compile(registry)
    for (const item of CASES.filter(({ mode }) => mode === 'collector')) {
      it(item.id, async () => {
        const uris = [...item.config, ...(item.set ?? []).map(setToUri)]
        const message = await inCase(item, () => messageOf({ uris, registry, signals: ['traces', 'metrics', 'logs'] }))
        const texts = uris.map((uri) =>
          uri.startsWith('file:') ? readFileSync(join(FOLDER, uri.slice(5)), 'utf8') : uri.replace(/^yaml:/, ''),
        )
        const documents = texts.map(parseYaml).map(asMetrics)
        const accepted = documents.every((document) => matches(document))
        agree(item.id, accepted, JSON.stringify(matches.errors, null, 1), message)
      })
    }
  })

  it('has no exception that is not needed', () => {
    const unused = BEYOND_SCHEMA.map(([what]) => what).filter((what) => !SKIP && !used.has(what))
    assert.deepEqual(unused, [])
  })
})

function agree(what: string, accepted: boolean, errors: string, message: string): void {
  if (message === '') assert.ok(accepted, `${what}: validate takes it, the schema does not: ${errors}`)
  else if (!beyondSchema(message)) assert.ok(!accepted, `${what}: the schema takes it, validate says: ${message}`)
}

/** The cases have pipelines of other signals, too; here there are only metrics. */
function asMetrics(document: unknown): unknown {
  const pipelines = (document as { service?: { pipelines?: object } } | null)?.service?.pipelines
  if (typeof pipelines !== 'object' || pipelines === null) return document
  const renamed = Object.entries(pipelines).map(([key, value]) => [key.replace(/^(?:traces|logs)/, 'metrics'), value])
  const { service } = document as { service: object }
  return { ...(document as object), service: { ...service, pipelines: Object.fromEntries(renamed) } }
}

async function messageOf(options: Parameters<typeof loadConfig>[0]): Promise<string> {
  return loadConfig(options).then(
    () => '',
    (error: unknown) => {
      if (!(error instanceof ConfigError)) throw error
      return error.message
    },
  )
}
