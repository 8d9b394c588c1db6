import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { printSchema } from '../../src/commands/print-schema.ts'
import { createRegistry } from '../../src/component/registry.ts'
import { factory } from '../component/toy/index.ts'
import { cli } from '../support/cli.ts'
import { toEntry } from '../support/components.ts'

describe('print-schema', () => {
  it('prints the schema of a whole file, here of one component and the service', async () => {
    const golden = readFileSync(new URL('testdata/print-schema.json.txt', import.meta.url), 'utf8')
    assert.equal(await printSchema(createRegistry([toEntry(factory)])), golden)
  })

  it('knows every component, its keys with sentence and default, and its older names', async () => {
    const { code, stdout, stderr } = await cli(['print-schema'])
    assert.equal(stderr, '')
    assert.equal(code, 0)
    const schema = JSON.parse(stdout)
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
