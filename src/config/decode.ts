import { z } from 'zod'
import type { ConfigProblem } from '../errors.ts'
import { type FieldInfo, fieldOf, innerOf } from './field-info.ts'
import { nearest } from './nearest.ts'
import type { IssueDetail } from './refusals.ts'
import { goType, isMap, typed } from './value.ts'

/** Where in the configuration a schema is applied. */
export interface DecodeContext {
  /** Keys down to here. */
  readonly path: readonly string[]
  /** The Collector's heading over the errors of this part. */
  readonly where?: readonly string[]
  /** What the Collector prints for the path down to here, within `where`: 'service', '' at a component's root. */
  readonly place?: string
  /** What it prints for an unknown key at the root: the name of the Go type. */
  readonly rootName?: string
  /** Only the form counts: what refinements would refuse is taken. */
  readonly skipChecks?: boolean
}

export type Decoded<T> =
  | { readonly value: T; readonly problems: readonly [] }
  | { readonly problems: readonly ConfigProblem[] }

/** Applies a schema and turns every issue into a problem, in the Collector's words and with its place. */
export function decode<T>(schema: z.ZodType<T>, input: unknown, context: DecodeContext): Decoded<T> {
  const result = z.safeParse(schema, input, { skipChecks: context.skipChecks === true } as object)
  if (result.success) return { value: result.data, problems: [] }
  return { problems: result.error.issues.flatMap((issue) => toProblems(schema, input, issue, context)) }
}

function toProblems(
  schema: z.ZodType,
  input: unknown,
  issue: z.core.$ZodIssue,
  context: DecodeContext,
): ConfigProblem[] {
  const { stage, remedy, within } = detailOf(issue)
  const path = [...context.path, ...issue.path.map(String)]
  if (stage === 'validate') {
    const place = within === undefined ? path : [...path.slice(0, -1), within, ...path.slice(-1)]
    return [withRemedy({ stage: 'validate', path: place, message: issue.message }, remedy)]
  }
  const unknownKeys = issue.code === 'unrecognized_keys'
  const switched = unknownKeys ? undefined : switchOf(schema, issue.path)
  const keys = switched === undefined ? issue.path : issue.path.slice(0, -1)
  const { where, place, at } = locate(schema, keys, context, unknownKeys)
  if (switched !== undefined) {
    const message = `'${place}' ${describeSwitch(valueAt(input, issue.path))}`
    return [withRemedy({ stage: 'unmarshal', where, path, message }, remedy)]
  }
  const named = unknownKeys && place === '' ? at.rootName : place
  const problem = { stage: 'unmarshal' as const, where, path, message: `'${named}' ${issue.message}` }
  if (!unknownKeys) return [withRemedy(problem, remedy)]
  const known = keysOf(at.schema)
  const remedies = issue.keys.map((key) => `${[...path, key].join('::')}: ${describeKnown(key, known)}`)
  return [{ ...problem, path: [], remedy: `at ${remedies.join('\n    at ')}` }]
}

/** The `enabled` of a configoptional.Optional, which the Collector reads before the rest. */
function switchOf(root: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType | undefined {
  if (path.at(-1) !== 'enabled') return undefined
  let schema: z.core.$ZodType | undefined = root
  for (const key of path.slice(0, -1)) schema = schema === undefined ? undefined : child(schema, String(key))
  return schema !== undefined && fieldOf(schema)?.wrapped ? schema : undefined
}

function describeSwitch(value: unknown): string {
  const shown = Array.isArray(value) || isMap(value) ? '' : `got '${String(value)}' value `
  return `unexpected type ${goType(value)} for 'enabled': ${shown}expected 'true' or 'false'`
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = typed(input)
  for (const key of path) value = typed((value as Record<PropertyKey, unknown> | undefined)?.[key])
  return value
}

function detailOf(issue: z.core.$ZodIssue): IssueDetail {
  if (issue.code === 'unrecognized_keys') return { stage: 'decode' }
  const params = issue.code === 'custom' ? (issue.params as IssueDetail | undefined) : undefined
  return params ?? { stage: 'validate' }
}

function withRemedy(problem: ConfigProblem, remedy: string | undefined): ConfigProblem {
  return remedy === undefined ? problem : { ...problem, remedy }
}

function describeKnown(key: string, known: readonly string[]): string {
  const guess = nearest(key, known)
  if (guess !== undefined) return `did you mean "${guess}"?`
  return known.length === 0 ? 'there are no keys here' : `known keys: ${known.join(', ')}`
}

interface Located {
  readonly where: readonly string[]
  readonly place: string
  readonly at: { readonly schema: z.core.$ZodType | undefined; readonly rootName: string }
}

/**
 * The path as the Collector's decoder prints it: struct fields after a dot, map keys and list indexes in brackets,
 * and what decodes itself (FieldInfo.decoder) as a heading of its own.
 */
function locate(
  root: z.core.$ZodType,
  path: readonly PropertyKey[],
  context: DecodeContext,
  ofItsKeys: boolean,
): Located {
  const where = [...(context.where ?? [])]
  let place = context.place ?? ''
  let rootName = context.rootName ?? ''
  let schema: z.core.$ZodType | undefined = root
  for (const [index, key] of path.entries()) {
    const kind = schema === undefined ? undefined : fieldOf(schema)?.kind
    const bracketed = kind === 'map' || kind === 'list'
    place = bracketed ? `${place}[${String(key)}]` : place === '' ? String(key) : `${place}.${String(key)}`
    schema = schema === undefined ? undefined : child(schema, String(key))
    const info: FieldInfo | undefined = schema === undefined ? undefined : fieldOf(schema)
    // An error of the self-decoding part as a whole (of the wrong type, say) is its parent's.
    const isWhole = index === path.length - 1 && !ofItsKeys
    if (info?.decoder === undefined || isWhole) continue
    where.push(`'${place}' `)
    if (info.wrapped) where.push("'' ")
    place = ''
    rootName = info.decoder
  }
  return { where, place, at: { schema, rootName } }
}

interface Definition {
  readonly type: string
  readonly out?: z.core.$ZodType
  readonly shape?: z.core.$ZodShape
  readonly valueType?: z.core.$ZodType
  readonly element?: z.core.$ZodType
}

/** Down through prefault, optional and the reading step, to the type that has the children. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  const next = innerOf(schema) ?? (schema._zod.def as Definition).out
  return next === undefined ? schema : bare(next)
}

/** The schema of a list's items or a map's values. */
export function valueSchemaOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const { valueType, element } = bare(schema)._zod.def as Definition
  return valueType ?? element
}

function child(schema: z.core.$ZodType, key: string): z.core.$ZodType | undefined {
  const { shape } = bare(schema)._zod.def as Definition
  return shape !== undefined && Object.hasOwn(shape, key) ? shape[key] : valueSchemaOf(schema)
}

function keysOf(schema: z.core.$ZodType | undefined): string[] {
  const shape = schema === undefined ? undefined : (bare(schema)._zod.def as Definition).shape
  return shape === undefined ? [] : Object.keys(shape)
}
