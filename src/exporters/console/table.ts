import { compareStatus, isBad, type Link, observed, peer } from '../../links/index.ts'
import { type Cell, COLUMNS, type Column, type Context, REDUCTIONS, WHY_COLUMN } from './columns.ts'
import type { Span, Style } from './style.ts'
import { displayWidth, pad, truncateEnd, truncateMiddle } from './text.ts'

/** Room that names get before any other column does, as far as they are as long: `docker 0123456789ab`, `10.0.0.1:65535`. */
const COMFORTABLE_NAME_WIDTHS = [19, 15] as const
const SHORTEST_NAME_WIDTH = 6
const LONGEST_NAME_WIDTH = 64
const SHORTEST_REASON_WIDTH = 14

export interface Layout {
  readonly columns: readonly Column[]
  readonly widths: readonly number[]
}

/**
 * Which columns stand at this width, and how wide each is. Names are measured over all links, the ones not shown
 * included, and numbers have widths of their own: so columns keep their places from one drawing to the next.
 */
export function fit(links: readonly Link[], width: number, context: Context): Layout {
  const needs = COLUMNS.filter((column) => column.width === undefined).map((column) => need(column, links, context))
  const comfortable = sum(needs.map((value, index) => Math.min(value, COMFORTABLE_NAME_WIDTHS[index]!)))
  let columns = [...COLUMNS]
  for (const id of REDUCTIONS) {
    if (fixedWidth(columns) + comfortable <= width) break
    columns = columns.filter((column) => column.id !== id)
  }
  const names = share(width - fixedWidth(columns), needs)
  const left = width - fixedWidth(columns) - sum(names) - gapBefore(WHY_COLUMN).length
  const widths = columns.map((column) => column.width ?? names.shift()!)
  const reasons = need(WHY_COLUMN, links, context)
  return left >= SHORTEST_REASON_WIDTH && links.some((link) => link.reason !== '')
    ? { columns: [...columns, WHY_COLUMN], widths: [...widths, Math.min(left, reasons)] }
    : { columns, widths }
}

function need(column: Column, links: readonly Link[], context: Context): number {
  let widest = displayWidth(column.title(context))
  for (const link of links) widest = Math.max(widest, displayWidth(column.cell(link, context).text))
  return Math.min(widest, LONGEST_NAME_WIDTH)
}

/** Everything but the names: fixed widths, and the gaps between columns. */
function fixedWidth(columns: readonly Column[]): number {
  return sum(columns.map((column, index) => (column.width ?? 0) + (index === 0 ? 0 : gapBefore(column).length)))
}

function gapBefore({ gap = 1 }: Column): string {
  return ' '.repeat(gap)
}

/** What both ask for, else half each, where one that asks for less than half leaves the rest to the other. */
function share(room: number, [first = 0, second = 0]: readonly number[]): [number, number] {
  if (first + second <= room) return [first, second]
  const half = Math.floor(room / 2)
  const firstGets = first <= half ? first : Math.max(room - second, room - half)
  const own = Math.max(SHORTEST_NAME_WIDTH, firstGets)
  return [own, Math.max(SHORTEST_NAME_WIDTH, room - own)]
}

export function titleRow({ columns, widths }: Layout, context: Context): Span[] {
  return columns.flatMap((column, index) => [
    ...gap(column, index),
    { text: pad(column.title(context), widths[index]!, column.align), styles: ['dim'] as Style[] },
  ])
}

export function linkRow(link: Link, { columns, widths }: Layout, context: Context): Span[] {
  return columns.flatMap((column, index) => {
    const width = widths[index]!
    const cell = column.cell(link, context)
    return [...gap(column, index), { text: fitCell(cell, column, link, width, context), styles: styles(cell, link) }]
  })
}

const gap = (column: Column, index: number): Span[] => (index === 0 ? [] : [{ text: gapBefore(column) }])

function fitCell({ text }: Cell, column: Column, link: Link, width: number, { glyphs }: Context): string {
  if (column.id === 'why') return truncateEnd(text, width, glyphs.ellipsis)
  const { port } = column.id === 'own' ? observed(link) : peer(link)
  const tail = column.width === undefined && port !== undefined ? `:${port}`.length : 0
  return pad(truncateMiddle(text, width, glyphs.ellipsis, tail), width, column.align)
}

/** A link without traffic stands back as a whole. */
function styles(cell: Cell, link: Link): readonly Style[] {
  return link.status === 'idle' && !cell.styles?.includes('red') ? ['dim'] : (cell.styles ?? [])
}

/**
 * Worst first, then the busiest. Activity counts by powers of four, and equals stand by name: a row moves when
 * something changed, not at each drawing.
 */
export function sortLinks(links: readonly Link[]): Link[] {
  const ranked = links.map((link) => ({ link, activity: activity(link) }))
  ranked.sort(
    (a, b) =>
      compareStatus(a.link.status, b.link.status) || b.activity - a.activity || (a.link.key < b.link.key ? -1 : 1),
  )
  return ranked.map(({ link }) => link)
}

function activity(link: Link): number {
  const trouble = isBad(link.status) ? (link.failed + link.dataRetransmits + link.handshakeRetransmits) * 1e6 : 0
  const traffic = link.bytesSentPerSecond + link.bytesReceivedPerSecond + link.connectsPerSecond * 1000
  return Math.floor(Math.log2(1 + trouble + traffic + link.active) / 2)
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
