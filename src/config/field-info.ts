import { z } from 'zod'
import { isExpanded } from './value.ts'

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
  | 'id'
  | 'any'

/** What the field of a schema is: read off it by whatever documents, prints, redacts or checks it. */
export interface FieldInfo {
  readonly kind: FieldKind
  /** Never printed, in no message. */
  readonly secret?: true
  readonly min?: number
  readonly max?: number
  readonly values?: readonly string[]
  /** The words of `values` in any case. */
  readonly ignoreCase?: true
  /** Of a map: also a list of `{name, value}`, and printed as one. */
  readonly pairs?: true
  /** Of a duration: the unit of a bare number. */
  readonly bare?: 'ns' | 'ms'
  /** Of an integer: Go's own type. */
  readonly goType?: string
  /** Go's name of a type that the Collector decodes by itself: its errors then stand under a heading of their own. */
  readonly decoder?: string
  /** Of a map: what its keys look like. */
  readonly keyPattern?: string
  /** The Collector's configoptional.Optional: one heading more, and `enabled` is its own. */
  readonly wrapped?: true
}

export interface Range {
  readonly min?: number
  readonly max?: number
}

/** What a default, an option or a later step is laid around. */
export function innerOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const { innerType, in: from, out } = schema._zod.def as Wrapper
  return innerType ?? (out?._zod.def.type === 'transform' ? from : undefined)
}

interface Wrapper {
  readonly innerType?: z.core.$ZodType
  readonly in?: z.core.$ZodType
  readonly out?: z.core.$ZodType
}

/** What kind of field a schema is, through prefault, optional and refinements. */
export function fieldOf(schema: z.core.$ZodType): FieldInfo | undefined {
  const info = z.globalRegistry.get(schema)?.field
  if (info !== undefined) return info as FieldInfo
  const inner = innerOf(schema)
  return inner === undefined ? undefined : fieldOf(inner)
}

/** Puts it on a schema: `.meta(field({ kind: 'string' }))`. */
export const field = (info: FieldInfo) => ({ field: info })

/**
 * Whether null is a value for this key: text, or a zero. In the Collector too a list, a map or what is absent by
 * default stays as it is; so does here what must not be empty.
 */
export function takesEmpty(schema: z.core.$ZodType, value: unknown): boolean {
  if (isOptional(schema)) return false
  const info = fieldOf(schema)
  switch (info?.kind) {
    case 'enum':
      return info.values?.includes(isExpanded(value) ? value.text : '') === true
    case 'string':
    case 'boolean':
    case 'integer':
    case 'number':
    case 'duration':
      return isExpanded(value) || hasDefault(schema)
    default:
      return isExpanded(value) && (info?.kind === 'list' || info?.kind === 'map')
  }
}

function hasDefault(schema: z.core.$ZodType): boolean {
  const inner = innerOf(schema)
  return schema._zod.def.type === 'prefault' || (inner !== undefined && hasDefault(inner))
}

/** Absent when it is not set: a pointer in the Collector. */
export function isOptional(schema: z.core.$ZodType): boolean {
  const inner = innerOf(schema)
  return schema._zod.def.type === 'optional' || (inner !== undefined && isOptional(inner))
}

/** Null, written or as an empty variable: the zero of the target, as the Collector has it. */
export function isEmptyExpansion(input: unknown): boolean {
  return isExpanded(input) && (input.value === null || input.value === undefined)
}
