import { z } from 'zod'
import { field, isEmptyExpansion, takesEmpty } from './field-info.ts'
import { type Context, refuse, refuseType } from './refusals.ts'
import { expanded, goType, isExpanded, isMap, type Tree, typed } from './value.ts'

/** A list; a single string is split at its commas, as the Collector does. */
export function list<T extends z.ZodType>(item: T) {
  return z
    .preprocess((input: readonly z.input<T>[] | string, ctx: Context): unknown => {
      if (isEmptyExpansion(input)) return []
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

/** Any key, each with a value of one type. `goType` is what the Collector calls this map, `keys` what its keys look like. */
export function mapOf<T extends z.ZodType>(value: T, options: { goType?: string; keys?: string } = {}) {
  const keys = options.keys === undefined ? {} : { keyPattern: options.keys }
  return z
    .preprocess(
      (input: Record<string, z.input<T>>, ctx: Context) =>
        isEmptyExpansion(input) ? {} : mapInput(input, ctx, options.goType),
      z.record(z.string(), value),
    )
    .meta(field({ kind: 'map', ...keys }))
}

/**
 * The same, also as a list of `{name, value}` (the Collector's configopaque.MapList): headers. `within` is Go's name of
 * the struct around it.
 */
export function mapList<T extends z.ZodType>(value: T, options: { within?: string } = {}) {
  return z
    .preprocess(
      (input: Record<string, z.input<T>>, ctx: Context): Tree => {
        if (isEmptyExpansion(input)) return {}
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
        if (twice.size > 0) {
          const message = `duplicate keys in map-style list: [${[...twice].join(' ')}]`
          return refuse(ctx, 'validate', message, 'give each name once', options.within)
        }
        return { ...result }
      },
      z.record(z.string(), value),
    )
    .meta(field({ kind: 'map', pairs: true, decoder: 'configopaque.MapList' }))
}

/** A map with known keys; any other key is refused. `decoder`, `wrapped`: see FieldInfo. */
export function object<S extends z.ZodRawShape>(shape: S, options: { decoder?: string; wrapped?: true } = {}) {
  return z
    .preprocess(
      (input: { [K in keyof S]?: z.input<S[K]> }, ctx: Context): Tree =>
        isEmptyExpansion(input) ? {} : withoutNulls(mapInput(input ?? {}, ctx), shape),
      z.strictObject(shape, { error: describeUnknownKeys }),
    )
    .meta(field({ kind: 'object', ...options }))
}

function withoutNulls(input: Tree, shape: z.ZodRawShape): Tree {
  if (input === z.NEVER) return input
  const result: Tree = {}
  for (const [key, value] of Object.entries(input)) {
    const schema = Object.hasOwn(shape, key) ? shape[key] : undefined
    // An unknown key stays, to be refused.
    const empty = typed(value) === null && schema !== undefined
    if (empty && !takesEmpty(schema, value)) continue
    const kept = empty && !isExpanded(value) ? expanded(null, '') : value
    Object.defineProperty(result, key, { value: kept, enumerable: true, writable: true, configurable: true })
  }
  return result
}

function describeUnknownKeys(issue: z.core.$ZodRawIssue): string | undefined {
  return issue.code === 'unrecognized_keys' ? `has invalid keys: ${[...issue.keys].sort().join(', ')}` : undefined
}
