import type { HrTime } from '@opentelemetry/api'
import type { MetricData, ResourceMetrics, ScopeMetrics } from '@opentelemetry/sdk-metrics'
import { DATA_POINT_TYPE, NO_RECORDED_VALUE, TEMPORALITY } from '../component/data-model.ts'
import type { DataPoint } from '../component/types.ts'
import { createResourceSeries, type ResourceState } from './resource-series.ts'
import { createAttributesIdentity } from './series-identity.ts'
import { createDeltaTable } from './table.ts'

/** One batch on its way out: an encoder asks it what to write for each point, and tells it what became of them. */
export interface DeltaBatch {
  /** To be called before a metric's points; gives the metric to write. */
  metric(resource: ResourceMetrics, scope: ScopeMetrics, metric: MetricData): MetricData
  /** The point to write. Valid until the next call. */
  point(point: DataPoint<unknown>): DataPoint<unknown>
  /** The last point was not written after all. */
  takeBack(): void
  /** Points given out so far, and so the next one's number. */
  readonly issued: number
  /** What became of the points from number `from` up to `to`. */
  settle(from: number, to: number, delivered: boolean): void
  /** Whatever is not settled was not delivered. */
  close(): void
}

export interface DeltasOptions {
  /**
   * Milliseconds since the epoch: of a series that began before, what it held at first sight is not told; its first
   * point is a 0 of no duration. Infinity: of none is it told.
   */
  readonly sinceMs?: number
  /** How long a series is remembered without a point, in seconds; at least three of its resource's cycles. */
  readonly maxStalenessS?: number
}

/**
 * Turns cumulative monotonic sums into deltas: what was added since the last point that was delivered. What could
 * not be delivered is owed and goes into the series' next point, so nothing is lost or told twice, in whatever order
 * requests end. Other metrics stay as they are.
 *
 * @see opentelemetry-specification metrics/data-model.md "Temporality"
 */
export function createDeltas({ sinceMs = Date.now(), maxStalenessS }: DeltasOptions = {}) {
  const table = createDeltaTable()
  const identityOf = createAttributesIdentity()
  const resources = createResourceSeries(table, identityOf, maxStalenessS)

  function open(): DeltaBatch {
    // One entry for each point given out.
    const rows: number[] = []
    const deltas: number[] = []
    const starts: number[] = []
    const issues: number[] = []
    let settled = 0
    let resource: ResourceState
    let series: Map<string, number> | undefined
    let isLastIssued = false
    const startTime: HrTime = [0, 0]
    const out = { startTime, endTime: startTime, attributes: {}, value: 0 } as {
      -readonly [K in keyof DataPoint<number>]: DataPoint<number>[K]
    }

    function metric({ resource: owner }: ResourceMetrics, { scope }: ScopeMetrics, data: MetricData): MetricData {
      series = undefined
      const [first] = data.dataPoints
      if (data.dataPointType !== DATA_POINT_TYPE.sum || !data.isMonotonic || first === undefined) return data
      if (data.aggregationTemporality !== TEMPORALITY.cumulative) return data
      resource = resources.find(owner)
      resources.see(resource, first.endTime)
      const key = `${scope.name}\0${data.descriptor.name}`
      series = resource.metrics.get(key)
      if (series === undefined) {
        series = new Map()
        resource.metrics.set(key, series)
      }
      return {
        ...data,
        aggregationTemporality: TEMPORALITY.delta as MetricData['aggregationTemporality'],
      } as MetricData
    }

    function point(given: DataPoint<unknown>): DataPoint<unknown> {
      const value = given.value as number
      const isEnd = given.flags !== undefined && (given.flags & NO_RECORDED_VALUE) !== 0
      isLastIssued = series !== undefined && !isEnd && Number.isFinite(value)
      if (series === undefined || !isLastIssued) return given
      const identity = identityOf(given.attributes)
      let row = series.get(identity)
      if (row === undefined) {
        row = table.add()
        series.set(identity, row)
        begin(row, given)
      }
      table.round[row] = resource.round
      issue(row, given, value)
      return out
    }

    /** Before its first point: the whole value is new, unless it was there before we were. */
    function begin(row: number, { startTime: start, endTime, value }: DataPoint<unknown>): void {
      const isOlder = start[0] * 1000 + start[1] / 1e6 < sinceMs
      const from = isOlder ? endTime : start
      table.given[row] = isOlder ? (value as number) : 0
      table.owed[row] = 0
      table.startSeconds[row] = start[0]
      table.startNanos[row] = start[1]
      table.endSeconds[row] = from[0]
      table.endNanos[row] = from[1]
    }

    function issue(row: number, given: DataPoint<unknown>, value: number): void {
      const start = given.startTime
      const isSameLife = table.startSeconds[row] === start[0] && table.startNanos[row] === start[1]
      // A sum that fell has begun anew, whatever its start says.
      if (!isSameLife || value < table.given[row]!) restart(row, start)
      const delta = value - table.given[row]! + table.owed[row]!
      rows.push(row)
      deltas.push(delta)
      starts.push(table.endSeconds[row]!, table.endNanos[row]!)
      issues.push(++table.issues[row]!)
      writeOut(row, given, delta)
      table.given[row] = value
      table.owed[row] = 0
      table.endSeconds[row] = given.endTime[0]
      table.endNanos[row] = given.endTime[1]
      table.underWay[row]!++
    }

    function restart(row: number, start: HrTime): void {
      table.given[row] = 0
      table.startSeconds[row] = start[0]
      table.startNanos[row] = start[1]
    }

    function writeOut(row: number, given: DataPoint<unknown>, delta: number): void {
      const [endSeconds, endNanos] = given.endTime
      const seconds = table.endSeconds[row]!
      const nanos = table.endNanos[row]!
      // After a clock was put back, the last point's end lies ahead.
      const isAhead = seconds > endSeconds || (seconds === endSeconds && nanos > endNanos)
      startTime[0] = isAhead ? given.startTime[0] : seconds
      startTime[1] = isAhead ? given.startTime[1] : nanos
      out.endTime = given.endTime
      out.attributes = given.attributes
      out.value = delta
    }

    function settle(from: number, to: number, delivered: boolean): void {
      // Backwards: what a series was given last is what its end is taken back over first.
      for (let i = to - 1; i >= from; i--) settleOne(i, delivered)
      settled = Math.max(settled, to)
    }

    function settleOne(i: number, delivered: boolean): void {
      const row = rows[i]!
      table.underWay[row]!--
      if (delivered) return
      table.owed[row]! += deltas[i]!
      // The next point covers this one's time too, unless a later one has been given out meanwhile.
      if (table.issues[row] !== issues[i]) return
      table.issues[row]!--
      table.endSeconds[row] = starts[2 * i]!
      table.endNanos[row] = starts[2 * i + 1]!
    }

    function takeBack(): void {
      if (!isLastIssued) return
      settleOne(rows.length - 1, false)
      rows.pop()
      deltas.pop()
      starts.length -= 2
      issues.pop()
    }

    function close(): void {
      settle(settled, rows.length, false)
      resources.sweep()
    }

    return {
      metric,
      point,
      takeBack,
      get issued() {
        return rows.length
      },
      settle,
      close,
    }
  }

  return {
    open,
    /** How many series are kept. */
    size: () => table.size,
  }
}

export type Deltas = ReturnType<typeof createDeltas>
