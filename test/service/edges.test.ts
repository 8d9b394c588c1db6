import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Meter } from '@opentelemetry/api'
import type { Exporter } from '../../src/component/types.ts'
import { createExporterEdge, createFanOut, createReceiverEdge } from '../../src/service/edges.ts'
import { batchOf, resourceOf } from '../support/components.ts'

/** A meter that remembers what its counters were given. */
function createTally() {
  const counts: Record<string, number> = {}
  const meter = {
    createCounter: (name: string) => ({
      add(value: number, attributes: object) {
        const key = `${name} ${JSON.stringify(attributes)}`
        counts[key] = (counts[key] ?? 0) + value
      },
    }),
  } as unknown as Meter
  return { meter, counts }
}

const id = { type: 'x', name: '1', toString: () => 'x/1' }
const batch = [resourceOf('a', [1, 2], [3]), resourceOf('b', [4])]

function exporterOf(code: number, countsPoints?: boolean): Exporter {
  return {
    start: async () => {},
    stop: async () => {},
    forceFlush: async () => {},
    export: (_, done) => setImmediate(() => done(code === 0 ? { code } : { code, error: new Error('full') })),
    ...(countsPoints === undefined ? {} : { countsPoints }),
  }
}

describe('an edge of the graph', () => {
  it('counts what a receiver delivered and what was refused', async () => {
    const { meter, counts } = createTally()
    let refuse = false
    const edge = createReceiverEdge(meter, id, {
      async consume() {
        if (refuse) throw new Error('full')
      },
    })
    await edge.consume(batch)
    refuse = true
    await assert.rejects(edge.consume(batchOf('a', [1])), /full/)
    assert.deepEqual(counts, {
      'otelcol_receiver_accepted_metric_points {"receiver":"x/1","transport":""}': 4,
      'otelcol_receiver_refused_metric_points {"receiver":"x/1","transport":""}': 1,
    })
  })

  it('counts what an exporter sent and what failed', async () => {
    const { meter, counts } = createTally()
    await createExporterEdge(meter, id, exporterOf(0)).consume(batch)
    await assert.rejects(createExporterEdge(meter, id, exporterOf(1)).consume(batch), /full/)
    assert.deepEqual(counts, {
      'otelcol_exporter_sent_metric_points {"exporter":"x/1"}': 4,
      'otelcol_exporter_send_failed_metric_points {"exporter":"x/1"}': 4,
    })
  })

  it('does not count for an exporter that counts itself', async () => {
    const { meter, counts } = createTally()
    await createExporterEdge(meter, id, exporterOf(0, true)).consume(batch)
    assert.deepEqual(counts, {})
  })

  it('gives a batch to all even when several refuse it, and tells all the reasons', async () => {
    const seen: string[] = []
    const consumer = (name: string, fails: boolean) => ({
      async consume() {
        seen.push(name)
        if (fails) throw new Error(`${name} is full`)
      },
    })
    const fanOut = createFanOut([consumer('a', true), consumer('b', false), consumer('c', true)])
    await assert.rejects(fanOut.consume(batch), (error: AggregateError) => {
      assert.deepEqual(error.errors.map(String), ['Error: a is full', 'Error: c is full'])
      return true
    })
    assert.deepEqual(seen, ['a', 'b', 'c'])
  })
})
