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

/** Most characters that a configuration may amount to, with everything expanded. */
export const RESOLVED_LIMIT = 64 * 2 ** 20

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

/** The tree without any Expanded in it; whole numbers beyond 2^53 become the nearest double. */
export function typedDeep(value: unknown): unknown {
  const plain = typed(value)
  if (typeof plain === 'bigint') return Number(plain)
  if (Array.isArray(plain)) return plain.map(typedDeep)
  if (isMap(plain)) return Object.fromEntries(Object.entries(plain).map(([key, item]) => [key, typedDeep(item)]))
  return plain
}

/** What stands for a secret in everything that is printed, as in the Collector. */
export const REDACTED = '[REDACTED]'

/** A URL may hold a password where no secret is expected. */
export function withoutPassword(text: string): string {
  return text.replace(/(\/\/[^/?#\s:@]*:)[^/?#\s]*@/g, `$1${REDACTED}@`)
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

const NODE_CHARS = 4

/** Characters that a value amounts to when it is written out; what it shares counts as often as it is used. */
export function sizeOf(value: unknown): number {
  const known = new Map<object, number>()
  function measure(item: unknown): number {
    const plain = typed(item)
    if (typeof plain === 'string') return plain.length + NODE_CHARS
    if (typeof plain !== 'object' || plain === null) return NODE_CHARS
    const before = known.get(plain)
    if (before !== undefined) return before
    let size = NODE_CHARS
    if (Array.isArray(plain)) for (const child of plain) size += measure(child)
    else for (const [key, child] of Object.entries(plain)) size += key.length + measure(child)
    known.set(plain, size)
    return size
  }
  return measure(value)
}

/** Refuses more than RESOLVED_LIMIT in all: what has been read for one configuration. */
export function createSizeLimit() {
  let total = 0
  function addChars(chars: number): void {
    total += chars
    if (total > RESOLVED_LIMIT) throw new Error(`the configuration amounts to more than ${RESOLVED_LIMIT} characters`)
  }
  return {
    /** @throws Error */
    addChars,
    /** @throws Error */
    add: (value: unknown) => addChars(sizeOf(value)),
  }
}

export type SizeLimit = ReturnType<typeof createSizeLimit>
