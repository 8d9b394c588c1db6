import { parseCidr } from './cidr.ts'
import type { FoldConfig } from './config.ts'
import { compileRanges, type Lookup } from './ranges.ts'

/**
 * Which addresses are one destination, and what it is called: by the name that was given, else as its network is
 * written. Of networks that overlap the longer prefix counts.
 *
 * @example
 * const foldOf = createFolds([{ name: 'AWS', cidrs: ['3.0.0.0/9'] }, { cidrs: ['10.1.0.0/16'] }])
 * foldOf(Uint8Array.of(10, 1, 2, 3), 0, 4) // '10.1.0.0/16'
 */
export function createFolds(folds: readonly FoldConfig[]): Lookup<string | undefined> {
  const ranges = folds.flatMap(({ name, cidrs }) =>
    cidrs.map((text) => ({ cidr: parseCidr(text), rank: 0, value: name ?? text })),
  )
  if (ranges.length === 0) return () => undefined
  return compileRanges<string | undefined>(ranges, undefined)
}
