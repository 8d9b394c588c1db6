import type { Attributes, HrTime } from '@opentelemetry/api'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { ContainerState } from './container-table.ts'
import { scopeName } from './metrics.gen.ts'
import { ABSENT, CUMULATIVE, CURRENT, ESTABLISHED, GAUGE, MEAN, type Plan, SUM, TOUCHED } from './plan.ts'
import { CONNECTED, type Rows } from './rows.ts'

interface Point {
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly attributes: Attributes
  readonly value: number
}

/** Turns rows into data points and a container's points into its ResourceMetrics. */
export interface Snapshot {
  /** For every point from here on. `rttRound`: the round whose samples are current. */
  begin(endTime: HrTime, rttRound: number): void
  /** Number of points that the row has. */
  row(row: number): number
  /** Of a row that is leaving: that it has no active connection any more. */
  leavingRow(row: number): void
  /** The points since the last call, as this container's; undefined: there is none. */
  take(state: ContainerState): ResourceMetrics | undefined
  /** Points since `begin`. */
  readonly points: number
}

export function createSnapshot(plan: Plan, rows: Rows, version: string): Snapshot {
  const scope = Object.freeze({ name: scopeName, version })
  let pending: Point[][] = plan.outputs.map(() => [])
  let endTime: HrTime = [0, 0]
  let round = 0
  let points = 0

  function attributesOf(row: number, variant: number): Attributes {
    const { variants } = plan.kinds[rows.kind[row]!]!
    rows.variants[row] ??= new Array<Attributes | undefined>(variants.length).fill(undefined)
    const made = rows.variants[row]![variant]
    if (made) return made
    const { fixed, point } = variants[variant]!
    const own = rows.attributes[row]!
    const all = Object.keys(fixed).length === 0 ? own : { ...own, ...fixed }
    const { attributes: resource, key } = rows.container[row]!
    const attributes = Object.freeze(point(all, resource, key))
    rows.variants[row]![variant] = attributes
    return attributes
  }

  function emit(row: number, output: number, variant: number, value: number): void {
    points++
    pending[output]!.push({ startTime: rows.start[row]!, endTime, attributes: attributesOf(row, variant), value })
  }

  return {
    begin(cycleEnd, rttRound) {
      endTime = cycleEnd
      round = rttRound
      points = 0
    },
    row(row) {
      const kind = plan.kinds[rows.kind[row]!]!
      const base = rows.base[row]!
      const { values } = rows
      const before = points
      if (!(rows.flags[row]! & CONNECTED) && kind.signsOfConnection.some((cell) => values[base + cell] !== 0)) {
        rows.flags[row]! |= CONNECTED
      }
      const connected = (rows.flags[row]! & CONNECTED) !== 0
      for (const { cell, rule, output, variant } of kind.emitted) {
        let value = values[base + cell]!
        if (rule === ESTABLISHED) {
          if (!connected) continue
        } else if (rule === TOUCHED) {
          if (value === 0) continue
        } else if (rule === CURRENT) {
          if (value === ABSENT) continue
        } else if (rule === MEAN) {
          const count = values[base + kind.rttCount]!
          if (count === 0 || values[base + kind.rttCount + 1] !== round) continue
          value /= count
        }
        emit(row, output, variant, value)
      }
      return points - before
    },
    leavingRow(row) {
      const { emitted, active } = plan.kinds[rows.kind[row]!]!
      for (const { cell, output, variant } of emitted) if (cell === active) emit(row, output, variant, 0)
    },
    take(state) {
      const metrics = plan.outputs.flatMap(({ descriptor, sum, monotonic }, index) => {
        const dataPoints = pending[index]!
        if (dataPoints.length === 0) return []
        const common = { descriptor, aggregationTemporality: CUMULATIVE, dataPoints }
        return sum ? { ...common, dataPointType: SUM, isMonotonic: monotonic } : { ...common, dataPointType: GAUGE }
      })
      if (metrics.length === 0) return undefined
      pending = plan.outputs.map(() => [])
      return { resource: state.resource, scopeMetrics: [{ scope, metrics }] } as ResourceMetrics
    },
    get points() {
      return points
    },
  }
}
