/**
 * What a `${...}` that is a whole value became. It keeps its text beside the typed value, because the target
 * decides: `${env:PORT}` with PORT=0123 is 83 in an integer and "0123" in a string, where a literal 0123 in
 * a string is an error.
 */
export interface Expanded {
  readonly [EXPANDED]: true
  readonly value: unknown
  /** Absent where the source has no text of its own, e.g. a map that was merged from several. */
  readonly text: string
}

const EXPANDED: unique symbol = Symbol('expanded')

export function expanded(value: unknown, text: string): Expanded {
  return { [EXPANDED]: true, value, text }
}

export function isExpanded(value: unknown): value is Expanded {
  return typeof value === 'object' && value !== null && EXPANDED in value
}

export type Tree = { [key: string]: unknown }

export function isMap(value: unknown): value is Tree {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !isExpanded(value)
  )
}

/** The value itself, typed as YAML typed it. */
export function typed(value: unknown): unknown {
  return isExpanded(value) ? value.value : value
}

/** The tree without any Expanded in it. */
export function typedDeep(value: unknown): unknown {
  const plain = typed(value)
  if (Array.isArray(plain)) return plain.map(typedDeep)
  if (isMap(plain)) return Object.fromEntries(Object.entries(plain).map(([key, item]) => [key, typedDeep(item)]))
  return plain
}

/** The name that the Collector's messages have for the type of a value. */
export function goType(value: unknown): string {
  if (value === null || value === undefined) return 'nil'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  if (typeof value === 'bigint') return 'int'
  if (value instanceof Date) return 'time.Time'
  if (Array.isArray(value)) return '[]interface {}'
  if (typeof value === 'object') return 'map[string]interface {}'
  return typeof value
}
