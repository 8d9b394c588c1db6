import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { describeComponents } from '../../src/commands/components.ts'
import { withKeys } from '../../src/commands/generate.ts'
import { printConfig } from '../../src/commands/print-config.ts'
import { printSchema } from '../../src/commands/print-schema.ts'
import { COMPONENTS, type ComponentEntry } from '../../src/component/components.ts'
import { createRegistry } from '../../src/component/registry.ts'
import { documentKeys } from '../../src/config/document.ts'
import { loadConfig } from '../../src/config/index.ts'
import { createSwitchableLogger } from '../../src/log.ts'
import { buildService } from '../../src/service/service.ts'
import { createTestComponents } from '../support/components.ts'
import { config } from './toy/config.ts'

/** All that it takes besides the component's own folder. */
const TOY: ComponentEntry = {
  kind: 'processor',
  type: 'toy',
  aliases: ['plaything'],
  stability: 'development',
  description: 'Holds each batch for a moment.',
  load: () => import('./toy/index.ts'),
}

const SETTINGS = `
processors: {toy: {delay: 1ms, password: s3cret}}
receivers: {script: {deliver: shop}}
exporters: {memory: {}}
service: {pipelines: {metrics: {receivers: [script], processors: [toy], exporters: [memory]}}}`

describe('a component that is one folder and one line', () => {
  const own = createTestComponents()
  const registry = createRegistry([...COMPONENTS, ...own.entries, TOY])
  const uris = [`yaml:${SETTINGS}`]
  const flags = { config: uris, set: [], featureGates: [], registry, validate: true, mode: 'redacted', format: 'yaml' }

  it('is configured and runs', async () => {
    const loaded = await loadConfig({ uris, registry })
    const logger = createSwitchableLogger({ write: () => {} })
    const service = await buildService(loaded, { version: '0', logger, onFatal: assert.fail })
    await service.start()
    await service.stop()
    assert.equal(own.received.get('memory')?.length, 1)
  })

  it('is refused with its keys and bounds', async () => {
    const sets = ['processors.toy.delay=-1s']
    await assert.rejects(loadConfig({ uris, sets, registry }), /processors::toy::delay: must be at least 0s, got -1s/)
    await assert.rejects(loadConfig({ uris, sets: ['processors.toy.dealy=1s'], registry }), /did you mean "delay"\?/)
  })

  it('works by its older name, which is told', async () => {
    const warnings: string[] = []
    const older = [`yaml:${SETTINGS.replaceAll('toy', 'plaything')}`]
    await loadConfig({ uris: older, registry, warn: (message) => warnings.push(message) })
    assert.deepEqual(warnings, ['"plaything" is an older name: write "toy" in processors'])
  })

  it('is listed, printed without its secret and in the schema', async () => {
    const listed = parse(describeComponents(registry, '0')).processors.map(({ name }: { name: string }) => name)
    assert.ok(listed.includes('toy'))
    assert.deepEqual(parse(await printConfig(flags)).processors.toy, { delay: '1ms', password: '[REDACTED]' })
    assert.ok('processors.toy' in JSON.parse(await printSchema(registry)).$defs)
  })

  it('is documented by its schema', () => {
    const readme = readFileSync(new URL('toy/README.md', import.meta.url), 'utf8')
    assert.equal(withKeys(readme, documentKeys(config)), readme)
  })
})
