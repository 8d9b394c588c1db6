import { createNoopMeter } from '@opentelemetry/api'
import type { ExporterFactory, Factory, Settings } from '../../component/types.ts'
import type { ComponentConfig, Config } from '../../config/index.ts'
import { ConfigError, describeProblems, reasonOf } from '../../errors.ts'
import { createLogger } from '../../log.ts'
import { type ConfigurationOptions, createConfiguration } from '../configuration.ts'
import { type Finding, ok, skipped } from './finding.ts'

/** Longest that one endpoint may take. */
const REACH_MS = 5000

export interface CheckedConfig {
  readonly config?: Config<Factory>
  readonly finding: Finding
}

/** Whether `run` would take this configuration. */
export async function checkConfiguration(options: ConfigurationOptions): Promise<CheckedConfig> {
  try {
    const { config, warnings } = await createConfiguration(options).load()
    const found = ['valid', ...warnings].join('; ')
    return { config, finding: ok('configuration', found) }
  } catch (error) {
    const text = error instanceof ConfigError ? describeProblems(error.problems, 'validate') : reasonOf(error)
    return {
      finding: {
        check: 'configuration',
        status: 'unusable',
        found: text.replace(/\s*\n\s*/g, ' '),
        costs: 'nothing starts',
        fix: 'correct it; netvitals validate tells the same',
      },
    }
  }
}

/** Asks every exporter that a pipeline uses, at the same time. */
export async function checkExporters(config: Config<Factory>, version: string): Promise<Finding[]> {
  const used = new Set(Object.values(config.service.pipelines).flatMap(({ exporters }) => exporters.map(String)))
  const parts = [...used].flatMap((id) => config.exporters.get(id) ?? [])
  return Promise.all(parts.map((part) => checkExporter(part, version)))
}

async function checkExporter(part: ComponentConfig<Factory>, version: string): Promise<Finding> {
  const check = `exporter ${part.id}`
  const factory = part.factory as ExporterFactory
  if (factory.reach === undefined) return skipped(check, 'sends nothing to anywhere')
  const settings: Settings = {
    id: part.id,
    version,
    log: createLogger({ level: 'fatal' }),
    meter: createNoopMeter(),
  }
  const endpoint = endpointOf(part.config)
  const reason = await factory
    .reach(settings, part.config, AbortSignal.timeout(REACH_MS))
    .catch((error) => reasonOf(error))
  if (reason === undefined) return ok(check, `${endpoint} takes data`)
  return {
    check,
    status: 'degraded',
    found: `${endpoint}: ${reason}`,
    costs: 'data wait in the queue, and are dropped when it is full',
    fix: `see that it runs and is reachable from here, and check exporters::${part.id}`,
  }
}

/** Without what may be a secret in a URL. */
export function endpointOf(config: unknown): string {
  const { endpoint = '', metrics_endpoint: metrics = '' } = config as Record<string, string>
  const text = metrics || endpoint
  if (!/^https?:/.test(text) || !URL.canParse(text)) return text
  const { protocol, host, pathname } = new URL(text)
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`
}
