import { decodeRequest, type Metric, type Point, pointsOf } from '../exporters/sending/otlp.ts'

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

/** One series as long as its start time stays the same. */
interface Stretch {
  readonly name: string
  readonly key: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly startNs: bigint
  endNs: bigint
  value: number
}

/** What came in OTLP requests, where a series may begin anew several times. */
export function receivedSeries(requests: Iterable<Uint8Array>) {
  const stretches = new Map<string, Stretch>()
  for (const request of requests) {
    for (const { resource, scopeMetrics } of decodeRequest(request)) {
      const own = valuesOf((resource as { attributes: Attribute[] }).attributes)
      for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
        for (const point of pointsOf(metric)) add(metric, point, own)
      }
    }
  }

  function add({ name, data }: Metric, point: Point, resource: Readonly<Record<string, unknown>>): void {
    const attributes = { ...resource, ...valuesOf(point.attributes as Attribute[]) }
    const startNs = data === 'sum' ? BigInt(String(point.startTimeUnixNano)) : 0n
    const key = `${name} ${JSON.stringify(Object.entries(attributes).sort())}`
    const value = Number(point.asInt ?? point.asDouble)
    stretches.set(`${key} ${startNs}`, {
      name,
      key,
      attributes,
      startNs,
      endNs: BigInt(String(point.timeUnixNano)),
      value,
    })
  }

  const select = (name: string, having: Readonly<Record<string, unknown>>) =>
    [...stretches.values()].filter(
      (stretch) =>
        stretch.name === name && Object.entries(having).every(([key, value]) => stretch.attributes[key] === value),
    )

  return {
    /** Over all series that have these attributes, and all their beginnings. */
    sum: (name: string, having: Readonly<Record<string, unknown>>) =>
      select(name, having).reduce((total, { value }) => total + value, 0),
    /** The sum of the values at the last time that any of them has. */
    latest(name: string, having: Readonly<Record<string, unknown>>): number {
      const found = select(name, having)
      const last = found.toSorted((a, b) => Number(b.endNs - a.endNs))[0]?.endNs
      return found.filter(({ endNs }) => endNs === last).reduce((total, { value }) => total + value, 0)
    },
    /** Series that begin anew before their own last point. */
    overlaps(): string[] {
      const bySeries = Map.groupBy(stretches.values(), ({ key }) => key)
      return [...bySeries].flatMap(([key, parts]) => {
        const sorted = parts.toSorted((a, b) => Number(a.startNs - b.startNs))
        return sorted.slice(1).flatMap((part, at) => (part.startNs < sorted[at]!.endNs ? [key] : []))
      })
    },
  }
}

function valuesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
