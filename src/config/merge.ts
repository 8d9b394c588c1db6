import { isMap, type Tree } from './value.ts'

/** Between the parts of a key that names a place further down, `exporters::debug::verbosity`; also in messages. */
export const KEY_DELIMITER = '::'

/** `{'a::b': 1}` is `{a: {b: 1}}`, at every depth, as in the Collector. Keys keep their order. */
export function unflatten(tree: Tree): Tree {
  let result: Tree = {}
  for (const [key, value] of Object.entries(tree)) {
    const parts = key.split(KEY_DELIMITER)
    const leaf = isMap(value) ? unflatten(value) : value
    const branch = parts.reduceRight<unknown>((inner, part) => ({ [part]: inner }), leaf) as Tree
    result = merge(result, branch)
  }
  return result
}

/** Maps merge key by key; anything else of the later one, a list or null included, replaces what was there. */
export function merge(earlier: Tree, later: Tree): Tree {
  const result: Tree = { ...earlier }
  for (const [key, value] of Object.entries(later)) {
    const before = Object.hasOwn(result, key) ? result[key] : undefined
    const merged = isMap(before) && isMap(value) ? merge(before, value) : value
    // Not an assignment: a key named __proto__ is a key like any other.
    Object.defineProperty(result, key, { value: merged, enumerable: true, writable: true, configurable: true })
  }
  return result
}
