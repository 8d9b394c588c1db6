import type { z } from 'zod'
import type { ConfigProblem } from '../errors.ts'
import { fieldOf, type IssueDetail } from './fields.ts'
import { nearest } from './nearest.ts'

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
}

export type Decoded<T> =
  | { readonly value: T; readonly problems: readonly [] }
  | { readonly problems: readonly ConfigProblem[] }

/** Applies a schema and turns every issue into a problem, in the Collector's words and with its place. */
export function decode<T>(schema: z.ZodType<T>, input: unknown, context: DecodeContext): Decoded<T> {
  const result = schema.safeParse(input)
  if (result.success) return { value: result.data, problems: [] }
  return { problems: result.error.issues.flatMap((issue) => toProblems(schema, issue, context)) }
}

function toProblems(schema: z.ZodType, issue: z.core.$ZodIssue, context: DecodeContext): ConfigProblem[] {
  const { stage, remedy } = detailOf(issue)
  const path = [...context.path, ...issue.path.map(String)]
  if (stage === 'validate') return [withRemedy({ stage: 'validate', path, message: issue.message }, remedy)]
  const { where, place, at } = locate(schema, issue.path, context)
  const named = issue.code === 'unrecognized_keys' ? (place === '' ? at.rootName : place) : place
  const problem = { stage: 'unmarshal' as const, where, path, message: `'${named}' ${issue.message}` }
  if (issue.code !== 'unrecognized_keys') return [withRemedy(problem, remedy)]
  const known = keysOf(at.schema)
  const remedies = issue.keys.map((key) => `${[...path, key].join('::')}: ${describeKnown(key, known)}`)
  return [{ ...problem, path: [], remedy: `at ${remedies.join('\n    at ')}` }]
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
function locate(root: z.core.$ZodType, path: readonly PropertyKey[], context: DecodeContext): Located {
  const where = [...(context.where ?? [])]
  let place = context.place ?? ''
  let rootName = context.rootName ?? ''
  let schema: z.core.$ZodType | undefined = root
  for (const key of path) {
    const kind = schema === undefined ? undefined : fieldOf(schema)?.kind
    const bracketed = kind === 'map' || kind === 'list'
    place = bracketed ? `${place}[${String(key)}]` : place === '' ? String(key) : `${place}.${String(key)}`
    schema = schema === undefined ? undefined : child(schema, String(key))
    const decoder: string | undefined = schema === undefined ? undefined : fieldOf(schema)?.decoder
    if (decoder === undefined) continue
    where.push(`'${place}' `)
    place = ''
    rootName = decoder
  }
  // An error of the self-decoding part as a whole (of the wrong type, say) is its parent's.
  const self = schema === undefined ? undefined : fieldOf(schema)?.decoder
  return { where, place, at: { schema, rootName: self ?? rootName } }
}

interface Definition {
  readonly type: string
  readonly innerType?: z.core.$ZodType
  readonly out?: z.core.$ZodType
  readonly shape?: z.core.$ZodShape
  readonly valueType?: z.core.$ZodType
  readonly element?: z.core.$ZodType
}

/** Down through prefault, optional and the reading step, to the type that has the children. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  const { innerType, out } = schema._zod.def as Definition
  const next = innerType ?? out
  return next === undefined ? schema : bare(next)
}

function child(schema: z.core.$ZodType, key: string): z.core.$ZodType | undefined {
  const { shape, valueType, element } = bare(schema)._zod.def as Definition
  return shape?.[key] ?? valueType ?? element
}

function keysOf(schema: z.core.$ZodType | undefined): string[] {
  const shape = schema === undefined ? undefined : (bare(schema)._zod.def as Definition).shape
  return shape === undefined ? [] : Object.keys(shape)
}
