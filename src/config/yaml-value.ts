import { type Alias, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type Pair, type YAMLMap } from 'yaml'
import { RESOLVED_LIMIT } from './value.ts'

/** Text that is no YAML. `message` begins as go-yaml's do: `yaml: line 3: ...`. */
export class YamlError extends Error {}

/** What a node amounts to with all aliases in it followed. */
interface Cost {
  /** Nodes. */
  nodes: number
  /** Characters of its scalars, and a few for each node. */
  chars: number
}

interface Anchored {
  /** Absent while its own content is being read. */
  readonly value?: unknown
  readonly cost: Cost
}

const NODE_CHARS = 4

/**
 * The value of a document's content, as go-yaml decodes it into an untyped value: aliases share what they stand for,
 * merge keys yield to a map's own, keys become strings. Takes time in proportion to the text, whatever is aliased.
 * @throws YamlError for a key given twice, an alias to nothing or to itself, and for excessive aliasing
 */
export function readContents(content: Node | null, lines: LineCounter): unknown {
  const anchors = new Map<string, Anchored>()
  const total: Cost = { nodes: 0, chars: 0 }
  let aliased = 0
  const twice: string[] = []

  const lineOf = (node: { range?: readonly number[] | null }): number => lines.linePos(node.range?.[0] ?? 0).line

  function read(node: unknown): unknown {
    if (isAlias(node)) return readAlias(node).value
    const anchor = (node as { anchor?: string } | null)?.anchor
    const before = { ...total }
    if (anchor) anchors.set(anchor, { cost: { nodes: 0, chars: 0 } })
    add({ nodes: 1, chars: NODE_CHARS })
    const value = readContent(node)
    if (anchor) {
      const cost = { nodes: total.nodes - before.nodes, chars: total.chars - before.chars }
      anchors.set(anchor, { value, cost })
    }
    return value
  }

  function readContent(node: unknown): unknown {
    if (isMap(node)) return readMap(node)
    if (isSeq(node)) return node.items.map(read)
    if (!isScalar(node)) return null
    if (typeof node.value === 'string') add({ nodes: 0, chars: node.value.length })
    return node.value
  }

  function readAlias(alias: Alias): { value: unknown } {
    const anchored = anchors.get(alias.source)
    if (anchored === undefined) throw new YamlError(`yaml: unknown anchor '${alias.source}' referenced`)
    if (!('value' in anchored)) throw new YamlError(`yaml: anchor '${alias.source}' value contains itself`)
    add({ nodes: anchored.cost.nodes + 1, chars: anchored.cost.chars })
    aliased += anchored.cost.nodes
    refuseBomb()
    return { value: anchored.value }
  }

  function add({ nodes, chars }: Cost): void {
    total.nodes += nodes
    total.chars += chars
  }

  /** go-yaml's own rule, and ours for what it lets pass. */
  function refuseBomb(): void {
    const ratio = aliased / total.nodes
    const excessive = aliased > 100 && total.nodes > 1000 && ratio > allowedRatio(total.nodes)
    if (excessive || total.chars > RESOLVED_LIMIT) throw new YamlError('yaml: document contains excessive aliasing')
  }

  function readMap(map: YAMLMap): Record<string, unknown> {
    noteDuplicates(map)
    const result: Record<string, unknown> = {}
    const merges: unknown[] = []
    for (const { key, value } of map.items as Pair[]) {
      if (isMergeKey(key)) merges.push(...mergeSources(read(value)))
      else define(result, keyOf(key), read(value))
    }
    for (const source of merges) {
      for (const [key, value] of Object.entries(source as object)) {
        add({ nodes: 1, chars: key.length + NODE_CHARS })
        refuseBomb()
        if (!Object.hasOwn(result, key)) define(result, key, value)
      }
    }
    return result
  }

  function keyOf(key: unknown): string {
    if (isScalar(key) && typeof key.value !== 'object') {
      const text = typeof key.value === 'number' ? goNumber(key.value) : String(key.value)
      add({ nodes: 1, chars: text.length + NODE_CHARS })
      return text
    }
    if (key === null || (isScalar(key) && key.value === null)) return '<nil>'
    const value = read(key)
    if (value instanceof Date) return value.toISOString()
    if (typeof value === 'object') throw new YamlError('yaml: invalid map key: a key is a scalar')
    return String(value)
  }

  function noteDuplicates(map: YAMLMap): void {
    const seen = new Map<string, number>()
    for (const { key } of map.items) {
      if (!isScalar(key)) continue
      const text = key.source ?? String(key.value)
      const first = seen.get(text)
      if (first === undefined) seen.set(text, lineOf(key))
      else twice.push(`  line ${lineOf(key)}: mapping key ${JSON.stringify(text)} already defined at line ${first}`)
    }
  }

  const value = read(content)
  if (twice.length > 0) throw new YamlError(`yaml: unmarshal errors:\n${twice.join('\n')}`)
  return value
}

/** Of go-yaml's decode.go: nearly all of a small document may come from aliases, a tenth of a large one. */
function allowedRatio(nodes: number): number {
  if (nodes <= 400_000) return 0.99
  if (nodes >= 4_000_000) return 0.1
  return 0.99 - 0.89 * ((nodes - 400_000) / 3_600_000)
}

/** As fmt.Sprint prints it. */
function goNumber(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.value === '<<' && (key.type === undefined || key.type === 'PLAIN')
}

/** Earlier ones win over later ones. */
function mergeSources(value: unknown): unknown[] {
  const sources = Array.isArray(value) ? value : [value]
  for (const source of sources) {
    if (typeof source !== 'object' || source === null || Array.isArray(source) || source instanceof Date) {
      throw new YamlError('yaml: map merge requires map or sequence of maps as the value')
    }
  }
  return sources
}

/** Not an assignment: a key named __proto__ is a key like any other. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true })
}
