import type { AttributeValue, HrTime } from '@opentelemetry/api'

/** Go's way of printing: package fmt's %f and %v, pcommon.Value and pcommon.Timestamp of the Collector's pdata. */

/** %f: six decimals, halves to even, as strconv rounds. */
export function formatF(value: number): string {
  if (!Number.isFinite(value)) return formatNonFinite(value)
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const magnitude = Math.abs(value)
  if (magnitude >= 1e21) return `${sign}${BigInt(magnitude)}.000000`
  // Only a multiple of 2^-7 that is none of 2^-6 ends exactly halfway, in a seventh decimal 5; toFixed rounds it up.
  const halfway = Number.isInteger(magnitude * 128) && !Number.isInteger(magnitude * 64)
  const truncated = magnitude.toFixed(7).slice(0, -1)
  return sign + (halfway && Number(truncated.at(-1)) % 2 === 0 ? truncated : magnitude.toFixed(6))
}

/** %v of a float64: the shortest digits that read back the same; with an exponent below 1e-4 and from 1e6 (1e+06). */
export function formatV(value: number): string {
  if (!Number.isFinite(value)) return formatNonFinite(value)
  if (Object.is(value, -0)) return '-0'
  const magnitude = Math.abs(value)
  if (magnitude === 0 || (magnitude >= 1e-4 && magnitude < 1e6)) return String(value)
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

/** %d of an int64. */
export function formatInt(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : BigInt(Math.trunc(value)).toString()
}

function formatNonFinite(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? '+Inf' : '-Inf'
}

/** pcommon.Timestamp: time.Time in UTC, with the decimals that are not zero. */
export function formatTimestamp([seconds, nanoseconds]: HrTime): string {
  const date = new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')
  const decimals = String(nanoseconds).padStart(9, '0').replace(/0+$/, '')
  return `${date}${decimals === '' ? '' : `.${decimals}`} +0000 UTC`
}

type Value = AttributeValue | undefined

/** `Str(front-end)`, `Int(8080)`, `Slice(["a","b"])`. */
export function formatTyped(value: Value): string {
  return `${typeName(value)}(${formatValue(value)})`
}

/** pcommon.ValueType, of what the attribute becomes in OTLP: a whole number is an Int. */
function typeName(value: Value): string {
  if (Array.isArray(value)) return 'Slice'
  switch (typeof value) {
    case 'string':
      return 'Str'
    case 'boolean':
      return 'Bool'
    case 'number':
      return Number.isInteger(value) ? 'Int' : 'Double'
    default:
      return 'Empty'
  }
}

/** pcommon.Value.AsString. */
export function formatValue(value: Value): string {
  if (Array.isArray(value)) return escapeAsGo(JSON.stringify(value))
  return value === undefined || value === null ? '' : String(value)
}

/** encoding/json escapes these two also without HTML escaping. */
function escapeAsGo(json: string): string {
  return json.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}
