import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { COMPONENTS, INSTEAD } from '../../src/component/components.ts'
import { createRegistry } from '../../src/component/registry.ts'
import { loadConfig } from '../../src/config/index.ts'

describe('the list of components', () => {
  for (const entry of COMPONENTS) {
    it(`says of ${entry.kind} ${entry.type} what its factory says`, async () => {
      const { factory } = await entry.load()
      const { kind, type, stability, description, aliases } = factory
      assert.deepEqual(
        { kind, type, stability, description, aliases },
        {
          kind: entry.kind,
          type: entry.type,
          stability: entry.stability,
          description: entry.description,
          aliases: entry.aliases,
        },
      )
    })
  }

  it('has each name once a kind, aliases included, and none that users are sent elsewhere for', () => {
    const names = COMPONENTS.flatMap(({ kind, type, aliases = [] }) =>
      [type, ...aliases].map((name) => `${kind} ${name}`),
    )
    assert.equal(new Set(names).size, names.length)
    const elsewhere = Object.entries(INSTEAD).flatMap(([kind, table]) =>
      Object.keys(table).map((name) => `${kind} ${name}`),
    )
    assert.deepEqual(
      elsewhere.filter((name) => names.includes(name)),
      [],
    )
  })
})

describe('a component that does not belong here', () => {
  const sentences = Object.entries(INSTEAD).flatMap(([kind, table]) =>
    Object.entries(table).map(([type, sentence]) => ({ kind, type, sentence })),
  )
  const looked = ['receiver otlp', 'receiver hostmetrics', 'processor transform', 'processor k8sattributes']
  looked.push('processor resourcedetection', 'processor deltatocumulative', 'extension health_check')

  it('is one that users look for', () => {
    const names = sentences.map(({ kind, type }) => `${kind} ${type}`)
    assert.deepEqual(
      looked.filter((name) => !names.includes(name)),
      [],
    )
  })

  for (const { kind, type, sentence } of sentences) {
    it(`${kind} ${type} is refused with one sentence: what to use instead`, async () => {
      assert.match(sentence, /^[^\n.]+(?:\.[a-z_][^\n.]*)*$/)
      const settings = `yaml:{${kind}s: {${type}: }, service: {pipelines: {metrics: {}}}}`
      await assert.rejects(loadConfig({ uris: [settings], registry: createRegistry() }), (error: Error) => {
        const lines = error.message.split('\n')
        const said = lines.findIndex((line) => line.startsWith(`'${kind}s' unknown type: "${type}" for id: "${type}"`))
        return said >= 0 && lines[said + 1] === `    at ${kind}s::${type}: ${sentence}`
      })
    })
  }
})

describe('the registry', () => {
  const registry = createRegistry()

  it('finds a component by an older name, and says the new one', async () => {
    assert.equal((await registry.find('exporters', 'otlp'))?.renamedTo, 'otlp_grpc')
    assert.equal((await registry.find('exporters', 'otlp_grpc'))?.renamedTo, undefined)
    assert.equal((await registry.find('processors', 'cumulativetodelta'))?.renamedTo, 'cumulative_to_delta')
  })

  it('finds nothing of another kind, nor what is a property of every object', async () => {
    assert.equal(await registry.find('receivers', 'console'), undefined)
    assert.equal(registry.insteadOf('receivers', 'constructor'), undefined)
  })

  it('says which component cannot be loaded, and why', async () => {
    const broken = createRegistry([
      {
        kind: 'exporter',
        type: 'broken',
        stability: 'alpha',
        description: '',
        load: () => Promise.reject(new Error("Cannot find package 'x'")),
      },
    ])
    await assert.rejects(broken.find('exporters', 'broken'), {
      code: 'NETVITALS_COMPONENT_LOAD',
      message: 'cannot load exporter "broken": Cannot find package \'x\'',
    })
  })
})
