import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { printSchema } from '../../src/commands/print-schema.ts'
import { createRegistry } from '../../src/component/registry.ts'
import { factory } from '../component/toy/index.ts'
import { cli } from '../support/cli.ts'
import { toEntry } from '../support/components.ts'
import { assertGolden } from '../support/golden.ts'

const golden = (name: string) => new URL(`testdata/${name}`, import.meta.url)

/** The same JSON in fewer lines: whatever fits on one is on one. */
function folded(value: unknown, indent = ''): string {
  const flat = JSON.stringify(value)
  if (typeof value !== 'object' || value === null || indent.length + flat.length <= 118) return flat
  const deeper = `${indent}  `
  const items = Array.isArray(value)
    ? value.map((item) => deeper + folded(item, deeper))
    : Object.entries(value).map(([key, item]) => `${deeper}${JSON.stringify(key)}: ${folded(item, deeper)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${items.join(',\n')}\n${indent}${close}`
}

describe('print-schema', () => {
  it('prints the schema of a whole file, here of one component and the service', async () => {
    assertGolden(golden('print-schema.json.txt'), await printSchema(createRegistry([toEntry(factory)])))
  })

  it('knows every component, its keys with sentence and default, and its older names', async () => {
    const { code, stdout, stderr } = await cli(['print-schema'])
    assert.equal(stderr, '')
    assert.equal(code, 0)
    const schema = JSON.parse(stdout)
    assertGolden(golden('print-schema.whole.json.txt'), `${folded(schema)}\n`)
    assert.deepEqual(
      Object.keys(schema.$defs).filter((name) => name !== 'expression'),
      createRegistry().entries.map(({ kind, type }) => `${kind}s.${type}`),
    )
    const [settings] = schema.$defs['processors.batch'].anyOf[0].anyOf
    const { description, default: standard } = settings.properties.timeout
    assert.equal(standard, '200ms')
    assert.match(description, /^Time after which/)
    const [exporters] = schema.properties.exporters.anyOf
    assert.equal(exporters.patternProperties['^otlp$'].deprecated, true)
  })
})
