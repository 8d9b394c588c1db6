import type { ExporterFactory } from '../../component/types.ts'
import { type Config, config } from './config.ts'
import { createDebugExporter } from './exporter.ts'

export const factory: ExporterFactory<Config> = {
  kind: 'exporter',
  type: 'debug',
  stability: 'beta',
  description: 'Logs what passes, as the Collector prints it.',
  config,
  create: ({ id, log }, config) => createDebugExporter({ id, log, config }),
}
