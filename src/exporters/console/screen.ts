import { LINK_STATUSES, type Link, type LinkStatus, type Round } from '../../links/index.ts'
import type { Context } from './columns.ts'
import { paint, type Span, STATUS_STYLES } from './style.ts'
import { fit, linkRow, sortLinks, titleRow } from './table.ts'
import { displayWidth, sanitize } from './text.ts'

export interface ScreenOptions extends Context {
  /** Terminal columns. */
  readonly width: number
  /** Lines that the whole screen may take. */
  readonly height: number
  /** Most links shown. */
  readonly maxRows: number
  readonly color: boolean
  /** Shown where no resource says. */
  readonly host: string
  /** Of the round, or of the drawing before the first. */
  formatTime(timeMs: number): string
}

/** Lines that are not links: header, rule, titles. */
const FRAME_LINES = 3

/** The whole screen as lines, none wider than `width`. Pure: same round, same lines. */
export function renderScreen(round: Round, options: ScreenOptions): string[] {
  const { color, width, glyphs } = options
  const lines: Span[][] = [header(round, options), [{ text: glyphs.rule.repeat(width), styles: ['dim'] }]]
  if (round.links.length === 0) lines.push(...emptyState(round))
  else lines.push(...tableLines(round.links, options))
  return lines.slice(0, options.height).map((spans) => paint(clip(spans, width), color))
}

function tableLines(links: readonly Link[], options: ScreenOptions): Span[][] {
  const layout = fit(links, options.width, options)
  const sorted = sortLinks(links)
  const room = Math.max(2, options.height - FRAME_LINES)
  const shown =
    sorted.length <= Math.min(room, options.maxRows) ? sorted : sorted.slice(0, Math.min(room - 1, options.maxRows))
  const lines = [titleRow(layout, options), ...shown.map((link) => linkRow(link, layout, options))]
  if (shown.length < sorted.length) lines.push(moreLine(sorted.slice(shown.length), options))
  return lines
}

function moreLine(hidden: readonly Link[], { glyphs }: ScreenOptions): Span[] {
  const counts = [...countStatuses(hidden)].map(([status, count]) => `${count} ${status}`)
  return [{ text: `${glyphs.ellipsis} ${hidden.length} more (${counts.join(', ')})`, styles: ['dim'] }]
}

function countStatuses(links: readonly Link[]): Map<LinkStatus, number> {
  const counts = new Map<LinkStatus, number>()
  for (const status of LINK_STATUSES) {
    const count = links.filter((link) => link.status === status).length
    if (count > 0) counts.set(status, count)
  }
  return counts
}

/**
 * Name, host, totals and what is wrong to the left, when to the right. Where that is too wide, the interval goes first,
 * then the words after the worst status, whose glyphs the table explains, then the mildest statuses.
 */
function header(round: Round, options: ScreenOptions): Span[] {
  const time = options.formatTime(round.timeMs)
  const every = round.intervalMs === undefined ? '' : `every ${formatInterval(round.intervalMs)}  `
  const statuses = [...countStatuses(round.links)]
  const title = headerTitle(round, options)
  const attempts: [Span[], string][] = []
  for (const words of [true, false]) {
    const counts = statusCounts(statuses, words, options)
    attempts.push([[...title, ...counts.flat()], every + time], [[...title, ...counts.flat()], time])
  }
  for (let kept = statuses.length - 1; kept > 0; kept--) {
    attempts.push([[...title, ...statusCounts(statuses.slice(0, kept), false, options).flat()], time])
  }
  const fits = attempts.find(([spans, right]) => widthOf(spans) + 2 + displayWidth(right) <= options.width)
  if (fits === undefined) return [...title, ...statusCounts(statuses.slice(0, 1), true, options).flat()]
  const [spans, right] = fits
  const space = options.width - widthOf(spans) - displayWidth(right)
  return [...spans, { text: ' '.repeat(space) }, { text: right, styles: ['dim'] }]
}

function headerTitle(round: Round, { glyphs, host }: ScreenOptions): Span[] {
  return [
    { text: 'netvitals', styles: ['bold'] },
    { text: ` ${sanitize(round.host ?? host)}`, styles: ['bold', 'cyan'] },
    { text: `  ${plural(round.containers, 'container')} ${glyphs.separator} ${plural(round.links.length, 'link')}` },
  ]
}

function statusCounts(statuses: readonly [LinkStatus, number][], words: boolean, { glyphs }: ScreenOptions): Span[][] {
  return statuses.map(([status, count], index) => {
    const word = words || index === 0 ? ` ${status}` : ''
    return [{ text: '  ' }, { text: `${glyphs.status[status]} ${count}${word}`, styles: STATUS_STYLES[status] }]
  })
}

function emptyState(round: Round): Span[][] {
  if (round.timeMs === 0) return [[], [{ text: '  Waiting for the first cycle of measurements.', styles: ['dim'] }]]
  return [
    [],
    [{ text: '  No TCP connections seen yet.', styles: ['bold'] }],
    [],
    [{ text: '  Open one from any container or from this host, for example' }],
    [{ text: '    curl -s -o /dev/null https://example.com', styles: ['cyan'] }],
    [{ text: '  and its link is here after the next cycle.' }],
  ]
}

const widthOf = (spans: readonly Span[]) => spans.reduce((width, { text }) => width + displayWidth(text), 0)

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

function formatInterval(intervalMs: number): string {
  const seconds = intervalMs / 1000
  return `${seconds < 9.95 ? seconds.toFixed(1).replace(/\.0$/, '') : Math.round(seconds)} s`
}

/** Cuts what would wrap. */
function clip(spans: readonly Span[], width: number): Span[] {
  const result: Span[] = []
  let left = width
  for (const span of spans) {
    const needed = displayWidth(span.text)
    if (needed <= left) {
      result.push(span)
      left -= needed
      continue
    }
    let text = ''
    for (const character of span.text) {
      if (displayWidth(text + character) > left) break
      text += character
    }
    result.push({ ...span, text })
    break
  }
  return result
}
