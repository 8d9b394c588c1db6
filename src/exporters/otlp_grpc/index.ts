import type { ExporterFactory } from '../../component/types.ts'
import { reach } from '../sending/reach.ts'
import { createMetricsClient } from './client.ts'
import { type Config, config } from './config.ts'
import { createOtlpGrpcExporter } from './exporter.ts'

/** @see README.md beside this file */
export const factory: ExporterFactory<Config> = {
  kind: 'exporter',
  type: 'otlp_grpc',
  aliases: ['otlp'],
  stability: 'beta',
  description: 'Sends metrics to an OpenTelemetry Collector or backend as OTLP over gRPC.',
  config,
  create: createOtlpGrpcExporter,
  reach: (settings, config, signal) => reach(createMetricsClient(config, settings), signal),
}
