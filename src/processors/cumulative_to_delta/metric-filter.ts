import type { Config } from './config.ts'

type Matching = Config['include']

/** `[[:alpha:]]`: Go's syntax has it, and JavaScript takes it for something else without a word. */
const NAMED_CLASS = /\[:\^?[a-z]+:\]/

/** Go's (RE2) syntax as far as JavaScript has it too: flags at the front and named groups are written otherwise. */
export function compilePattern(pattern: string): { readonly regexp: RegExp } | { readonly error: string } {
  const { flags = '', rest = '' } = /^(?:\(\?(?<flags>[ims]+)\))?(?<rest>.*)$/s.exec(pattern)?.groups ?? {}
  if (NAMED_CLASS.test(rest))
    return { error: `invalid pattern "${pattern}": write [a-z] for a class such as [:lower:]` }
  try {
    return { regexp: new RegExp(rest.replaceAll('(?P<', '(?<'), [...new Set(`${flags}u`)].join('')) }
  } catch (error) {
    return { error: `invalid pattern "${pattern}": ${(error as Error).message.replace(/^.*: /, '')}` }
  }
}

function matcherOf({ metrics, match_type }: Matching): ((name: string) => boolean) | undefined {
  if (metrics.length === 0) return undefined
  if (match_type === 'strict') return (name) => metrics.includes(name)
  const patterns = metrics.map(compilePattern).flatMap((compiled) => ('regexp' in compiled ? [compiled.regexp] : []))
  return (name) => patterns.some((pattern) => pattern.test(name))
}

function hasSums({ metric_types }: Matching): boolean {
  return metric_types.some((type) => type.toLowerCase() === 'sum')
}

/** Whether a monotonic sum of this name is to be converted. */
export function createSumFilter({ include, exclude }: Pick<Config, 'include' | 'exclude'>): (name: string) => boolean {
  if (include.metric_types.length > 0 && !hasSums(include)) return () => false
  if (hasSums(exclude)) return () => false
  const included = matcherOf(include)
  const excluded = matcherOf(exclude)
  return (name) => included?.(name) !== false && excluded?.(name) !== true
}
