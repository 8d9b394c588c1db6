import type { Attributes } from '@opentelemetry/api'
import { links, type MetricName, metrics } from './metrics.gen.ts'
import type { MetricNaming, Naming } from './naming.ts'
import type { Column, LinkLayout, Metric } from './schema.ts'

// The SDK's own values, kept here so that it need not load; a test compares them.
export const GAUGE = 2
export const SUM = 3
export const CUMULATIVE = 1
export const INT = 0
export const DOUBLE = 1

/** When a cell becomes a point. */
export const STANDING = 0
export const ESTABLISHED = 1
export const TOUCHED = 2
export const CURRENT = 3
export const MEAN = 4

/** A gauge without a value. It can't be mistaken for one: of values that aren't finite NaN alone may be one. */
export const ABSENT = Number.NEGATIVE_INFINITY

/** A metric as it is emitted: everything of a MetricData but its points. */
export interface Output {
  readonly descriptor: {
    readonly name: string
    readonly description: string
    readonly unit: string
    readonly valueType: number
  }
  readonly sum: boolean
  readonly monotonic: boolean
}

/** What makes the attributes of some of a row's columns: the link's, these, and the naming's say. */
export interface Variant {
  readonly fixed: Attributes
  readonly point: MetricNaming['point']
}

export interface EmittedColumn {
  readonly cell: number
  readonly rule: number
  readonly output: number
  readonly variant: number
}

/** How a row of one kind of link is laid out and emitted. A cell is a number of a row: its columns, then the helpers. */
export interface KindPlan {
  readonly kind: string
  readonly untilReleased: boolean
  readonly initial: Float64Array
  readonly monotonic: readonly boolean[]
  /** Columns that may be NaN. */
  readonly nan: readonly boolean[]
  readonly ownLimit: boolean
  /** -1: this kind has none. The sum of a mean is followed, at `rttCount`, by its count and the round it belongs to. */
  readonly active: number
  readonly rtt: number
  readonly rttCount: number
  /** Any of these not 0: the link had a connection. */
  readonly signsOfConnection: readonly number[]
  readonly emitted: readonly EmittedColumn[]
  readonly variants: readonly Variant[]
  /** Series that a row is counted as at least: those of a link with connections and no failures. 0: none is emitted. */
  readonly reserve: number
}

export interface Plan {
  readonly outputs: readonly Output[]
  readonly kinds: readonly KindPlan[]
  /** Index into kinds. */
  readonly indexOf: Readonly<Record<keyof typeof links, number>>
}

export function createPlan(naming: Naming, enabled: ReadonlySet<MetricName>): Plan {
  const outputs: Output[] = []
  const kinds = Object.keys(links) as (keyof typeof links)[]
  return {
    outputs,
    kinds: kinds.map((kind) => planKind(kind, links[kind], naming, enabled, outputs)),
    indexOf: Object.fromEntries(kinds.map((kind, index) => [kind, index])) as Plan['indexOf'],
  }
}

function planKind(
  kind: string,
  { columns, untilReleased, ownLimit }: LinkLayout,
  naming: Naming,
  enabled: ReadonlySet<MetricName>,
  outputs: Output[],
): KindPlan {
  const cellOf = (role: Column['role']) => columns.findIndex((column) => column.role === role)
  const rtt = cellOf('rtt')
  const initial = columns.map((column) => (rule(column) === CURRENT ? (column.constant ?? ABSENT) : 0))
  const emitted: EmittedColumn[] = []
  const variants: Variant[] = []
  for (const [cell, column] of columns.entries()) {
    const metric = metrics[column.metric]!
    const named = enabled.has(metric.name) || metric.required ? naming.metric(metric, kind) : undefined
    if (!named) continue
    emitted.push({
      cell,
      rule: rule(column),
      output: indexOfOutput(outputs, metric, named.name),
      variant: indexOfVariant(variants, column.attributes, named.point),
    })
  }
  return {
    kind,
    untilReleased,
    ownLimit,
    initial: Float64Array.from(rtt < 0 ? initial : [...initial, 0, 0]),
    monotonic: columns.map((column) => metrics[column.metric]!.monotonic),
    nan: columns.map(({ nan }) => nan === true),
    active: cellOf('active'),
    rtt,
    rttCount: columns.length,
    signsOfConnection: columns.flatMap(({ emitted }, cell) =>
      emitted === 'standing' || emitted === 'established' ? [cell] : [],
    ),
    emitted,
    variants,
    reserve: emitted.filter((column) => column.rule !== TOUCHED).length,
  }
}

function rule({ emitted, role }: Column): number {
  if (role === 'rtt') return MEAN
  return { standing: STANDING, established: ESTABLISHED, touched: TOUCHED, current: CURRENT }[emitted]
}

function indexOfOutput(outputs: Output[], metric: Metric, name: string): number {
  const { description, unit, valueType, type, monotonic } = metric
  const found = outputs.findIndex(({ descriptor }) => descriptor.name === name)
  if (found >= 0) return found
  const descriptor = Object.freeze({ name, description, unit, valueType: valueType === 'int' ? INT : DOUBLE })
  return outputs.push({ descriptor, sum: type === 'sum', monotonic }) - 1
}

function indexOfVariant(variants: Variant[], fixed: Attributes, point: MetricNaming['point']): number {
  const text = JSON.stringify(fixed)
  const found = variants.findIndex((variant) => variant.point === point && JSON.stringify(variant.fixed) === text)
  return found >= 0 ? found : variants.push({ fixed, point }) - 1
}
