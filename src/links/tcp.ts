import type { DataPoint } from '../component/types.ts'
import { addCumulative, addDelta, COLUMN, type Kinds, type Row, setGauge, startMs } from './series.ts'

/** Takes a point of one metric into the round of its row. */
export type Apply = (row: Row, point: DataPoint<number>, delta: boolean, kinds: Kinds) => void

const counter =
  (column: number | ((point: DataPoint<number>, kinds: Kinds) => number)): Apply =>
  (row, point, delta, kinds) => {
    const to = typeof column === 'number' ? column : column(point, kinds)
    if (delta) addDelta(row, to, point.value)
    else addCumulative(row, to, point.value, startMs(point))
  }

const gauge =
  (column: number): Apply =>
  (row, point) =>
    setGauge(row, column, point.value)

const errorType = (point: DataPoint<number>) => String(point.attributes['error.type'] ?? '_OTHER')
const isHandshake = (point: DataPoint<number>) => point.attributes['network.tcp.retransmit.type'] === 'handshake'

/** By metric name after `container.net.tcp.`. connection_time, listen: nothing that a link shows. */
export const APPLY_TCP: Readonly<Record<string, Apply>> = {
  successful_connects: counter(COLUMN.connects),
  failed_connects: counter((point, kinds) => kinds.column('failed', errorType(point))),
  broken_connections: counter((point, kinds) => kinds.column('broken', errorType(point))),
  active_connections: gauge(COLUMN.active),
  segments_sent: counter(COLUMN.segmentsSent),
  retransmits: counter((point) => (isHandshake(point) ? COLUMN.handshakeRetransmits : COLUMN.dataRetransmits)),
  bytes_sent: counter(COLUMN.bytesSent),
  bytes_received: counter(COLUMN.bytesReceived),
  rtt: gauge(COLUMN.rtt),
}
