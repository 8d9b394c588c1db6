import { paint, type Span, type Style } from '../../exporters/console/style.ts'
import { EXIT_CODES, type Finding, overall, type Status } from './finding.ts'

/** What the report is about. */
export interface Subject {
  readonly version: string
  /** Of Node.js. */
  readonly node: string
  readonly kernel: string
  readonly architecture: string
}

export interface Look {
  /** Columns. */
  readonly width: number
  readonly color: boolean
  readonly unicode: boolean
}

const MARKS: Readonly<Record<Status, readonly [unicode: string, ascii: string, styles: readonly Style[]]>> = {
  ok: ['✔', '+', ['green']],
  degraded: ['▲', '!', ['bold', 'yellow']],
  unusable: ['✖', 'x', ['bold', 'red']],
  skipped: ['○', '-', ['dim']],
}

const VERDICTS = {
  ok: 'Everything works.',
  degraded: 'It runs, with parts missing.',
  unusable: 'It cannot run like this.',
} as const

export function reportAsJson(subject: Subject, findings: readonly Finding[]): string {
  return `${JSON.stringify({ ...subject, status: overall(findings), checks: findings }, undefined, 2)}\n`
}

/** One check a line; what is missing, with what that costs and what to do, in lines of its own. */
export function reportAsTable(subject: Subject, findings: readonly Finding[], look: Look): string {
  const { version, kernel, architecture, node } = subject
  const status = overall(findings)
  const indent = 2 + Math.max(...findings.map(({ check }) => check.length)) + 2
  const missing = findings.filter((each) => each.status === 'degraded' || each.status === 'unusable').length
  const count = missing === 0 ? '' : ` ${missing} of ${findings.length} checks.`
  return [
    [{ text: `netvitals ${version}, Linux ${kernel} ${architecture}, Node.js ${node}` }],
    [],
    ...findings.flatMap((finding) => describe(finding, indent, look)),
    [],
    [{ text: `${VERDICTS[status]}${count} Exit code ${EXIT_CODES[status]}.`, styles: ['bold'] as const }],
  ]
    .map((spans) => `${paint(spans, look.color).trimEnd()}\n`)
    .join('')
}

function describe({ check, status, found, costs, fix }: Finding, indent: number, look: Look): Span[][] {
  const [unicode, ascii, styles] = MARKS[status]
  const lines = wrap(found, look.width - indent)
  const head: Span[] = [
    { text: look.unicode ? unicode : ascii, styles },
    { text: ` ${check}`.padEnd(indent - 1) },
    { text: lines[0] ?? '', styles: status === 'ok' || status === 'skipped' ? ['dim'] : [] },
  ]
  const margin = ' '.repeat(indent)
  const more = lines.slice(1).map((text) => [{ text: margin + text }])
  return [head, ...more, ...labelled('costs', costs, margin, look), ...labelled('fix', fix, margin, look)]
}

function labelled(label: string, text: string | undefined, margin: string, { width }: Look): Span[][] {
  if (text === undefined) return []
  const title = `${label}: `.padEnd('costs: '.length)
  return wrap(text, width - margin.length - title.length).map((line, at) => [
    { text: margin + (at === 0 ? title : ' '.repeat(title.length)), styles: ['dim'] },
    { text: line },
  ])
}

/** At spaces; a word that is longer than a line is cut. */
export function wrap(text: string, width: number): string[] {
  const room = Math.max(20, width)
  const lines: string[] = []
  let line = ''
  for (let word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length <= room) {
      line += ` ${word}`
      continue
    }
    if (line !== '') lines.push(line)
    while (word.length > room) {
      lines.push(word.slice(0, room))
      word = word.slice(room)
    }
    line = word
  }
  return [...lines, line]
}
