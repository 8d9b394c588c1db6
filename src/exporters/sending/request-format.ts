import type { MetricData, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics'
import type { DataPoint } from '../../component/types.ts'
import type { AttributeMemo, WriteAttributes } from './attribute-memo.ts'
import type { Writer } from './protobuf-writer.ts'

/** What stands around data points in a request: each is a repeated field of the one before. */
export const RESOURCE = 0
export const SCOPE = 1
export const METRIC = 2
export const POINT = 3

/** How a request is written; what goes into it, and where it is cut, is the encoder's. */
export interface RequestFormat {
  /** The most that closing everything that is open adds, the request included. */
  readonly closingBytes: number
  /** The byte in front of an element that is not the first of its parent. */
  readonly separator: number | undefined
  readonly writeAttributes: WriteAttributes
  openRequest(writer: Writer): void
  closeRequest(writer: Writer): void
  /** A ResourceMetrics up to its first scope. */
  openResource(writer: Writer, resource: ResourceMetrics): void
  /** A ScopeMetrics up to its first metric. */
  openScope(writer: Writer, scope: ScopeMetrics): void
  /** A Metric up to its first point; gives a place that `close` needs. */
  openMetric(writer: Writer, metric: MetricData): number
  writePoint(writer: Writer, metric: MetricData, point: DataPoint<unknown>, memo: AttributeMemo): void
  /** What was opened at `start`; `dataAt` is of openMetric. */
  close(writer: Writer, level: number, start: number, dataAt: number): void
}
