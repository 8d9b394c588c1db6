import { configError } from '../errors.ts'

/** A feature that can be turned on or off with --feature-gates. @see go.opentelemetry.io/collector/featuregate */
export interface FeatureGate {
  readonly id: string
  readonly stage: 'Alpha' | 'Beta' | 'Stable' | 'Deprecated'
  readonly enabled: boolean
  readonly description: string
  readonly fromVersion: string
}

export const APPEND_LISTS = 'confmap.enableMergeAppendOption'

export const FEATURE_GATES: readonly FeatureGate[] = [
  {
    id: APPEND_LISTS,
    stage: 'Alpha',
    enabled: false,
    description:
      'Lists of extensions, receivers and exporters in the service section are appended when configurations are merged, not replaced.',
    fromVersion: 'v0.1.0',
  },
]

/**
 * The gates as `--feature-gates` leaves them: `id` and `+id` turn one on, `-id` off; several between commas.
 * @throws ConfigError of stage 'flags', in the Collector's words
 */
export function applyGates(flags: readonly string[], gates = FEATURE_GATES): readonly FeatureGate[] {
  const state = new Map(gates.map((gate) => [gate.id, gate]))
  for (const flag of flags.filter((text) => text !== '')) {
    const words = flag.split(',')
    const empty = words.findIndex((word) => /^[+-]?$/.test(word))
    if (empty >= 0) throw refuse(flag, `empty feature gate identifier at index ${empty}`)
    for (const word of words) {
      const id = word.replace(/^[+-]/, '')
      const gate = state.get(id)
      const valid = [...state.keys()].sort().join(' ')
      if (gate === undefined) throw refuse(flag, `no such feature gate "${id}". valid gates: [${valid}]`)
      const enabled = !word.startsWith('-')
      if (gate.stage === 'Stable' && !enabled) throw refuse(flag, `feature gate "${id}" is stable, can not be disabled`)
      if (gate.stage === 'Deprecated' && enabled)
        throw refuse(flag, `feature gate "${id}" is deprecated, can not be enabled`)
      state.set(id, { ...gate, enabled })
    }
  }
  return [...state.values()]
}

function refuse(flag: string, reason: string): Error {
  return configError('flags', [], `invalid argument ${JSON.stringify(flag)} for "--feature-gates" flag: ${reason}`)
}

export function isEnabled(gates: readonly FeatureGate[], id: string): boolean {
  return gates.some((gate) => gate.id === id && gate.enabled)
}

/**
 * What `netvitals featuregate [id]` prints.
 * @throws Error when there is no such gate
 */
export function describeGates(gates: readonly FeatureGate[], id?: string): string {
  if (id === undefined) {
    const rows = gates.map(({ id, enabled, stage, description }) => [id, String(enabled), stage, description])
    return columns([['ID', 'Enabled', 'Stage', 'Description'], ...rows])
  }
  const gate = gates.find((each) => each.id === id)
  if (gate === undefined) throw new Error(`feature "${id}" not found`)
  const { enabled, stage, description, fromVersion } = gate
  const lines = [`Feature: ${id}`, `Enabled: ${enabled}`, `Stage: ${stage}`, `Description: ${description}`]
  return [...lines, `From Version: ${fromVersion}`, ''].join('\n')
}

/** Three spaces between columns, as the Collector sets its tables. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
  const last = widths.length - 1
  return rows
    .map((row) => `${row.map((cell, at) => (at === last ? cell : cell.padEnd(widths[at]! + 3))).join('')}\n`)
    .join('')
}
