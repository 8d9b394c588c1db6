import { z } from 'zod'
import { formatDuration, parseDuration } from './duration.ts'
import { goType, isExpanded, isMap, type Tree, typed, typedDeep } from './value.ts'

/**
 * The types of every component's configuration: zod types that read what the Collector's decoder reads
 * (weak typing per target, `${...}` values that keep their text) and word errors as it does. What a field is
 * (`fieldOf`) stays readable on the schema: documentation, JSON schema and redaction come from it.
 *
 * Defaults are given in the user's form, with `prefault`; `describe` is one sentence, its unit included.
 * A key that is null is a key that is absent.
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
export type FieldKind =
  | 'string'
  | 'boolean'
  | 'integer'
  | 'number'
  | 'duration'
  | 'size'
  | 'list'
  | 'map'
  | 'object'
  | 'enum'
  | 'any'

export interface FieldInfo {
  readonly kind: FieldKind
  /** Never printed, in no message. */
  readonly secret?: true
  readonly min?: number
  readonly max?: number
  readonly values?: readonly string[]
  /** Go's name of a type that the Collector decodes by itself: its errors then stand under a heading of their own. */
  readonly decoder?: string
}

export interface Range {
  readonly min?: number
  readonly max?: number
}

/** 'decode': the value has the wrong form; 'validate': its form is right and its content is not. */
export type IssueStage = 'decode' | 'validate'

/** Rides on a zod issue, for the message that is made of it. */
export interface IssueDetail {
  readonly stage: IssueStage
  /** What to write instead: the message's second line. */
  readonly remedy?: string
}

type Context = z.core.$RefinementCtx

/** Refuses a value from within a refinement: `ctx.addIssue(invalid('must be ...', { path: ['timeout'] }))`. */
export function invalid(message: string, options: { path?: PropertyKey[]; remedy?: string } = {}) {
  const params: IssueDetail = { stage: 'validate', ...(options.remedy === undefined ? {} : { remedy: options.remedy }) }
  return { code: 'custom' as const, message, params, path: options.path ?? [] }
}

function refuse(ctx: Context, stage: IssueStage, message: string, remedy?: string): never {
  const params: IssueDetail = { stage, ...(remedy === undefined ? {} : { remedy }) }
  ctx.addIssue({ code: 'custom', message, params })
  return z.NEVER
}

function refuseType(ctx: Context, expected: string, value: unknown, remedy?: string): never {
  if (value === undefined || value === null) return refuse(ctx, 'validate', 'is required and has no default')
  return refuse(ctx, 'decode', `expected type '${expected}', got unconvertible type '${goType(value)}'`, remedy)
}

function inRange(ctx: Context, value: number, { min, max }: Range, print: (value: number) => string): number {
  if (min !== undefined && value < min)
    return refuse(ctx, 'validate', `must be at least ${print(min)}, got ${print(value)}`)
  if (max !== undefined && value > max)
    return refuse(ctx, 'validate', `must be at most ${print(max)}, got ${print(value)}`)
  return value
}

const field = (info: FieldInfo) => ({ field: info })

/** What kind of field a schema is, through prefault, optional and refinements. */
export function fieldOf(schema: z.core.$ZodType): FieldInfo | undefined {
  const info = z.globalRegistry.get(schema)?.field
  if (info !== undefined) return info as FieldInfo
  const inner = (schema._zod.def as { innerType?: z.core.$ZodType }).innerType
  return inner === undefined ? undefined : fieldOf(inner)
}

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
      const value: unknown = typed(input)
      return typeof value === 'boolean' ? value : refuseType(ctx, 'bool', value, 'write true or false, without quotes')
    }, z.boolean())
    .meta(field({ kind: 'boolean' }))
}

/** `goType` is the Collector's own type, for keys that it has too: an unsigned one words a negative value as it does. */
export function integer(options: Range & { goType?: 'int' | 'uint32' | 'uint64' } = {}) {
  const { goType: goName = 'int', ...bounds } = options
  const range = goName === 'uint32' ? { max: 2 ** 32 - 1, ...bounds } : bounds
  return z
    .preprocess((input: number, ctx: Context): number => {
      const value: unknown = typed(input)
      if (typeof value !== 'number') return refuseType(ctx, goName, value, 'write a whole number, without quotes')
      if (!Number.isSafeInteger(value)) return refuse(ctx, 'decode', `expected type '${goName}', got ${value}`)
      if (goName !== 'int' && value < 0)
        return refuse(ctx, 'decode', `cannot parse value as '${goName}': ${value} overflows uint`)
      return inRange(ctx, value, range, String)
    }, z.number().int())
    .meta(field({ kind: 'integer', ...range }))
}

export function number(range: Range = {}) {
  return z
    .preprocess((input: number, ctx: Context): number => {
      const value: unknown = typed(input)
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
      const value: unknown = typed(input)
      if (typeof value === 'number') return inRange(ctx, bare === 'ns' ? value / 1e6 : value, range, formatDuration)
      if (typeof value !== 'string') return refuseType(ctx, 'time.Duration', value, DURATION_REMEDY)
      const result = parseDuration(value)
      if ('error' in result) return refuse(ctx, 'decode', result.error, `got "${value}"; ${DURATION_REMEDY}`)
      return inRange(ctx, result.ms, range, formatDuration)
    }, z.number())
    .meta(field({ kind: 'duration', ...range }))
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

/** A list; a single string is split at its commas, as the Collector does. */
export function list<T extends z.ZodType>(item: T) {
  return z
    .preprocess((input: readonly z.input<T>[] | string, ctx: Context): unknown => {
      const value: unknown = typed(input)
      if (typeof value === 'string') return value === '' ? [] : value.split(',')
      if (Array.isArray(value)) return value
      if (value === undefined || value === null) return refuseType(ctx, 'slice', value)
      const found = isMap(value) ? 'map' : goType(value)
      return refuse(ctx, 'decode', `source data must be an array or slice, got ${found}`, 'write a list: [a, b]')
    }, z.array(item))
    .meta(field({ kind: 'list' }))
}

function mapInput(input: unknown, ctx: Context, goName = 'map[string]interface {}'): Tree {
  const value = typed(input)
  return isMap(value) ? value : refuseType(ctx, goName, value, 'write keys and values below it')
}

/** Any key, each with a value of one type. `goType` is what the Collector calls this map. */
export function mapOf<T extends z.ZodType>(value: T, options: { goType?: string } = {}) {
  return z
    .preprocess(
      (input: Record<string, z.input<T>>, ctx: Context) => mapInput(input, ctx, options.goType),
      z.record(z.string(), value),
    )
    .meta(field({ kind: 'map' }))
}

/** The same, also as a list of `{name, value}` (the Collector's configopaque.MapList): headers. */
export function mapList<T extends z.ZodType>(value: T) {
  return z
    .preprocess(
      (input: Record<string, z.input<T>>, ctx: Context): Tree => {
        const items: unknown = typed(input)
        if (!Array.isArray(items)) return mapInput(input, ctx)
        const result: Tree = Object.create(null)
        const twice = new Set<string>()
        for (const item of items.map(typed)) {
          const name = isMap(item) ? (isExpanded(item.name) ? item.name.text : item.name) : undefined
          if (!isMap(item) || typeof name !== 'string') {
            return refuse(ctx, 'decode', 'expected a list of {name, value}', 'or write it as a map: {name: value}')
          }
          if (name in result) twice.add(name)
          result[name] = item.value
        }
        if (twice.size > 0)
          return refuse(ctx, 'validate', `duplicate keys in map-style list: [${[...twice].join(' ')}]`)
        return { ...result }
      },
      z.record(z.string(), value),
    )
    .meta(field({ kind: 'map' }))
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
    .meta(field({ kind: 'enum', values }))
}

/** Whatever YAML can say. */
export function any() {
  return z.preprocess((input: unknown) => typedDeep(input), z.unknown()).meta(field({ kind: 'any' }))
}

/** A map with known keys; any other key is refused. `decoder`: see FieldInfo. */
export function object<S extends z.ZodRawShape>(shape: S, options: { decoder?: string } = {}) {
  return z
    .preprocess(
      (input: { [K in keyof S]?: z.input<S[K]> }, ctx: Context): Tree =>
        withoutNulls(mapInput(input ?? {}, ctx), shape),
      z.strictObject(shape, { error: describeUnknownKeys }),
    )
    .meta(field({ kind: 'object', ...options }))
}

function withoutNulls(input: Tree, shape: z.ZodRawShape): Tree {
  if (input === z.NEVER) return input
  const result: Tree = {}
  for (const [key, value] of Object.entries(input)) {
    const takesText = (schema = shape[key]) => schema !== undefined && fieldOf(schema)?.kind === 'string'
    if (typed(value) === null && !(isExpanded(value) && takesText())) continue
    result[key] = value
  }
  return result
}

function describeUnknownKeys(issue: z.core.$ZodRawIssue): string | undefined {
  return issue.code === 'unrecognized_keys' ? `has invalid keys: ${[...issue.keys].sort().join(', ')}` : undefined
}
