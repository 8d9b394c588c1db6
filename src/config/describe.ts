import { z } from 'zod'
import { bare, valueSchemaOf } from './decode.ts'
import { type FieldInfo, fieldOf, innerOf } from './field-info.ts'

/** What a schema says about its field: all that documentation, completion and examples are made of. */
export interface Description {
  readonly info: FieldInfo
  /** The sentence of `.describe()`; '' where there is none. */
  readonly text: string
  /** As a user would write it; absent where there is none. */
  readonly default?: unknown
  /** Must be written: it has no default and does not go without. */
  readonly required: boolean
  /** Of an object, by key. */
  readonly children: ReadonlyMap<string, z.core.$ZodType>
  /** Of a list's items or a map's values. */
  readonly item?: z.core.$ZodType
}

export function describeField(schema: z.core.$ZodType): Description {
  let text = ''
  let required = true
  let standard: { default?: unknown } = {}
  for (let next: z.core.$ZodType | undefined = schema; next !== undefined; ) {
    const { type, defaultValue } = next._zod.def as { type: string; defaultValue?: unknown }
    text ||= z.globalRegistry.get(next)?.description ?? ''
    if (type === 'optional') required = false
    if (type === 'prefault' && !('default' in standard)) {
      required = false
      standard = { default: defaultValue }
    }
    next = innerOf(next)
  }
  const { shape } = bare(schema)._zod.def as { shape?: Record<string, z.core.$ZodType> }
  const item = valueSchemaOf(schema)
  return {
    info: fieldOf(schema) ?? { kind: 'any' },
    text,
    required,
    ...standard,
    children: new Map(Object.entries(shape ?? {})),
    ...(item === undefined ? {} : { item }),
  }
}

/** Keys that are there by the dozen and alike, `<name>::enabled` each: they are described once. */
export function isSwitches({ children }: Description): boolean {
  if (children.size < 2) return false
  return [...children.values()].every((child) => {
    const keys = [...describeField(child).children.keys()]
    return keys.length === 1 && keys[0] === 'enabled'
  })
}
