import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metrics } from '@opentelemetry/api'
import type { Host } from '../../src/component/types.ts'
import { createLogger } from '../../src/log.ts'
import { config } from '../../src/receivers/netvitals/config.ts'
import { createReceiver } from '../../src/receivers/netvitals/receiver.ts'
import { agentUnavailable } from './agent.ts'

test('a cycle that failed is told as down, and the next good one as ok', {
  skip: agentUnavailable() ?? false,
}, async (t) => {
  const told: string[] = []
  const host: Host = {
    fatal: assert.fail,
    report: (_component, part, status, detail) => {
      if (part === 'cycle') told.push(status === 'ok' ? 'ok' : `down: ${detail}`)
    },
    extension: () => undefined,
  }
  const settings = {
    id: { type: 'netvitals', name: '', toString: () => 'netvitals' },
    log: createLogger({ level: 'error' }),
    meter: metrics.getMeter('test'),
    version: '0.0.0',
  }
  let batches = 0
  const next = {
    consume: async () => {
      batches++
    },
  }
  const receiver = createReceiver(settings, config.parse({ collection_interval: '1h' }), next)
  t.after(() => receiver.stop())
  await receiver.start(host)
  // The cycle of the start itself is before this one.
  await receiver.collect()
  batches = 0
  told.length = 0
  t.mock.method(receiver.tracer!, 'sample', () => Promise.reject(new Error('the walk broke off')), { times: 1 })
  await receiver.collect()
  assert.equal(batches, 0)
  await receiver.collect()
  assert.equal(batches, 1)
  assert.deepEqual(told, ['down: the walk broke off', 'ok'])
})
