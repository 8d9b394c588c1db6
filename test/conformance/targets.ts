import type { z } from 'zod'
import { decode } from '../../src/config/decode.ts'
import { formatDuration } from '../../src/config/duration.ts'
import {
  any,
  boolean,
  duration,
  id,
  integer,
  list,
  mapList,
  mapOf,
  number,
  object,
  secret,
  string,
} from '../../src/config/fields.ts'
import { ConfigError } from '../../src/errors.ts'

/** A field of ours for each Go type that the cases decode into, and how the cases write its value. */
const TARGETS: Readonly<Record<string, { schema: z.ZodType; show?: (value: never) => unknown }>> = {
  string: { schema: string() },
  '*string': { schema: string().optional(), show: (value: string | undefined) => value ?? null },
  opaque: { schema: secret() },
  int: { schema: integer() },
  uint32: { schema: integer({ goType: 'uint32' }) },
  float: { schema: number() },
  bool: { schema: boolean() },
  duration: { schema: duration(), show: formatDuration },
  id: { schema: id(), show: String },
  '[]string': { schema: list(string()), show: emptyIsNull },
  '[]any': { schema: list(any()) },
  'map[string]string': { schema: mapOf(string()) },
  'map[string]any': { schema: mapOf(any()), show: emptyIsNull },
  maplist: { schema: mapList(secret()), show: toPairs },
  struct: { schema: object({ a: string().prefault(''), b: integer().prefault(0) }) },
}

/** A nil slice or map in Go: an empty one here. */
function emptyIsNull(value: object): unknown {
  return Object.keys(value).length === 0 ? null : value
}

function toPairs(value: Record<string, string>): unknown {
  return Object.entries(value).map(([name, text]) => ({ name, value: text }))
}

/** @throws ConfigError */
export function decodeTarget(target: string, input: unknown): unknown {
  const { schema, show = (value: unknown) => value } = TARGETS[target]!
  const decoded = decode(object({ field: schema }), { field: input }, { path: [] })
  if (!('value' in decoded)) throw new ConfigError(decoded.problems)
  return show((decoded.value as { field: unknown }).field as never)
}
