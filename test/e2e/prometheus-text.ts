export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g

/** The samples of a page in Prometheus' text format; a line that is none of its forms, or has a label twice, throws. */
export function parsePage(page: string): Sample[] {
  return page
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const match = SAMPLE.exec(line)
      if (!match) throw new Error(`no Prometheus sample: ${line}`)
      const labels = [...(match[2] ?? '').matchAll(LABEL)].map(([, name, value]) => [name!, unquote(value!)] as const)
      if (new Set(labels.map(([name]) => name)).size < labels.length) throw new Error(`a label twice: ${line}`)
      return { name: match[1]!, labels: Object.fromEntries(labels), value: number(match[3]!) }
    })
}

function number(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}

function unquote(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
}
