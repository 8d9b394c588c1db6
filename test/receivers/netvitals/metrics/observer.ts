import assert from 'node:assert/strict'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'

interface Series {
  start: string
  value: number
  cycle: number
  monotonic: boolean
}

const columnAttributes = ['direction', 'error.type', 'network.tcp.retransmit.type', 'result']

/**
 * A backend that remembers every series that ever was, and holds the store to what a backend relies on. It
 * knows nothing of the store but what it exports.
 */
export function createObserver() {
  const current = new Map<string, Series>()
  /** Last values of series that were succeeded by another of the same identity. */
  const closed: { column: string; value: number }[] = []
  let cycle = 0
  let previousEnd = 0n
  let noticed = false

  /** `nowMs`: what the wall clock said when it was collected. */
  function see(batch: readonly ResourceMetrics[], nowMs: number): void {
    cycle++
    const seen = new Set<string>()
    const ends = new Set<string>()
    const resources = new Set<unknown>()
    for (const { resource, scopeMetrics } of batch) {
      const instance = `${resource.attributes['service.name']} ${resource.attributes['service.instance.id']}`
      assert.ok(!resources.has(instance), `one resource twice in a cycle: ${instance}`)
      resources.add(instance)
      for (const { metrics } of scopeMetrics) {
        for (const metric of metrics) {
          assert.ok(metric.dataPoints.length > 0, 'a metric without points')
          for (const { attributes, startTime, endTime, value } of metric.dataPoints) {
            const identity = JSON.stringify([instance, metric.descriptor.name, Object.entries(attributes).sort()])
            assert.ok(!seen.has(identity), `one series twice in a cycle: ${identity}`)
            seen.add(identity)
            ends.add(String(nanos(endTime)))
            assert.ok(nanos(startTime) < nanos(endTime), `${identity} starts at ${startTime} and ends at ${endTime}`)
            const column = columnOf(metric.descriptor.name, attributes)
            const monotonic = 'isMonotonic' in metric && metric.isMonotonic
            if ('isMonotonic' in metric) record(identity, column, String(startTime), value as number, monotonic)
          }
        }
      }
    }
    assert.equal(ends.size, 1, 'all points of a cycle have one end time')
    const end = BigInt([...ends][0]!)
    // Time only goes back where the wall clock was put back by more than a minute, once that was noticed.
    assert.ok(end > previousEnd || noticed, 'cycles leave in order')
    noticed = end - BigInt(nowMs) * 1_000_000n > 60_000_000_000n
    previousEnd = end
  }

  function record(identity: string, column: string, start: string, value: number, monotonic: boolean): void {
    const known = current.get(identity)
    if (known?.start === start) {
      assert.equal(known.cycle, cycle - 1, `${identity} came back with the start time that it had before`)
      if (monotonic) assert.ok(value >= known.value, `${identity} went down from ${known.value} to ${value}`)
    } else if (known && monotonic) {
      // A count goes on from 0; what is there now is told anew.
      closed.push({ column, value: known.value })
    }
    current.set(identity, { start, value, cycle, monotonic })
    columns.set(identity, column)
  }
  const columns = new Map<string, string>()

  /** Of every series that ever was, the last value, added up by metric and the attributes that a column fixes. */
  function totals(): Map<string, number> {
    const sums = new Map<string, number>()
    const add = (column: string, value: number) => value !== 0 && sums.set(column, (sums.get(column) ?? 0) + value)
    for (const { column, value } of closed) add(column, value)
    for (const [identity, { value }] of current) add(columns.get(identity)!, value)
    for (const [column, value] of sums) if (value === 0) sums.delete(column)
    return sums
  }

  return { see, totals }
}

/** The name of what is counted, whatever series it is counted on. */
export function columnOf(metric: string, attributes: Record<string, unknown>): string {
  return [metric, ...columnAttributes.map((name) => attributes[name] ?? '')].join(' ')
}

function nanos([seconds, nanoseconds]: readonly [number, number]): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)
}
