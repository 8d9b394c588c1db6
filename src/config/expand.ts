import { ConfigError, type ConfigProblem, reasonOf } from '../errors.ts'
import type { Retrieve } from './resolver.ts'
import { expanded, isExpanded, isMap, type SizeLimit, type Tree } from './value.ts'

export interface ExpandOptions {
  readonly retrieve: Retrieve
  /** '' for none: `${NAME}` then stays as it is. */
  readonly defaultScheme: string
  /** Of all that is retrieved. */
  readonly limit: SizeLimit
}

/** Times one value may be expanded: what it was expanded to may hold `${...}` again. */
const MAX_ROUNDS = 1000
/** All text that one configuration's expansions may produce, in characters. */
const MAX_TOTAL_CHARS = 16 * 2 ** 20
/** Items of lists and maps that may be looked at, each as often as it is. */
const MAX_VISITS = 4 * 2 ** 20

const URI = /^([A-Za-z][A-Za-z0-9+.-]+):(.*)$/s

/**
 * Replaces every `${scheme:value}` and `${NAME}` of a tree's values (never of its keys), innermost first and again in
 * what came out; `$$` is `$`. A value that is one `${...}` gets the type that YAML gives it (`Expanded` keeps its
 * text); within a longer string it is its text.
 * @throws ConfigError with one problem a value that failed
 */
export async function expandTree(tree: Tree, options: ExpandOptions): Promise<Tree> {
  const problems: ConfigProblem[] = []
  const expander = createExpander(options)

  async function walk(value: unknown, path: readonly string[]): Promise<unknown> {
    if (isMap(value)) {
      const entries: [string, unknown][] = []
      for (const [key, item] of Object.entries(value)) entries.push([key, await walk(item, [...path, key])])
      return Object.fromEntries(entries)
    }
    if (Array.isArray(value)) {
      const items: unknown[] = []
      for (const [index, item] of value.entries()) items.push(await walk(item, [...path, String(index)]))
      return items
    }
    if (typeof value !== 'string' || !value.includes('$')) return value
    try {
      return unescapeDollars(await expander.expandFully(value))
    } catch (error) {
      problems.push({ stage: 'resolve', path, message: reasonOf(error), ...remedyFor(value) })
      return null
    }
  }

  const result = (await walk(tree, [])) as Tree
  if (problems.length > 0) throw new ConfigError(problems)
  return result
}

/** The shell's form lacks the scheme here, as in the Collector. */
function remedyFor(value: string): { remedy?: string } {
  const name = /\$\{(\w+):-/.exec(value)?.[1]
  return name === undefined || name === 'env' ? {} : { remedy: `write \${env:${name}:-default}` }
}

interface Outcome {
  readonly value: unknown
  readonly changed: boolean
}

function createExpander({ retrieve, defaultScheme, limit }: ExpandOptions) {
  let totalChars = 0
  let visits = 0

  async function expandFully(value: unknown): Promise<unknown> {
    let current = value
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const outcome = await expandOnce(current)
      if (!outcome.changed) return outcome.value
      current = outcome.value
    }
    throw new Error('too many recursive expansions')
  }

  async function expandOnce(value: unknown): Promise<Outcome> {
    if (++visits > MAX_VISITS) throw new Error('too many recursive expansions')
    if (isExpanded(value)) return expandBoth(value.value, value.text)
    if (typeof value === 'string')
      return value.includes('${') && value.includes('}') ? expandString(value) : same(value)
    if (Array.isArray(value)) {
      const outcomes = []
      for (const item of value) outcomes.push(await expandOnce(item))
      return { value: outcomes.map((outcome) => outcome.value), changed: outcomes.some((outcome) => outcome.changed) }
    }
    if (isMap(value)) {
      const entries: [string, unknown][] = []
      let changed = false
      for (const [key, item] of Object.entries(value)) {
        const outcome = await expandOnce(item)
        entries.push([key, outcome.value])
        changed ||= outcome.changed
      }
      return { value: Object.fromEntries(entries), changed }
    }
    return same(value)
  }

  /** The target's type is not known yet: the typed value and its text are both expanded. */
  async function expandBoth(value: unknown, text: string): Promise<Outcome> {
    const outcome = await expandOnce(value)
    if (isExpanded(outcome.value) || typeof outcome.value === 'string') return outcome
    let asText: Outcome
    try {
      asText = await expandOnce(text)
    } catch {
      // e.g. a reference in a YAML comment: of no matter to the value, which then has no text to fall back on
      return outcome
    }
    if (typeof asText.value !== 'string') return outcome
    return { value: expanded(outcome.value, asText.value), changed: outcome.changed || asText.changed }
  }

  async function expandString(input: string): Promise<Outcome> {
    const uri = findUri(input, defaultScheme !== '')
    if (uri === undefined) return same(input)
    const { value, text } = await retrieveUri(uri)
    limit.add(value)
    if (uri === input) {
      grow(text.length)
      return { value: expanded(value, text), changed: true }
    }
    const copies = input.split(uri)
    grow(input.length + (copies.length - 1) * text.length)
    return { value: copies.join(text), changed: true }
  }

  function grow(chars: number): void {
    totalChars += chars
    if (totalChars > MAX_TOTAL_CHARS) throw new Error(`expansions amount to more than ${MAX_TOTAL_CHARS} characters`)
    limit.addChars(chars)
  }

  function retrieveUri(reference: string) {
    const inner = reference.slice(2, -1)
    const uri = inner.includes(':') ? inner : `${defaultScheme}:${inner}`
    const [, scheme, opaque] = URI.exec(uri) ?? []
    if (scheme === undefined || opaque === undefined) throw new Error(`invalid uri: ${JSON.stringify(uri)}`)
    if (opaque.includes('$')) throw new Error(`the uri ${JSON.stringify(uri)} contains unsupported characters ('$')`)
    return retrieve(scheme, opaque)
  }

  return { expandFully }
}

function same(value: unknown): Outcome {
  return { value, changed: false }
}

/** The first `${...}` without another inside it; none if an odd number of `$` before its own escapes it. */
export function findUri(input: string, hasDefaultScheme: boolean): string | undefined {
  let start = 0
  for (let close = input.indexOf('}'); close >= 0; close = input.indexOf('}', start)) {
    const open = input.slice(start, close).lastIndexOf('${')
    const from = start + open
    const candidate = open < 0 ? '' : input.slice(from, close + 1)
    if (open >= 0 && (hasDefaultScheme || candidate.includes(':'))) {
      let dollars = 0
      while (from - dollars - 1 >= start && input[from - dollars - 1] === '$') dollars++
      // What stands behind an escaped one is not looked at, as in the Collector.
      return dollars % 2 === 0 ? candidate : undefined
    }
    start = close + 1
  }
  return undefined
}

function unescapeDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$$', '$')
  if (isExpanded(value)) return expanded(unescapeDollars(value.value), value.text.replaceAll('$$', '$'))
  if (Array.isArray(value)) return value.map(unescapeDollars)
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unescapeDollars(item)]))
  return value
}
