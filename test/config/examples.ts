import type { z } from 'zod'
import { describeField } from '../../src/config/describe.ts'

/** One documented key of a component or of the service section. */
export interface Key {
  /** `exporters::otlp_grpc`, or `service`. */
  readonly owner: string
  /** From the owner down; list items as 0, entries of maps as `name`. */
  readonly path: readonly string[]
  readonly schema: z.core.$ZodType
  readonly text: string
}

/** Every key below a schema, at every depth. */
export function keysOf(owner: string, schema: z.core.$ZodType, path: readonly string[] = []): Key[] {
  const { children, item } = describeField(schema)
  const own = [...children].map(([key, child]) => [key, child] as const)
  const kind = describeField(schema).info.kind
  const items = item === undefined ? [] : [[kind === 'list' ? '0' : entryName(path), item] as const]
  return [...own, ...items].flatMap(([key, child]) => {
    const here = [...path, key]
    const below = keysOf(owner, child, here)
    return [{ owner, path: here, schema: child, text: describeField(child).text }, ...below]
  })
}

/** Of a map that takes any name, the ones that the configuration itself gives a meaning. */
function entryName(path: readonly string[]): string {
  return path.at(-1) === 'pipelines' ? 'metrics/other' : 'name'
}

/** A value that a field of this kind takes; its default where there is one. */
export function validExample(schema: z.core.$ZodType): unknown {
  const described = describeField(schema)
  const { info, item, children } = described
  if (described.default !== undefined && !isEmpty(described.default)) return described.default
  switch (info.kind) {
    case 'string':
      return 'text'
    case 'boolean':
      return true
    case 'integer':
    case 'number':
      return info.min ?? 1
    case 'duration':
      return '10s'
    case 'size':
      return info.min ?? 4096
    case 'enum':
      return info.values![0]
    case 'id':
      return 'netvitals'
    case 'list':
      return [validExample(item!)]
    case 'map':
      return { name: validExample(item!) }
    case 'object': {
      const needed = [...children].filter(([, child]) => describeField(child).required)
      return Object.fromEntries(needed.map(([key, child]) => [key, validExample(child)]))
    }
    case 'any':
      return 'anything'
  }
}

/** A value that no field of this kind takes; undefined for one that takes anything. */
export function invalidExample(schema: z.core.$ZodType): unknown {
  const { kind } = describeField(schema).info
  switch (kind) {
    case 'any':
      return undefined
    case 'list':
      return { key: 1 }
    case 'string':
    case 'enum':
      return [{ key: 1 }]
    case 'id':
      return '/x'
    default:
      return 'nonsense'
  }
}

function isEmpty(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
}

/** A tree with one value at a path; list items are written as 0. */
export function treeAt(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, key) => (key === '0' ? [inner] : { [key]: inner }), value)
}
