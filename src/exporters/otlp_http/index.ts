import type { ExporterFactory } from '../../component/types.ts'
import { reach } from '../sending/reach.ts'
import { createMetricsClient } from './client.ts'
import { type Config, config } from './config.ts'
import { createOtlpHttpExporter } from './exporter.ts'

/** @see README.md beside this file */
export const factory: ExporterFactory<Config> = {
  kind: 'exporter',
  type: 'otlp_http',
  aliases: ['otlphttp'],
  stability: 'beta',
  description: 'Sends metrics to an OpenTelemetry Collector or backend as OTLP over HTTP.',
  config,
  create: createOtlpHttpExporter,
  reach: async (settings, config, signal) => reach(createMetricsClient(config, settings), signal, config.encoding),
}
