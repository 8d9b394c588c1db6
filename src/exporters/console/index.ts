import { hostname } from 'node:os'
import type { ExporterFactory } from '../../component/types.ts'
import { type Config, config } from './config.ts'
import { createConsoleExporter } from './exporter.ts'

export const factory: ExporterFactory<Config> = {
  kind: 'exporter',
  type: 'console',
  stability: 'beta',
  description: 'A table of every container and whom it talks to, the worst links first.',
  config,
  create: ({ id }, config) => createConsoleExporter({ id, config, fd: 1, env: process.env, hostname: hostname() }),
}
