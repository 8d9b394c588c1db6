import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

const HEAVY = ['@grpc/grpc-js', '@opentelemetry/sdk-metrics', '@opentelemetry/otlp-transformer']

/** The packages that a program asks for, of those that are heavy. */
function packagesLoadedBy(program: string): string[] {
  const script = `
    import { registerHooks } from 'node:module'
    const asked = new Set()
    registerHooks({ resolve(specifier, context, next) { asked.add(specifier); return next(specifier, context) } })
    ${program}
    console.log(JSON.stringify([...asked]))`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  return (JSON.parse(output) as string[]).filter((specifier) => HEAVY.includes(specifier))
}

const IMPORT = "const { factory } = await import('./src/exporters/otlp_grpc/index.ts')"

test('listing and configuring the exporter loads nothing heavy', () => {
  assert.deepEqual(packagesLoadedBy(`${IMPORT}; factory.config.parse({ endpoint: 'localhost:1' })`), [])
})

test('otlp_http loads nothing heavy, sending included', () => {
  const send = `
    const { factory } = await import('./src/exporters/otlp_http/index.ts')
    const { createLogger } = await import('./src/log.ts')
    const { createNoopMeter } = await import('@opentelemetry/api')
    const settings = { id: { type: 'otlp_http', name: '' }, log: createLogger(), meter: createNoopMeter(), version: '0' }
    const exporter = factory.create(settings, factory.config.parse({ endpoint: 'http://localhost:1', encoding: 'json' }))
    await exporter.start({})
    await exporter.stop()`
  assert.deepEqual(packagesLoadedBy(send), [])
})

test('starting it loads gRPC, and never the SDK', () => {
  const start = `
    const { createLogger } = await import('./src/log.ts')
    const { createNoopMeter } = await import('@opentelemetry/api')
    const settings = { id: { type: 'otlp_grpc', name: '' }, log: createLogger(), meter: createNoopMeter(), version: '0' }
    const exporter = factory.create(settings, factory.config.parse({ endpoint: 'localhost:1' }))
    await exporter.start({})
    await exporter.stop()`
  assert.deepEqual(packagesLoadedBy(IMPORT + start), ['@grpc/grpc-js'])
})
