import type { ProcessorFactory } from '../../../src/component/types.ts'
import { type Config, config } from './config.ts'
import { createToyProcessor } from './processor.ts'

/** @see README.md beside this file */
export const factory: ProcessorFactory<Config> = {
  kind: 'processor',
  type: 'toy',
  aliases: ['plaything'],
  stability: 'development',
  description: 'Holds each batch for a moment.',
  config,
  create: createToyProcessor,
}
