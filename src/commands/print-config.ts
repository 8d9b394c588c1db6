import { stringify } from 'yaml'
import type { ComponentRegistry } from '../component/registry.ts'
import { loadConfig, renderConfig } from '../config/index.ts'
import { requireConfig } from './configuration.ts'
import { APPEND_LISTS, applyGates, isEnabled } from './feature-gates.ts'
import type { Flags } from './flags.ts'

const FORMATS = ['yaml', 'json'] as const
const MODES = ['redacted', 'unredacted'] as const

export interface PrintConfigOptions extends Pick<Flags, 'config' | 'set' | 'featureGates'> {
  readonly registry: ComponentRegistry
  /** `redacted` or `unredacted`, in any case. */
  readonly mode: string
  /** `yaml` (durations as 5s) or `json` (durations as nanoseconds), in any case. */
  readonly format: string
  /** false: print what has the right form, whatever it says. */
  readonly validate: boolean
}

/**
 * The effective configuration, defaults included, as the Collector's command prints its own. What is printed
 * unredacted as YAML can be a configuration again.
 * @throws ConfigError, and Error for a mode or a format that does not exist
 */
export async function printConfig(options: PrintConfigOptions): Promise<string> {
  const { config: uris, set: sets, featureGates, registry, validate } = options
  const mode = options.mode.toLowerCase()
  const format = options.format.toLowerCase()
  if (!MODES.includes(mode as (typeof MODES)[number]))
    throw new Error(`invalid mode "${options.mode}": modes are: ${MODES.join(', ')}`)
  if (!FORMATS.includes(format as (typeof FORMATS)[number]))
    throw new Error(`unrecognized print format: ${options.format}\n    formats are: ${FORMATS.join(', ')}`)
  requireConfig(uris)
  const appendLists = isEnabled(applyGates(featureGates), APPEND_LISTS)
  const config = await loadConfig({ uris, sets, registry, validate, appendLists })
  const unredacted = mode === 'unredacted'
  if (format === 'json') {
    return `${JSON.stringify(renderConfig(config, { unredacted, durations: 'nanoseconds' }), null, 2)}\n`
  }
  return `${toYaml(renderConfig(config, { unredacted, durations: 'text' }))}\n`
}

/** Laid out as go-yaml lays it out. YAML 1.1, so that `yes` and 017 in quotes are safe with any reader. */
function toYaml(value: unknown): string {
  return stringify(value, { indent: 4, lineWidth: 0, version: '1.1', aliasDuplicateObjects: false })
}
