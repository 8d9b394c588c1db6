/** Numbers from 0 to 1 that a seed repeats: mulberry32. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What has a meaning to one of the readers: YAML, expansion, keys, each type of field. */
const WORDS = [
  ...['{', '}', '[', ']', ':', ': ', ',', '- ', '? ', '\n', '\t', ' ', '#', '"', "'", '|\n ', '>\n ', '---\n', '...\n'],
  ...['&a ', '*a', '<<: *a', '<<: [*a, *a]', '!!str ', '!!float ', '!!binary ', '!x ', '%YAML 1.1\n', '@', '`'],
  ...['$', '$$', '${', '}', `\${env:HOME}`, `\${HOME}`, '${env:NV_NO:-', '${yaml:', `\${file:x}`, `\${nope:x}`],
  ...[
    '::',
    'a::b: 1',
    '::::',
    '__proto__',
    'constructor',
    'null',
    '~',
    'true',
    'yes',
    '.inf',
    '-.INF',
    '.nan',
    '0',
    '-1',
  ],
  ...['1e400', '1_0', '0x', '0b2', '017', '9223372036854775807', '9223372036854775808', '18446744073709551616', '1.5'],
  ...[
    '5s',
    '-1h',
    '1d',
    '99999999999h',
    '4MiB',
    '1e3KiB',
    '2020-01-01',
    '2020-13-45T99:99:99Z',
    'é',
    '\u0000',
    '\ufeff',
  ],
  ...[
    'receivers',
    'exporters',
    'service',
    'pipelines',
    'metrics',
    'metrics/',
    '/',
    'debug',
    'otlp',
    'batch',
    'netvitals',
  ],
  ...[
    'headers',
    'sending_queue',
    'enabled',
    'tls',
    'timeout',
    'telemetry',
    'readers',
    'name',
    'value',
    '\ud800',
    '\r\n',
  ],
]

/** A configuration that is nearly one of the corpus: one to eight changes, small and large. */
export function mutate(corpus: readonly string[], random: () => number): string {
  const below = (end: number): number => Math.floor(random() * end)
  const pick = <T>(items: readonly T[]): T => items[below(items.length)]!

  function change(text: string): string {
    const from = below(text.length + 1)
    const to = Math.min(text.length, from + 1 + below(pick([1, 4, 30, 200])))
    const lines = text.split('\n')
    const line = below(lines.length)
    switch (below(10)) {
      case 0:
        return text.slice(0, from) + text.slice(to)
      case 1:
        return text.slice(0, from) + pick(WORDS) + text.slice(from)
      case 2:
        return text.slice(0, from) + pick(WORDS) + text.slice(to)
      case 3:
        return text.slice(0, from) + text.slice(from, to).repeat(1 + below(pick([2, 5, 60]))) + text.slice(to)
      case 4:
        return text.slice(0, from) + String.fromCharCode(below(pick([128, 0x10000]))) + text.slice(to)
      case 5:
        return lines.toSpliced(line, 1).join('\n')
      case 6:
        return lines.toSpliced(below(lines.length), 0, lines[line]!).join('\n')
      case 7:
        return lines.toSpliced(line, 1, `${' '.repeat(below(8))}${lines[line]!.trim()}`).join('\n')
      case 8:
        return text.slice(0, from) + pick(corpus).slice(below(200))
      default: {
        const words = text.match(/[\w.]+/g) ?? ['']
        return text.replace(pick(words), () => pick([...WORDS, pick(words)]))
      }
    }
  }

  let text = pick(corpus)
  for (let changes = 1 + below(pick([1, 3, 8])); changes > 0; changes--) text = change(text).slice(0, 200_000)
  return text
}
