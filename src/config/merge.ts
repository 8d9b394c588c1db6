import { isMap, type Tree } from './value.ts'

/** Between the parts of a key that names a place further down, `exporters::debug::verbosity`; also in messages. */
export const KEY_DELIMITER = '::'

/** Of one key: as deep as YAML may be nested. */
const MAX_PARTS = 100

/** `{'a::b': 1}` is `{a: {b: 1}}`, at every depth, as in the Collector. Keys keep their order. */
export function unflatten(tree: Tree): Tree {
  let result: Tree = {}
  for (const [key, value] of Object.entries(tree)) {
    const parts = key.split(KEY_DELIMITER)
    if (parts.length > MAX_PARTS) throw new Error(`a key names a place more than ${MAX_PARTS} levels down`)
    const leaf = isMap(value) ? unflatten(value) : value
    const branch = parts.reduceRight<unknown>((inner, part) => ({ [part]: inner }), leaf) as Tree
    result = merge(result, branch)
  }
  return result
}

/** Lists that the Collector's gate confmap.enableMergeAppendOption appends to; any other is replaced. */
const APPENDED = /^service::(?:extensions|.*::receivers|.*::exporters)$/

export interface MergeOptions {
  /** Lists of components are joined, each item once. */
  readonly appendLists?: boolean
}

/** Maps merge key by key; anything else of the later one, a list or null included, replaces what was there. */
export function merge(earlier: Tree, later: Tree, options: MergeOptions = {}): Tree {
  return mergeAt(earlier, later, '', options.appendLists === true)
}

function mergeAt(earlier: Tree, later: Tree, place: string, append: boolean): Tree {
  const result: Tree = { ...earlier }
  for (const [key, value] of Object.entries(later)) {
    const before = Object.hasOwn(result, key) ? result[key] : undefined
    const here = place === '' ? key : `${place}${KEY_DELIMITER}${key}`
    let merged = value
    if (isMap(before) && isMap(value)) merged = mergeAt(before, value, here, append)
    else if (append && Array.isArray(before) && Array.isArray(value) && APPENDED.test(here))
      merged = union(before, value)
    // Not an assignment: a key named __proto__ is a key like any other.
    Object.defineProperty(result, key, { value: merged, enumerable: true, writable: true, configurable: true })
  }
  return result
}

function union(before: readonly unknown[], after: readonly unknown[]): unknown[] {
  const result = [...before]
  const seen = new Set(before.map(fingerprint))
  for (const item of after) {
    const text = fingerprint(item)
    if (!seen.has(text)) result.push(item)
    seen.add(text)
  }
  return result
}

function fingerprint(item: unknown): string {
  return JSON.stringify(item, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
}
