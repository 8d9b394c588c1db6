import { type Child, eventually } from './child.ts'
import type { Collector } from './collector.ts'
import { type Point, pointsOf, seriesKey } from './otlp-json.ts'
import { ready } from './program.ts'

/** The last value of every series that has arrived, by resource, name and attributes. */
export async function latest(collector: Collector): Promise<Point[]> {
  const series = new Map<string, Point>()
  for (const point of pointsOf(await collector.lines())) series.set(seriesKey(point), point)
  return [...series.values()]
}

/** The sum over all series of a metric that have these attributes, on the resource or on the point. */
export function total(points: readonly Point[], name: string, having: Readonly<Record<string, unknown>> = {}): number {
  return points
    .filter((point) => point.name === name)
    .filter(({ resource, attributes }) =>
      Object.entries(having).every(([key, value]) => (attributes[key] ?? resource[key]) === value),
    )
    .reduce((sum, { value }) => sum + value, 0)
}

/** Waits until the program runs and its first data of any kind are there. */
export async function firstData(program: Child, collector: Collector): Promise<void> {
  await ready(program)
  await eventually('the first data', async () => (await collector.lines()).length > 0 || undefined)
}
