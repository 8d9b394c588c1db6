import type { LinkStatus } from '../../links/index.ts'

/** Only the terminal's own sixteen colours: they follow its theme, light or dark. SGR parameters (ECMA-48 8.3.117). */
const SGR = {
  bold: 1,
  dim: 2,
  underline: 4,
  inverse: 7,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
} as const
export type Style = keyof typeof SGR

/** A piece of a line. */
export interface Span {
  readonly text: string
  readonly styles?: readonly Style[]
}

export interface Glyphs {
  readonly status: Readonly<Record<LinkStatus, string>>
  readonly outbound: string
  readonly inbound: string
  readonly both: string
  readonly ellipsis: string
  readonly rule: string
  readonly none: string
  readonly separator: string
}

const UNICODE: Glyphs = {
  status: { failed: '✖', refused: '⊘', lossy: '▲', slow: '◆', filtered: '◌', ok: '●', idle: '○' },
  outbound: '→',
  inbound: '←',
  both: '↔',
  ellipsis: '…',
  rule: '─',
  none: '·',
  separator: '·',
}

const ASCII: Glyphs = {
  status: { failed: 'x', refused: '!', lossy: '%', slow: '~', filtered: '?', ok: '+', idle: '-' },
  outbound: '>',
  inbound: '<',
  both: '=',
  ellipsis: '..',
  rule: '-',
  none: '.',
  separator: '|',
}

/** A status is told by glyph, word and colour: any one of them may be missing or unseen. */
export const STATUS_STYLES: Readonly<Record<LinkStatus, readonly Style[]>> = {
  failed: ['bold', 'red'],
  refused: ['bold', 'magenta'],
  lossy: ['bold', 'yellow'],
  slow: ['yellow'],
  filtered: ['cyan'],
  ok: ['green'],
  idle: ['dim'],
}

type Environment = Readonly<Record<string, string | undefined>>

/** A line of spans as the terminal takes it. */
export function paint(spans: readonly Span[], color: boolean): string {
  let line = ''
  for (const { text, styles = [] } of spans) {
    const codes = styles.map((style) => SGR[style])
    line += color && codes.length > 0 && text !== '' ? `\x1b[${codes.join(';')}m${text}\x1b[0m` : text
  }
  return color ? line : line.trimEnd()
}

/** What the setting says; `auto`: NO_COLOR (no-color.org), then FORCE_COLOR, then whether a terminal reads it. */
export function wantsColor(setting: 'auto' | 'always' | 'never', terminal: boolean, env: Environment): boolean {
  if (setting !== 'auto') return setting === 'always'
  if ((env.NO_COLOR ?? '') !== '') return false
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false'
  return terminal && env.TERM !== 'dumb'
}

/** ASCII where a character set other than UTF-8 is asked for, and on the kernel's own console, whose font lacks ours. */
export function chooseGlyphs(env: Environment): Glyphs {
  return takesUnicode(env) ? UNICODE : ASCII
}

export function takesUnicode(env: Environment): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  const utf8 = locale === '' || /utf-?8/i.test(locale)
  return utf8 && env.TERM !== 'linux' && env.TERM !== 'dumb'
}
