import { join } from 'node:path'
import { createRegistry } from '../../src/component/registry.ts'
import type { ExporterFactory } from '../../src/component/types.ts'
import { loadConfig } from '../../src/config/index.ts'
import { runExporter, type TestExporter } from './exporting.ts'
import { ROOT } from './program.ts'

/** The path of a file in otel-config/backends. */
export function backendConfig(name: string): string {
  return join(ROOT, 'otel-config', 'backends', `${name}.yaml`)
}

/** The exporter that a file of otel-config/backends makes with this environment, and with `over` laid over it. */
export async function startBackendExporter(
  name: string,
  env: Readonly<Record<string, string>>,
  over: object = {},
): Promise<TestExporter> {
  Object.assign(process.env, env)
  const laidOver = `yaml:${JSON.stringify({ exporters: { otlp_http: over } })}`
  const config = await loadConfig({ uris: [backendConfig(name), laidOver], registry: createRegistry() })
  for (const key of Object.keys(env)) delete process.env[key]
  const { factory, config: settings } = config.exporters.get('otlp_http')!
  return runExporter(factory as ExporterFactory<unknown>, settings)
}
