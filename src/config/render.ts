import type { z } from 'zod'
import { bare, valueSchemaOf } from './decode.ts'
import { formatDuration } from './duration.ts'
import { fieldOf } from './field-info.ts'
import { serviceSection } from './service-section.ts'
import { type Config, SECTIONS } from './unmarshal.ts'
import { REDACTED, type Tree, withoutPassword } from './value.ts'

export interface RenderOptions {
  /** Secrets in clear. */
  readonly unredacted?: boolean
  /** As `5s`, or as a whole number of nanoseconds. */
  readonly durations: 'text' | 'nanoseconds'
}

/**
 * A whole typed configuration, defaults included, as a tree that could be its source again; keys in alphabetical
 * order. A key that is not set and has no default is left out.
 */
export function renderConfig<F>(config: Config<F>, options: RenderOptions): Tree {
  const sections = SECTIONS.flatMap((section) => {
    const components = [...config[section]].map(([id, { schema, config: settings }]) => [
      id,
      render(schema, settings, options),
    ])
    return components.length === 0 ? [] : [[section, sorted(Object.fromEntries(components))]]
  })
  return sorted(Object.fromEntries([...sections, ['service', render(serviceSection, config.service, options)]]))
}

/** One value as its schema says it is written. */
export function render(schema: z.core.$ZodType, value: unknown, options: RenderOptions): unknown {
  const info = fieldOf(schema)
  switch (info?.kind) {
    case 'string':
      if (options.unredacted) return value
      return info.secret && value !== '' ? REDACTED : withoutPassword(value as string)
    case 'duration':
      return options.durations === 'text' ? formatDuration(value as number) : Math.round((value as number) * 1e6)
    case 'id':
      return String(value)
    case 'list':
      return (value as unknown[]).map((item) => render(valueSchemaOf(schema)!, item, options))
    case 'map': {
      const entries = Object.entries(value as Tree).map(([key, item]) => [
        key,
        render(valueSchemaOf(schema)!, item, options),
      ])
      const result = sorted(Object.fromEntries(entries))
      return info.pairs ? Object.entries(result).map(([name, item]) => ({ name, value: item })) : result
    }
    case 'object': {
      const shape = (bare(schema)._zod.def as { shape?: Record<string, z.core.$ZodType> }).shape ?? {}
      const entries = Object.entries(value as Tree).flatMap(([key, item]) =>
        item === undefined || shape[key] === undefined ? [] : [[key, render(shape[key], item, options)]],
      )
      return sorted(Object.fromEntries(entries))
    }
    default:
      return value
  }
}

function sorted(tree: Tree): Tree {
  const keys = Object.keys(tree).sort()
  return Object.fromEntries(keys.map((key) => [key, tree[key]]))
}
