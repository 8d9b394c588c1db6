import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch } from '../../src/component/types.ts'
import { agentUnavailable, startAgent } from './agent.ts'
import { createLab, labUnavailable } from './lab.ts'
import { type Point, pointsOf } from './points.ts'
import { startProgram } from './programs.ts'

const CONNECTIONS = 20

function connectsOf(batch: Batch, containerId: string): Point {
  const metric = 'container.net.tcp.successful_connects'
  const points = [...pointsOf(batch, { metric, resource: { 'container.id': containerId } })]
  assert.equal(points.length, 1)
  return points[0]!
}

/** Nothing tells two moments apart: what is right then is so within a millisecond, however fast the machine. */
function stopClock(t: TestContext) {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
}

describe('a receiver that takes over from another', {
  skip: labUnavailable() ?? agentUnavailable() ?? false,
  timeout: 60_000,
}, () => {
  for (const [settings, ringSize] of [
    ['the same kernel settings', '8MiB'],
    ['other kernel settings', '4MiB'],
  ] as const)
    test(`begins no series before the other ended it, with ${settings}`, async (t) => {
      const lab = createLab({ namespaces: 0 })
      t.after(() => lab.close())
      const client = startProgram(lab, lab.host, lab.container('docker'), 'drive')
      const server = startProgram(lab, lab.host, lab.container('docker'), 'serve')
      const to = `127.0.0.1:${await server.listen('port=0 family=4')}`
      const connect = () => client.command(`connect to=${to} n=${CONNECTIONS} end=client_fin up=100`)
      const id = client.container.id
      stopClock(t)
      const first = await startAgent()
      t.after(() => first.stop())
      await connect()
      await first.collect()
      await connect()
      const second = await startAgent({ replaces: first, ringSize })
      t.after(() => second.stop())
      await connect()
      const told = connectsOf(first.latest(), id)
      let anew = connectsOf(await second.collect(), id)
      for (let tries = 0; tries < 50 && anew.value < CONNECTIONS; tries++) {
        await sleep(20)
        anew = connectsOf(await second.collect(), id)
      }
      assert.deepEqual([told.value, anew.value], [2 * CONNECTIONS, CONNECTIONS])
      assert.ok(told.startMs < told.endMs && anew.startMs < anew.endMs)
      assert.ok(anew.startMs >= told.endMs, `begins ${told.endMs - anew.startMs} ms before the other's last point`)
    })
})
