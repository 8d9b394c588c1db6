/** Reads what a server sent without trusting its shape: whatever is not as expected is absent. */
export type Json = Readonly<Record<string, unknown>>

const NOTHING: Json = Object.freeze({})

export function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : NOTHING
}

export function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(objectOf) : []
}

export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && item !== '') : []
}

/** Absent when empty: Go writes an unset string as "". */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/** RFC 3339 -> milliseconds since the epoch. */
export function timeOf(value: unknown): number | undefined {
  const atMs = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(atMs) ? undefined : atMs
}

/** Its string values. */
export function mapOf(value: unknown, keep: (key: string) => boolean): Readonly<Record<string, string>> {
  const result: Record<string, string> = {}
  for (const [key, text] of Object.entries(objectOf(value))) {
    if (typeof text === 'string' && keep(key)) result[key] = text
  }
  return result
}
