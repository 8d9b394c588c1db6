import type { ComponentRegistry } from '../component/registry.ts'
import { loadConfig } from '../config/index.ts'
import { configError } from '../errors.ts'

export interface ValidateOptions {
  readonly config: readonly string[]
  readonly set: readonly string[]
  readonly registry: ComponentRegistry
}

/**
 * Resolves with 0 and prints nothing when the configuration is right.
 * @throws ConfigError
 */
export async function validate({ config, set, registry }: ValidateOptions): Promise<number> {
  if (config.length === 0)
    throw configError('flags', [], 'at least one config flag must be provided', 'write --config=FILE')
  await loadConfig({ uris: config, sets: set, registry })
  return 0
}
