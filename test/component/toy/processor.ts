import { setTimeout } from 'node:timers/promises'
import type { Consumer, Processor, Settings } from '../../../src/component/types.ts'
import type { Config } from './config.ts'

/** Hands on each batch after `delay`. */
export function createToyProcessor(_settings: Settings, { delay }: Config, next: Consumer): Processor {
  return {
    start: async () => {},
    stop: async () => {},
    async consume(batch) {
      await setTimeout(delay)
      await next.consume(batch)
    },
  }
}
