import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Batch } from '../../src/component/types.ts'
import { createLinks, type Link } from '../../src/links/index.ts'
import { type Point, parseLines, pointsOf, seriesKey } from '../e2e/otlp-json.ts'

/** One collection of a node's netvitals, as its Collector received it. */
export interface Cycle {
  /** Unix milliseconds, of all its points. */
  readonly timeMs: number
  readonly points: readonly Point[]
  /** By workload, as the console has them at its end. */
  readonly links: readonly Link[]
}

/** Reads on where it was, each time it is asked. @returns all cycles so far, the last of which may not be whole */
export function followCycles(file: string): () => readonly Cycle[] {
  const links = createLinks()
  const cycles: Cycle[] = []
  const more = followLines(file)
  return () => {
    for (const request of parseLines(more())) {
      // Its own metrics have times of their own.
      const points = pointsOf([request]).filter(({ name }) => name.startsWith('container.net.'))
      if (points.length === 0) continue
      const timeMs = Math.max(...points.map(timeOf))
      links.add(batchOf(points))
      const same = cycles.at(-1)?.timeMs === timeMs ? cycles.pop()!.points : []
      cycles.push({ timeMs, points: [...same, ...points], links: links.current().links })
    }
    return cycles
  }
}

export const timeOf = ({ timeUnixNano }: Point) => Number(BigInt(timeUnixNano) / 1_000_000n)

/** The whole lines that a file has got since the last time. */
function followLines(file: string): () => string {
  let offset = 0
  return () => {
    const descriptor = tryOpen(file)
    if (descriptor === undefined) return ''
    try {
      const bytes = Buffer.alloc(Math.max(fstatSync(descriptor).size - offset, 0))
      const read = bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, offset))
      const whole = read.subarray(0, read.lastIndexOf('\n') + 1)
      offset += whole.length
      return whole.toString('utf8')
    } finally {
      closeSync(descriptor)
    }
  }
}

function tryOpen(file: string): number | undefined {
  try {
    return openSync(file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}

/** The data model from before the wire, as far as links read it. */
function batchOf(points: readonly Point[]): Batch {
  const hrTime = (nanoseconds: string) => [
    Number(BigInt(nanoseconds) / 1_000_000_000n),
    Number(BigInt(nanoseconds) % 1_000_000_000n),
  ]
  const resources = Map.groupBy(points, ({ resource }) => resource)
  return [...resources].map(([attributes, own]) => ({
    resource: { attributes },
    scopeMetrics: [
      {
        metrics: own.map((point) => ({
          descriptor: { name: point.name },
          // The SDK counts from 0 what the protocol counts from 1.
          aggregationTemporality: point.temporality - 1,
          dataPoints: [
            {
              ...{ attributes: point.attributes, value: point.value, flags: point.flags },
              startTime: hrTime(point.startTimeUnixNano),
              endTime: hrTime(point.timeUnixNano),
            },
          ],
        })),
      },
    ],
  })) as unknown as Batch
}

/** By how much the sums of the chosen series grew from the last cycle before `fromMs` to the last one. */
export function increase(cycles: readonly Cycle[], choose: (point: Point) => boolean, fromMs: number): number {
  const before = new Map<string, number>()
  const after = new Map<string, number>()
  for (const { timeMs, points } of cycles)
    for (const point of points) {
      if (!choose(point)) continue
      // A series that begins anew counts from zero again.
      const key = `${seriesKey(point)} ${point.startTimeUnixNano}`
      if (timeMs < fromMs) before.set(key, point.value)
      after.set(key, point.value)
    }
  return [...after].reduce((sum, [key, value]) => sum + value - (before.get(key) ?? 0), 0)
}
