import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createNoopMeter } from '@opentelemetry/api'
import { countPoints } from '../../../src/component/data-model.ts'
import type { Batch, Host } from '../../../src/component/types.ts'
import { createLogger } from '../../../src/log.ts'
import { createBatchProcessor } from '../../../src/processors/batch/batch.ts'
import { config } from '../../../src/processors/batch/config.ts'
import { batchOf } from '../../support/components.ts'

async function processorOf(settings: object, onBatch: (batch: Batch) => Promise<void> = async () => {}) {
  const batches: Batch[] = []
  const reports: string[] = []
  const id = { type: 'batch', name: '', toString: () => 'batch' }
  const processor = createBatchProcessor(
    { id, log: createLogger({ write: () => {} }), meter: createNoopMeter(), version: '0' },
    config.parse(settings),
    {
      async consume(batch) {
        await onBatch(batch)
        batches.push(batch)
      },
    },
  )
  const host: Host = {
    fatal: assert.fail,
    report: (_, part, status, detail) => reports.push(`${part} ${status} ${detail ?? ''}`.trim()),
    extension: () => undefined,
  }
  await processor.start(host)
  const values = () => batches.map((batch) => batch.flatMap(valuesOf))
  return { processor, batches, reports, values }
}

function valuesOf(resource: Batch[number]): unknown[] {
  return resource.scopeMetrics.flatMap(({ metrics }) =>
    metrics.flatMap(({ dataPoints }) => dataPoints.map(({ value }) => value)),
  )
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

describe('the batch processor', () => {
  it('sends what came within the timeout as one batch, in order', async () => {
    const { processor, values } = await processorOf({ timeout: '20ms' })
    await processor.consume(batchOf('a', [1, 2]))
    await processor.consume(batchOf('b', [3]))
    assert.deepEqual(values(), [])
    await sleep(60)
    assert.deepEqual(values(), [[1, 2, 3]])
    await processor.stop()
  })

  it('sends at once when there are enough points, and keeps no timer for them', async () => {
    const { processor, values } = await processorOf({ timeout: '10s', send_batch_size: 3 })
    await processor.consume(batchOf('a', [1, 2]))
    await processor.consume(batchOf('a', [3, 4]))
    assert.deepEqual(values(), [[1, 2, 3, 4]])
    await processor.stop()
    assert.equal(values().length, 1)
  })

  it('splits what is larger than the maximum, and keeps the rest below the size for later', async () => {
    const { processor, values } = await processorOf({ timeout: '10s', send_batch_size: 4, send_batch_max_size: 4 })
    await processor.consume(batchOf('a', range(0, 10)))
    assert.deepEqual(values(), [range(0, 4), range(4, 8)])
    await processor.stop()
    assert.deepEqual(values(), [range(0, 4), range(4, 8), range(8, 10)])
  })

  for (const settings of [{ timeout: '0s' }, { send_batch_size: 0, timeout: '10s' }]) {
    it(`sends each batch as it comes with ${JSON.stringify(settings)}`, async () => {
      const { processor, values } = await processorOf(settings)
      await processor.consume(batchOf('a', [1]))
      await processor.consume(batchOf('a', [2]))
      assert.deepEqual(values(), [[1], [2]])
    })
  }

  it('limits batches to the maximum also when the timeout sends them', async () => {
    const { processor, values } = await processorOf({ timeout: '10ms', send_batch_size: 2, send_batch_max_size: 3 })
    await processor.consume(batchOf('a', [1]))
    await sleep(50)
    await processor.consume(batchOf('a', range(0, 7)))
    await processor.stop()
    assert.deepEqual(values(), [[1], [0, 1, 2], [3, 4, 5], [6]])
  })

  it('sends one batch after the other, however slow the next component is', async () => {
    let under = 0
    const { processor, values } = await processorOf({ send_batch_size: 1, send_batch_max_size: 1 }, async () => {
      assert.equal(++under, 1)
      await sleep(2)
      under--
    })
    await Promise.all([processor.consume(batchOf('a', [1, 2, 3])), processor.consume(batchOf('a', [4, 5]))])
    assert.deepEqual(values(), [[1], [2], [3], [4], [5]])
  })

  it('makes whoever fills a batch wait until it is taken', async () => {
    let taken = false
    const { processor } = await processorOf({ send_batch_size: 1 }, async () => {
      await sleep(10)
      taken = true
    })
    await processor.consume(batchOf('a', [1]))
    assert.ok(taken)
  })

  it('reports that the next component refuses data, and goes on', async () => {
    let refuse = true
    const { processor, reports, values } = await processorOf({ send_batch_size: 1 }, async () => {
      if (refuse) throw new Error('queue is full')
    })
    await processor.consume(batchOf('a', [1]))
    refuse = false
    await processor.consume(batchOf('a', [2]))
    assert.deepEqual(reports, ['sender down queue is full', 'sender ok'])
    assert.deepEqual(values(), [[2]])
  })

  it('drops what has no points', async () => {
    const { processor, values } = await processorOf({})
    await processor.consume(batchOf('a', []))
    await processor.stop()
    assert.deepEqual(values(), [])
  })

  it('stops twice and before its start', async () => {
    const { processor } = await processorOf({})
    await processor.stop()
    await processor.stop()
  })

  it('loses and invents no point, whatever the sizes', async () => {
    for (const size of [1, 2, 3, 7, 100]) {
      for (const max of [0, size, size + 1, 2 * size]) {
        const { processor, batches, values } = await processorOf({ send_batch_size: size, send_batch_max_size: max })
        let next = 0
        for (const length of [1, 5, 0, 13, 2, 40, 1]) {
          await processor.consume(batchOf('a', range(next, next + length)))
          next += length
        }
        await processor.stop()
        assert.deepEqual(values().flat(), range(0, next))
        assert.ok(max === 0 || batches.every((batch) => countPoints(batch) <= max))
      }
    }
  })
})
