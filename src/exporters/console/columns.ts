import { formatEndpoint, isBad, type Link, observed, peer, type Thresholds } from '../../links/index.ts'
import { formatBytesPerSecond, formatCount, formatRatio, formatSeconds } from './numbers.ts'
import { type Glyphs, STATUS_STYLES, type Style } from './style.ts'
import { sanitize } from './text.ts'

export interface Context {
  readonly glyphs: Glyphs
  readonly thresholds: Thresholds
  /** Title of our end's column. */
  readonly groupBy: 'workload' | 'container'
}

export interface Cell {
  readonly text: string
  readonly styles?: readonly Style[]
}

export interface Column {
  readonly id: string
  title(context: Context): string
  readonly align: 'left' | 'right'
  /** Columns it occupies; undefined for the names, which share what is left, and for `why`. */
  readonly width?: number
  /** Spaces before it; 1 unless said: numbers are set right and have air to their left. */
  readonly gap?: number
  cell(link: Link, context: Context): Cell
}

const number = (value: number, format: (value: number) => string, bad: readonly Style[] = []): Cell =>
  value > 0 ? { text: format(value), styles: bad } : { text: '0', styles: ['dim'] }

const nothing = ({ glyphs }: Context): Cell => ({ text: glyphs.none, styles: ['dim'] })

const status: Column = {
  id: 'status',
  title: () => 'STATUS',
  align: 'left',
  width: 9,
  cell: (link, { glyphs }) => ({
    text: `${glyphs.status[link.status]} ${link.status}`,
    styles: STATUS_STYLES[link.status],
  }),
}

const own: Column = {
  id: 'own',
  title: ({ groupBy }) => groupBy.toUpperCase(),
  align: 'left',
  gap: 2,
  cell: (link) => ({ text: sanitize(formatEndpoint(observed(link))), styles: ['bold'] }),
}

const direction: Column = {
  id: 'direction',
  title: () => '',
  align: 'left',
  width: 1,
  cell: (link, { glyphs }) => ({
    text: glyphs[link.direction],
    styles: [link.direction === 'inbound' ? 'blue' : 'cyan'],
  }),
}

const other: Column = {
  id: 'peer',
  title: () => 'PEER',
  align: 'left',
  cell: (link) => ({ text: sanitize(formatEndpoint(peer(link))) }),
}

const connects: Column = {
  id: 'connects',
  title: () => 'CONN/S',
  align: 'right',
  gap: 2,
  width: 6,
  cell: (link) => number(link.connectsPerSecond, formatCount),
}

const failed: Column = {
  id: 'failed',
  title: () => 'FAILED',
  align: 'right',
  width: 6,
  cell: (link) => number(link.failed, formatCount, ['bold', 'red']),
}

const active: Column = {
  id: 'active',
  title: () => 'OPEN',
  align: 'right',
  width: 5,
  cell: (link) => number(link.active, formatCount),
}

const isLossy = (link: Link, { thresholds }: Context) =>
  link.status === 'lossy' || (link.lossRatio ?? 0) >= thresholds.lossyRatio

const retransmits: Column = {
  id: 'retransmits',
  title: () => 'RETRANS',
  align: 'right',
  width: 7,
  cell: (link, context) =>
    number(link.dataRetransmits + link.handshakeRetransmits, formatCount, isLossy(link, context) ? ['yellow'] : []),
}

const loss: Column = {
  id: 'loss',
  title: () => 'LOSS',
  align: 'right',
  width: 6,
  cell: (link, context) =>
    link.lossRatio === undefined
      ? nothing(context)
      : number(link.lossRatio, formatRatio, isLossy(link, context) ? ['yellow'] : []),
}

const slowStyles = ({ scope }: Link, seconds: number, { thresholds }: Context): Style[] =>
  scope !== undefined && seconds * 1000 > thresholds.slowMs[scope] ? ['yellow'] : []

const rtt: Column = {
  id: 'rtt',
  title: () => 'RTT',
  align: 'right',
  gap: 2,
  width: 8,
  cell: (link, context) => {
    if (link.rttSeconds === undefined) return nothing(context)
    return { text: formatSeconds(link.rttSeconds), styles: slowStyles(link, link.rttSeconds, context) }
  },
}

const ping: Column = {
  id: 'ping',
  title: () => 'PING',
  align: 'right',
  width: 7,
  cell: (link, context) => {
    if (link.latencySeconds === undefined) return nothing(context)
    if (Number.isNaN(link.latencySeconds)) return { text: 'lost', styles: ['bold', 'red'] }
    return { text: formatSeconds(link.latencySeconds), styles: slowStyles(link, link.latencySeconds, context) }
  },
}

const bytesOut: Column = {
  id: 'out',
  title: () => 'OUT',
  align: 'right',
  gap: 2,
  width: 8,
  cell: (link) => number(link.bytesSentPerSecond, formatBytesPerSecond),
}

const bytesIn: Column = {
  id: 'in',
  title: () => 'IN',
  align: 'right',
  gap: 2,
  width: 8,
  cell: (link) => number(link.bytesReceivedPerSecond, formatBytesPerSecond),
}

/** Stands last, where the others leave room for it. */
export const WHY_COLUMN: Column = {
  id: 'why',
  title: () => 'WHY',
  align: 'left',
  gap: 2,
  cell: (link) => ({ text: sanitize(link.reason), styles: isBad(link.status) ? STATUS_STYLES[link.status] : [] }),
}

/** Everything else, left to right. */
export const COLUMNS: readonly Column[] = [
  status,
  own,
  direction,
  other,
  connects,
  failed,
  active,
  retransmits,
  loss,
  rtt,
  ping,
  bytesOut,
  bytesIn,
]

/** What gives way, in this order, until the names have room; what is not named here always stays. */
export const REDUCTIONS: readonly string[] = ['retransmits', 'in', 'out', 'connects', 'active', 'rtt']
