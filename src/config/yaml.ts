import {
  type CollectionTag,
  Composer,
  type CST,
  isMap,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
  type ScalarTag,
} from 'yaml'
import { readContents, YamlError } from './yaml-value.ts'

export { YamlError } from './yaml-value.ts'

/** Bounds against a hostile document. */
export const YAML_LIMITS = {
  /** Characters of one document. */
  maxChars: 16 * 2 ** 20,
  /** Collections within collections. */
  maxDepth: 100,
  /** What the lexer makes of it: a scalar, a bracket, a line end each. The parser takes about 1 KB of memory for one. */
  maxTokens: 500_000,
} as const

/**
 * Reads the first document as go-yaml v3 reads it into an untyped value: YAML 1.2 booleans and nulls, YAML 1.1
 * integers (017, 0o17, 0b11, 0x1f, 1_000), dates, merge keys; a key given twice is an error. Keys become strings.
 * @throws YamlError for what is no YAML, Error for keys that the Collector's tree cannot hold
 */
export function parseYaml(text: string): unknown {
  if (text.length > YAML_LIMITS.maxChars)
    throw new YamlError(`yaml: document is larger than ${YAML_LIMITS.maxChars} characters`)
  if (FORBIDDEN.test(text)) throw new YamlError('yaml: control characters are not allowed')
  refuseTokens(text)
  const relaxed = compose(text, relaxIndent)
  if (relaxed === undefined) return null
  const { document, lines } = relaxed
  // With an indent within brackets the place of one that is missing is told nearer to it.
  const error = relaxed.error && (compose(text)?.error ?? relaxed.error)
  if (error !== undefined) throw error
  const value = readContents(document.contents, lines)
  if (isMap(document.contents) && document.contents.items.some(({ key }) => !isTextKey(key))) {
    throw new Error(
      'unsupported type=map[interface {}]interface {} for retrieved config, ensure that values are wrapped in quotes',
    )
  }
  return value
}

function compose(text: string, prepare: (parser: Parser) => void = () => {}) {
  const lines = new LineCounter()
  const parser = new Parser(lines.addNewLine)
  prepare(parser)
  const tokens = toFirstError(parser.parse(text))
  refuseDepth(tokens, lines)
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    customTags: (tags) => [...tags.filter((tag) => !REPLACED.has(tagName(tag))), ...TAGS],
    prettyErrors: false,
    keepSourceTokens: false,
    uniqueKeys: false,
    logLevel: 'error',
  })
  const [document] = composer.compose(tokens)
  if (document === undefined) return undefined
  // More documents may follow, and are not read.
  const broken = document.errors.find((error) => error.code !== 'MULTIPLE_DOCS')
  if (broken === undefined) return { document, lines }
  const line = lines.linePos(broken.pos[0]).line
  return { document, lines, error: new YamlError(`yaml: line ${line}: ${broken.message.split('\n')[0]}`) }
}

/**
 * The first document, and the first error if there is one: it alone is told. What is no YAML at all has thousands, each
 * with a stack trace.
 */
function toFirstError(parsed: Iterable<CST.Token>): CST.Token[] {
  const tokens: CST.Token[] = []
  let hasDocument = false
  let hasError = false
  for (const token of parsed) {
    if (token.type !== 'error' || !hasError) tokens.push(token)
    hasDocument ||= token.type === 'document'
    hasError ||= token.type === 'error'
    if (hasDocument && hasError) break
  }
  return tokens
}

/** The parser keeps every token, the lexer none: count before anything is kept. */
function refuseTokens(text: string): void {
  // A token is a character at least, but for the one that may stand before it.
  if (text.length < YAML_LIMITS.maxTokens / 2) return
  let tokens = 0
  for (const _ of new Lexer().lex(text)) {
    if (++tokens > YAML_LIMITS.maxTokens) throw new YamlError(`yaml: more than ${YAML_LIMITS.maxTokens} tokens`)
  }
}

/** All that libyaml's reader does not take. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/

type Rule = (this: { indentNext: number }, ...args: unknown[]) => Generator

/**
 * Within brackets and quotes libyaml, and so the Collector, asks for no indent: the closing one may stand in column 0.
 * The lexer has no option for that; its two rules are wrapped.
 */
function relaxIndent(parser: Parser): void {
  const { lexer } = parser as unknown as { lexer: Record<string, Rule> }
  for (const name of ['parseFlowCollection', 'parseQuotedScalar']) {
    const rule = lexer[name]!
    lexer[name] = function* (...args) {
      const before = this.indentNext
      this.indentNext = 0
      try {
        return yield* rule.apply(this, args)
      } finally {
        this.indentNext = before
      }
    }
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
  return !isScalar(key) || typeof key.value === 'string'
}

const REPLACED = new Set(['tag:yaml.org,2002:int', 'tag:yaml.org,2002:float'])

function tagName(tag: unknown): string {
  return typeof tag === 'string' ? tag : ((tag as ScalarTag | CollectionTag).tag ?? '')
}

/** Exact: beyond 2^53 a bigint, which the resolver refuses where it is beyond int64 (the Collector's uint64). */
function toInteger(text: string): number | bigint {
  const digits = text.replaceAll('_', '').replace(/^\+/, '')
  const negative = digits.startsWith('-')
  const body = (negative ? digits.slice(1) : digits).replace(/^0(?=[0-7]+$)/, '0o')
  const value = negative ? -BigInt(body) : BigInt(body)
  if (value >= 2n ** 64n || value < -(2n ** 63n)) return Number(value)
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
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
    // What is beyond a double is text, as to strconv.ParseFloat.
    resolve: (text) => {
      const value = Number(text.replaceAll('_', ''))
      return Number.isFinite(value) ? value : text
    },
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
    // go-yaml's own forms: a date, one with a time and its zone, or with a time after a space (UTC)
    test: /^\d{4}-\d\d?-\d\d?(?:[Tt]\d\d?:\d\d:\d\d(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)| \d\d?:\d\d:\d\d(?:\.\d+)?)?$/,
    resolve: (text) => {
      const date = new Date(text.includes(' ') ? `${text.replace(' ', 'T')}Z` : text)
      return Number.isNaN(date.getTime()) ? text : date
    },
  },
]
