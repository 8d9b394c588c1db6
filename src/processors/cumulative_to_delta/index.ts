import type { ProcessorFactory } from '../../component/types.ts'
import { type Config, config } from './config.ts'
import { createCumulativeToDelta } from './cumulative-to-delta.ts'

export const factory: ProcessorFactory<Config> = {
  kind: 'processor',
  type: 'cumulative_to_delta',
  aliases: ['cumulativetodelta'],
  stability: 'beta',
  description: 'Tells monotonic sums since their last point instead of since their start.',
  config,
  create: createCumulativeToDelta,
}
