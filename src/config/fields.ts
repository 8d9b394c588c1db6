import { z } from 'zod'
import { formatDuration, parseDuration } from './duration.ts'
import { type FieldInfo, field, isEmptyExpansion, type Range } from './field-info.ts'
import { type ParsedId, parseId } from './id.ts'
import { type Context, inRange, refuse, refuseType } from './refusals.ts'
import { isExpanded, typed, typedDeep } from './value.ts'

export { list, mapList, mapOf, object } from './collections.ts'
export { type FieldInfo, fieldOf } from './field-info.ts'
export { type IssueDetail, invalid } from './refusals.ts'

/**
 * The types of every component's configuration: zod types that read what the Collector's decoder reads
 * (weak typing per target, `${...}` values that keep their text) and word errors as it does. What a field is
 * (`fieldOf`) stays readable on the schema: documentation, JSON schema and redaction come from it.
 *
 * Defaults are given in the user's form, with `prefault`; `describe` is one sentence, its unit included.
 * A key that is null is zero, false or empty text, as the Collector has it; a list or a map that is null is absent.
 *
 * @example
 * const config = object({
 *   endpoint: string().prefault('localhost:4317').describe('host:port of the receiving Collector.'),
 *   timeout: duration({ min: 0 }).prefault('5s').describe('Longest time one request may take.'),
 *   compression: oneOf(['gzip', 'none']).prefault('gzip').describe('Compression of requests.'),
 *   headers: mapList(secret()).prefault({}).describe('Sent with every request.'),
 *   tls: object({ insecure: boolean().prefault(false).describe('Plain text.') }).prefault({}),
 *   queue: object({ ... }).optional(),
 * })
 * type Config = z.output<typeof config>   // timeout: number of milliseconds
 */

// A configuration is read once: compiling its schemas would cost more than it saves.
z.config({ jitless: true })

/** A string; what came from `${...}` is taken as it was written, whatever YAML would make of it. */
function text(info: FieldInfo, goName: string) {
  return z
    .preprocess((input: string, ctx: Context): string => {
      const value: unknown = isExpanded(input) ? input.text : input
      return typeof value === 'string' ? value : refuseType(ctx, goName, value, quoteRemedy(value, info))
    }, z.string())
    .meta(field(info))
}

function quoteRemedy(value: unknown, info: FieldInfo): string | undefined {
  if (info.secret || typeof value === 'object') return undefined
  return `put the value in quotes: "${String(value)}"`
}

export function string() {
  return text({ kind: 'string' }, 'string')
}

/** A string that is redacted wherever a configuration is printed. */
export function secret() {
  return text({ kind: 'string', secret: true }, 'configopaque.String')
}

export function boolean() {
  return z
    .preprocess((input: boolean, ctx: Context): boolean => {
      if (isEmptyExpansion(input)) return false
      const value: unknown = typed(input)
      return typeof value === 'boolean' ? value : refuseType(ctx, 'bool', value, 'write true or false, without quotes')
    }, z.boolean())
    .meta(field({ kind: 'boolean' }))
}

/**
 * `goType` is the Collector's own type, for keys that it has too: an unsigned one words a negative value as it does.
 * A number with a fraction of nothing (1.0, 1e3) is whole. Beyond 2^53 the nearest double is taken.
 */
export function integer(options: Range & { goType?: 'int' | 'uint32' | 'uint64' } = {}) {
  const { goType: goName = 'int', ...bounds } = options
  const range = goName === 'uint32' ? { max: 2 ** 32 - 1, ...bounds } : bounds
  return z
    .preprocess((input: number, ctx: Context): number => {
      if (isEmptyExpansion(input)) return inRange(ctx, 0, range, String)
      const found: unknown = typed(input)
      if (typeof found !== 'number' && typeof found !== 'bigint')
        return refuseType(ctx, goName, found, 'write a whole number, without quotes')
      if (!isInt64(found)) return refuse(ctx, 'decode', `expected type '${goName}', got ${found}`)
      const value = Number(found)
      if (goName !== 'int' && value < 0)
        return refuse(ctx, 'decode', `cannot parse value as '${goName}': ${value} overflows uint`)
      return inRange(ctx, value, range, String)
    }, z.number())
    .meta(field({ kind: 'integer', ...range, goType: goName }))
}

function isInt64(value: number | bigint): boolean {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value
  return Number.isInteger(value) && Math.abs(value) < 2 ** 63
}

export function number(range: Range = {}) {
  return z
    .preprocess((input: number, ctx: Context): number => {
      if (isEmptyExpansion(input)) return inRange(ctx, 0, range, String)
      const found: unknown = typed(input)
      const value = typeof found === 'bigint' ? Number(found) : found
      if (typeof value !== 'number') return refuseType(ctx, 'float64', value, 'write a number, without quotes')
      if (!Number.isFinite(value)) return refuse(ctx, 'validate', `must be a finite number, got ${value}`)
      return inRange(ctx, value, range, String)
    }, z.number())
    .meta(field({ kind: 'number', ...range }))
}

const DURATION_REMEDY = 'write a number with its unit (ns, us, ms, s, m, h), such as 200ms, 5s or 1m30s'

/**
 * Go's durations, `1m30s`, `200ms`. Milliseconds; so are the bounds. A bare number is nanoseconds, as in the
 * Collector, or what `bare` says.
 */
export function duration(options: Range & { bare?: 'ns' | 'ms' } = {}) {
  const { bare = 'ns', ...range } = options
  return z
    .preprocess((input: string | number, ctx: Context): number => {
      if (isEmptyExpansion(input)) return inRange(ctx, 0, range, formatDuration)
      const value: unknown = typed(input)
      if (typeof value === 'number' && Math.abs(value) < 2 ** 63)
        return inRange(ctx, bare === 'ns' ? Math.trunc(value) / 1e6 : value, range, formatDuration)
      if (typeof value !== 'string') return refuseType(ctx, 'time.Duration', value, DURATION_REMEDY)
      const result = parseDuration(value)
      if ('error' in result) return refuse(ctx, 'decode', result.error, `got "${value}"; ${DURATION_REMEDY}`)
      return inRange(ctx, result.ms, range, formatDuration)
    }, z.number())
    .meta(field({ kind: 'duration', ...range, bare }))
}

const SIZE_UNITS: Record<string, number> = {
  '': 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
}

/** Bytes: a whole number, or one with its unit, `4MiB`. */
export function size(range: Range = {}) {
  return z
    .preprocess((input: string | number, ctx: Context): number => {
      const value: unknown = typed(input)
      if (typeof value !== 'number' && typeof value !== 'string') return refuseType(ctx, 'int', value)
      const [, digits, unit] = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(String(value)) ?? []
      const scale = unit === undefined ? undefined : SIZE_UNITS[unit]
      const bytes = Number(digits) * (scale ?? Number.NaN)
      if (!Number.isSafeInteger(bytes)) {
        return refuse(
          ctx,
          'decode',
          `expected a size in bytes, got "${value}"`,
          'write a whole number of bytes, or one such as 4MiB',
        )
      }
      return inRange(ctx, bytes, range, String)
    }, z.number().int())
    .meta(field({ kind: 'size', ...range }))
}

/** One of a few words. `message` is the Collector's wording where it has one; `ignoreCase` where it does. */
export function oneOf<const V extends readonly [string, ...string[]]>(
  values: V,
  options: { message?: (found: string) => string; ignoreCase?: boolean } = {},
) {
  const { message = (found) => `invalid value: "${found}"`, ignoreCase = false } = options
  return z
    .preprocess((input: V[number], ctx: Context): string => {
      const value: unknown = isExpanded(input) ? input.text : input
      if (typeof value !== 'string') return refuseType(ctx, 'string', value, `one of ${values.join(', ')}`)
      const word = ignoreCase ? values.find((item) => item.toLowerCase() === value.toLowerCase()) : value
      if (word === undefined || !values.includes(word)) {
        return refuse(ctx, 'decode', message(value), `one of ${values.join(', ')}`)
      }
      return word
    }, z.enum(values))
    .meta(field({ kind: 'enum', values, ...(ignoreCase ? { ignoreCase } : {}) }))
}

/** `auto`, or a boolean as YAML writes it; `auto`, `true` or `false` once read. */
export function booleanOrAuto() {
  const words = ['auto', 'true', 'false'] as const
  const word = oneOf(words)
  return z
    .preprocess((input: 'auto' | boolean) => {
      const value: unknown = typed(input)
      return typeof value === 'boolean' ? String(value) : input
    }, word)
    .meta(field({ kind: 'enum', values: words }))
}

/** A component id where one is referred to. */
export function id() {
  return z
    .preprocess((input: string, ctx: Context): ParsedId => {
      const value: unknown = isExpanded(input) ? input.text : input
      if (typeof value !== 'string' && value !== null && value !== undefined)
        return refuseType(ctx, 'component.ID', value, 'write type or type/name')
      try {
        return parseId(value ?? '')
      } catch (error) {
        return refuse(ctx, 'decode', (error as Error).message)
      }
    }, z.custom<ParsedId>())
    .meta(field({ kind: 'id' }))
}

/** Whatever YAML can say. */
export function any() {
  return z.preprocess((input: unknown) => typedDeep(input), z.unknown()).meta(field({ kind: 'any' }))
}
