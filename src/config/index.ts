import { configError } from '../errors.ts'
import type { Providers } from './providers.ts'
import { resolve } from './resolver.ts'
import { type Config, type Registry, unmarshal } from './unmarshal.ts'

export { type RenderOptions, renderConfig } from './render.ts'

export type { PipelineConfig, ServiceSection, TelemetryConfig } from './service-section.ts'
export type { ComponentConfig, ComponentSpec, Config, Registry, Section } from './unmarshal.ts'

export interface LoadOptions<F> {
  /** `--config`, in order. */
  readonly uris: readonly string[]
  /** `--set key=value`, after all of `uris`. */
  readonly sets?: readonly string[]
  readonly registry: Registry<F>
  readonly providers?: Providers
  readonly signals?: readonly string[]
  /** What is worth a line in the log although it is no error. */
  readonly warn?: (message: string) => void
  /** The Collector's gate confmap.enableMergeAppendOption: lists of components are joined, not replaced. */
  readonly appendLists?: boolean
  /** false: the form is checked, what it says is not. */
  readonly validate?: boolean
}

/**
 * URIs to a typed configuration.
 * @throws ConfigError with every mistake that could be found at the first stage that has any
 */
export async function loadConfig<F>(options: LoadOptions<F>): Promise<Config<F>> {
  const { uris, sets = [], ...rest } = options
  return unmarshal(await resolve({ ...rest, uris: [...uris, ...sets.map(setToUri)] }), rest)
}

/** `a.b=1` is the document `a::b: 1`. */
export function setToUri(set: string): string {
  const equals = set.indexOf('=')
  if (equals < 0) {
    throw configError(
      'flags',
      [],
      `invalid argument ${JSON.stringify(set)} for "--set" flag: missing equal sign`,
      'write --set=key=value',
    )
  }
  return `yaml:${set.slice(0, equals).trim().replaceAll('.', '::')}: ${set.slice(equals + 1).trim()}`
}
