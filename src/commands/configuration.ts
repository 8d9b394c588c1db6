import type { ComponentRegistry } from '../component/registry.ts'
import type { Factory } from '../component/types.ts'
import { type Config, loadConfig } from '../config/index.ts'
import { type Providers, standardProviders } from '../config/providers.ts'
import { configError } from '../errors.ts'
import { APPEND_LISTS, applyGates, isEnabled } from './feature-gates.ts'
import type { Flags } from './flags.ts'
import { stampOf } from './watch.ts'

/** What the flags name, as it can be read again and again. */
export interface Configuration {
  /**
   * Reads everything anew.
   * @throws ConfigError
   */
  load(): Promise<{ readonly config: Config<Factory>; readonly warnings: readonly string[] }>
  /**
   * Files that the last reading looked into, and where it failed, those of the one before too; each with its stamp
   * (stampOf) from right before that.
   */
  files(): ReadonlyMap<string, string>
}

export interface ConfigurationOptions extends Pick<Flags, 'config' | 'set' | 'featureGates'> {
  readonly registry: ComponentRegistry
}

/** @throws ConfigError when a feature gate is not one */
export function createConfiguration({
  config: uris,
  set,
  featureGates,
  registry,
}: ConfigurationOptions): Configuration {
  const appendLists = isEnabled(applyGates(featureGates), APPEND_LISTS)
  let files = new Map<string, string>()

  return {
    async load() {
      const seen = new Map<string, string>()
      const warnings: string[] = []
      try {
        const config = await loadConfig({
          uris,
          sets: set,
          registry,
          appendLists,
          providers: noting(standardProviders, seen),
          warn: (message) => warnings.push(message),
        })
        files = seen
        return { config, warnings }
      } catch (error) {
        files = new Map([...files, ...seen])
        throw error
      }
    },
    files: () => files,
  }
}

/** The same providers; which files they were asked for is noted. */
function noting(providers: Providers, files: Map<string, string>): Providers {
  const file = providers.get('file')
  if (file === undefined) return providers
  return new Map(providers).set('file', async (path, context) => {
    files.set(path, await stampOf(path))
    return file(path, context)
  })
}

/** @throws ConfigError when there is none: only `run` has a configuration of its own */
export function requireConfig(uris: readonly string[]): void {
  if (uris.length === 0)
    throw configError('flags', [], 'at least one config flag must be provided', 'write --config=FILE')
}
