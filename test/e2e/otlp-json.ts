/** OTLP/JSON as the Collector's file exporter writes it. @see opentelemetry-proto metrics/v1/metrics.proto */
export interface ExportRequest {
  readonly resourceMetrics: readonly {
    readonly resource?: { readonly attributes?: readonly KeyValue[] }
    readonly scopeMetrics: readonly {
      readonly scope?: { readonly name?: string; readonly version?: string }
      readonly metrics: readonly Metric[]
    }[]
  }[]
}

interface KeyValue {
  readonly key: string
  readonly value: AnyValue
}
interface AnyValue {
  readonly stringValue?: string
  readonly intValue?: string
  readonly doubleValue?: number | string
  readonly boolValue?: boolean
  readonly arrayValue?: { readonly values?: readonly AnyValue[] }
}
interface Metric {
  readonly name: string
  readonly description?: string
  readonly unit?: string
  readonly gauge?: { readonly dataPoints?: readonly JsonPoint[] }
  readonly sum?: {
    readonly dataPoints?: readonly JsonPoint[]
    readonly aggregationTemporality?: number
    readonly isMonotonic?: boolean
  }
}
interface JsonPoint {
  readonly attributes?: readonly KeyValue[]
  readonly startTimeUnixNano?: string
  readonly timeUnixNano?: string
  readonly asInt?: string
  readonly asDouble?: number | string
  readonly flags?: number
}

export type Value = string | number | boolean | readonly Value[]
export type Values = Readonly<Record<string, Value>>

/** A data point with all that identifies and describes it. */
export interface Point {
  readonly resource: Values
  readonly scope: string
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly kind: 'gauge' | 'sum'
  /** Of a sum: 1 delta, 2 cumulative; of a gauge 0. */
  readonly temporality: number
  readonly monotonic: boolean
  readonly attributes: Values
  /** '0' when it is not set. */
  readonly startTimeUnixNano: string
  readonly timeUnixNano: string
  /** Which of the two ways to write a number it came in. */
  readonly type: 'int' | 'double'
  readonly value: number
  readonly flags: number
}

export function parseLines(text: string): ExportRequest[] {
  // The last line may still be being written.
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line): ExportRequest => JSON.parse(line))
}

export function pointsOf(requests: readonly ExportRequest[]): Point[] {
  return requests.flatMap((request) =>
    request.resourceMetrics.flatMap(({ resource, scopeMetrics }) => {
      const resourceValues = values(resource?.attributes)
      return scopeMetrics.flatMap(({ scope, metrics }) =>
        metrics.flatMap(
          (metric) =>
            (metric.sum ?? metric.gauge)?.dataPoints?.map((point) => ({
              resource: resourceValues,
              scope: scope?.name ?? '',
              ...describe(metric),
              ...measured(point),
            })) ?? [],
        ),
      )
    }),
  )
}

function describe(metric: Metric) {
  return {
    name: metric.name,
    description: metric.description ?? '',
    unit: metric.unit ?? '',
    kind: metric.sum ? ('sum' as const) : ('gauge' as const),
    temporality: metric.sum?.aggregationTemporality ?? 0,
    monotonic: metric.sum?.isMonotonic ?? false,
  }
}

function measured(point: JsonPoint) {
  return {
    attributes: values(point.attributes),
    startTimeUnixNano: point.startTimeUnixNano ?? '0',
    timeUnixNano: point.timeUnixNano ?? '0',
    type: point.asInt === undefined ? ('double' as const) : ('int' as const),
    value: Number(point.asInt ?? point.asDouble),
    flags: point.flags ?? 0,
  }
}

function values(attributes: readonly KeyValue[] = []): Values {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]))
}

function plain(value: AnyValue): Value {
  if (value.stringValue !== undefined) return value.stringValue
  if (value.intValue !== undefined) return Number(value.intValue)
  if (value.doubleValue !== undefined) return Number(value.doubleValue)
  if (value.boolValue !== undefined) return value.boolValue
  return (value.arrayValue?.values ?? []).map(plain)
}

/** What makes two points the same series: resource, name and attributes, whatever their order. */
export function seriesKey({ resource, name, attributes }: Pick<Point, 'resource' | 'name' | 'attributes'>): string {
  const sorted = (of: Values) => Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([name, sorted(resource), sorted(attributes)])
}
