import { statSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Factory } from '../component/types.ts'
import type { ComponentConfig } from '../config/index.ts'

/** A component as it is configured, and the state of the files that its settings name. */
export interface Configured {
  readonly part: ComponentConfig<Factory>
  /** Of each setting that ends in `_file`: certificates and tokens are renewed in place. */
  readonly files: readonly string[]
}

export function withFiles(part: ComponentConfig<Factory>): Configured {
  return { part, files: [...filesOf(part.config)].map(stampOf) }
}

/** Whether a component that was made of `before` is right for `after` too. */
export function isUnchanged(before: Configured, after: Configured): boolean {
  return (
    before.part.factory === after.part.factory &&
    isDeepStrictEqual(before.part.config, after.part.config) &&
    isDeepStrictEqual(before.files, after.files)
  )
}

function* filesOf(config: unknown): Generator<string> {
  if (typeof config !== 'object' || config === null) return
  for (const [key, value] of Object.entries(config)) {
    if (typeof value !== 'string') yield* filesOf(value)
    else if (key.endsWith('_file') && value !== '') yield value
  }
}

function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? `${path} absent` : `${path} ${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`
}
