import {
  type CollectionTag,
  Composer,
  type CST,
  type Document,
  isMap,
  isScalar,
  LineCounter,
  Parser,
  type Scalar,
  type ScalarTag,
  visit,
} from 'yaml'

/** Bounds against a hostile document. */
export const YAML_LIMITS = {
  /** Characters of one document. */
  maxChars: 16 * 2 ** 20,
  /** Collections within collections. */
  maxDepth: 100,
  /** Nodes that aliases may expand to, each counted as often as it is used. */
  maxAliases: 1000,
} as const

/** Text that is no YAML. `message` begins as go-yaml's do: `yaml: line 3: ...`. */
export class YamlError extends Error {}

/**
 * Reads the first document as go-yaml v3 reads it into an untyped value: YAML 1.2 booleans and nulls, YAML 1.1
 * integers (017, 0o17, 0b11, 0x1f, 1_000), dates, merge keys; a key given twice is an error. Keys become strings.
 * @throws YamlError for what is no YAML, Error for keys that the Collector's tree cannot hold
 */
export function parseYaml(text: string): unknown {
  if (text.length > YAML_LIMITS.maxChars)
    throw new YamlError(`yaml: document is larger than ${YAML_LIMITS.maxChars} characters`)
  const lines = new LineCounter()
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  refuseDepth(tokens, lines)
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    merge: true,
    customTags: (tags) => [...tags.filter((tag) => !REPLACED.has(tagName(tag))), ...TAGS],
    prettyErrors: false,
    keepSourceTokens: false,
    uniqueKeys: false,
    logLevel: 'error',
  })
  const [document] = composer.compose(tokens)
  if (document === undefined) return null
  const lineOf = (node: { range?: readonly number[] | null }): number => lines.linePos(node.range?.[0] ?? 0).line
  // More documents may follow, and are not read.
  const broken = document.errors.find((error) => error.code !== 'MULTIPLE_DOCS')
  if (broken !== undefined) {
    throw new YamlError(`yaml: line ${lines.linePos(broken.pos[0]).line}: ${broken.message.split('\n')[0]}`)
  }
  const twice = duplicateKeys(document, lineOf)
  if (twice.length > 0) throw new YamlError(`yaml: unmarshal errors:\n${twice.join('\n')}`)
  if (isMap(document.contents) && document.contents.items.some(({ key }) => !isTextKey(key))) {
    throw new Error(
      'unsupported type=map[interface {}]interface {} for retrieved config, ensure that values are wrapped in quotes',
    )
  }
  try {
    return document.toJS({ maxAliasCount: YAML_LIMITS.maxAliases, mapAsMap: false })
  } catch (error) {
    if (error instanceof ReferenceError && error.message.startsWith('Excessive')) {
      throw new YamlError('yaml: document contains excessive aliasing')
    }
    throw new YamlError(`yaml: ${(error as Error).message}`)
  }
}

/** The composer is recursive and the parser is not: refuse here what would overflow the stack there. */
function refuseDepth(tokens: readonly CST.Token[], lines: LineCounter): void {
  const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }))
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next
    if (depth > YAML_LIMITS.maxDepth) {
      const line = 'offset' in token ? lines.linePos(token.offset).line : 0
      throw new YamlError(`yaml: line ${line}: nested more than ${YAML_LIMITS.maxDepth} deep`)
    }
    if (token.type === 'document') {
      if (token.value) open.push({ token: token.value, depth })
    } else if ('items' in token) {
      for (const { key, value } of token.items as { key?: CST.Token | null; value?: CST.Token }[]) {
        if (key) open.push({ token: key, depth: depth + 1 })
        if (value) open.push({ token: value, depth: depth + 1 })
      }
    }
  }
}

function isTextKey(key: unknown): boolean {
  return !isScalar(key) || typeof key.value === 'string' || typeof key.value === 'symbol'
}

/** Keys that a map has twice, each as go-yaml says it. */
function duplicateKeys(document: Document.Parsed, lineOf: (node: Scalar) => number): string[] {
  const found: string[] = []
  visit(document, {
    Map(_, { items }) {
      const lines = new Map<unknown, number>()
      for (const { key } of items) {
        if (!isScalar(key) || key.source === '<<') continue
        const first = lines.get(key.value)
        const line = lineOf(key)
        if (first === undefined) lines.set(key.value, line)
        else found.push(`  line ${line}: mapping key ${JSON.stringify(key.source)} already defined at line ${first}`)
      }
    },
  })
  return found
}

const REPLACED = new Set(['tag:yaml.org,2002:int', 'tag:yaml.org,2002:float'])

function tagName(tag: unknown): string {
  return typeof tag === 'string' ? tag : ((tag as ScalarTag | CollectionTag).tag ?? '')
}

/** Values beyond int64 stay bigint: the resolver refuses them as the Collector does (uint64). */
function toInteger(text: string): number | bigint {
  const digits = text.replaceAll('_', '').replace(/^\+/, '')
  const negative = digits.startsWith('-')
  const body = (negative ? digits.slice(1) : digits).replace(/^0(?=[0-7]+$)/, '0o')
  const value = negative ? -BigInt(body) : BigInt(body)
  return value > 2n ** 63n - 1n || value < -(2n ** 63n) ? value : Number(value)
}

const TAGS: ScalarTag[] = [
  {
    default: true,
    tag: 'tag:yaml.org,2002:int',
    test: /^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$/,
    resolve: (text) => {
      try {
        return toInteger(text)
      } catch {
        return Number(text.replaceAll('_', ''))
      }
    },
  },
  {
    default: true,
    tag: 'tag:yaml.org,2002:float',
    test: /^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$/,
    resolve: (text) => Number(text.replaceAll('_', '')),
  },
  {
    default: true,
    tag: 'tag:yaml.org,2002:float',
    test: /^(?:[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/,
    resolve: (text) => (/nan$/i.test(text) ? Number.NaN : text.startsWith('-') ? -Infinity : Infinity),
  },
  {
    default: true,
    tag: 'tag:yaml.org,2002:timestamp',
    // go-yaml's own forms: a date, or a date and time with a full zone or none
    test: /^\d{4}-\d\d?-\d\d?(?:(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d+)?(?:[ \t]*(?:Z|[-+]\d\d?(?::?\d\d)?))?)?$/,
    resolve: (text, onError) => {
      const date = new Date(text)
      if (Number.isNaN(date.getTime())) onError('invalid date')
      return date
    },
  },
]
