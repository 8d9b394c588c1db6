import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { checkEndpoint } from '../../../src/exporters/otlp_grpc/endpoint.ts'
import { factory } from '../../../src/exporters/otlp_grpc/index.ts'
import { failureOf } from '../../../src/exporters/otlp_grpc/status.ts'
import { createHarness, exportBatch, makeBatch } from '../harness.ts'
import { startMetricsServer } from '../metrics-server.ts'
import { protocolRules } from '../protocol-rules.ts'

const { rules, skip } = protocolRules()

describe('as the Collector’s exporter', { skip }, () => {
  for (const [name, retryable] of Object.entries(rules?.grpc_retryable ?? {})) {
    test(`${name} is ${retryable ? '' : 'not '}retried`, () => {
      assert.equal(failureOf(status[name as keyof typeof status], '').retryable, retryable)
    })
  }

  for (const endpoint of Object.keys(rules?.grpc_dial_target ?? {})) {
    test(`${endpoint} is an endpoint`, () => assert.equal(checkEndpoint(endpoint), undefined))
  }
})

test('a secret that the backend repeats is in nothing that the exporter says', async () => {
  const token = 's3cret-tok-3ba1e0c7d2'
  const details = `unknown key ${token} in "Bearer ${token}"`
  const server = await startMetricsServer({ reply: () => ({ code: status.UNAUTHENTICATED, details }) })
  const { settings, host, lines, statuses } = createHarness()
  const config = {
    endpoint: server.endpoint,
    tls: { insecure: true },
    headers: { authorization: `Bearer ${token}` },
    sending_queue: { wait_for_result: true },
  }
  const exporter = factory.create(settings, factory.config.parse(config))
  await exporter.start(host)
  const { error } = await exportBatch(exporter, makeBatch('m'))
  await exporter.stop()
  server.stop()
  const said = JSON.stringify([lines, statuses, error?.message, error?.stack])
  assert.match(said, /UNAUTHENTICATED: unknown key \[REDACTED\] in/)
  assert.ok(!said.includes(token), said)
})
