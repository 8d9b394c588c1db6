import type { Attributes } from '@opentelemetry/api'

/** A metric as metadata.yaml defines it. */
export interface Metric {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly type: 'sum' | 'gauge'
  readonly monotonic: boolean
  readonly valueType: 'int' | 'double'
  /** Emitted unless the settings say otherwise. */
  readonly enabled: boolean
  /** Always emitted: the settings can't turn it off. */
  readonly required: boolean
}

export interface ResourceAttribute {
  readonly name: string
  readonly description: string
  readonly enabled: boolean
  readonly required: boolean
}

/** When a column becomes a data point; metadata.yaml says what each word means. */
export type Emitted = 'standing' | 'established' | 'touched' | 'current'

/** One metric with one combination of the attributes that it enumerates: one number of a link's row. */
export interface Column {
  /** Its name in the generated constants. */
  readonly name: string
  /** Index into the generated `metrics`. */
  readonly metric: number
  /** What is fixed: `direction` of the link, `error.type` and the like of the column. */
  readonly attributes: Attributes
  readonly emitted: Emitted
  /** A gauge that only ever has this value. */
  readonly constant?: number
  /** A gauge that has NaN as a value. */
  readonly nan?: boolean
  /** Written by `addActive` and `addRtt` alone. */
  readonly role?: 'active' | 'rtt'
}

export interface LinkLayout {
  /** The row goes with the link's last user instead of idling first. */
  readonly untilReleased: boolean
  /** Its rows don't count as destinations of their container: whoever makes them has a bound of its own. */
  readonly ownLimit: boolean
  readonly columns: readonly Column[]
}
