import type { ProcessorFactory } from '../../component/types.ts'
import { createBatchProcessor } from './batch.ts'
import { type Config, config } from './config.ts'

export const factory: ProcessorFactory<Config> = {
  kind: 'processor',
  type: 'batch',
  stability: 'beta',
  description: 'Joins and splits batches by their number of data points.',
  config,
  create: createBatchProcessor,
}
