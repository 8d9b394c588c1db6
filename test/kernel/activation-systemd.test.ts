import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { noSystemd, startSystemd } from '../e2e/systemd.ts'
import { compileProgram } from '../support/compile.ts'
import { startCommanded } from './activation-lab.ts'
import { agentUnavailable, startAgent } from './agent.ts'
import { createLab, labUnavailable } from './lab.ts'
import { pointsOf } from './points.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? (await noSystemd()) ?? false
const MESSAGE = 100
/** Of which nobody on the machine makes use. */
const [SHOP, EACH] = [41_873, 41_874]

const socket = (text: string) => `[Unit]\nDefaultDependencies=no\n[Socket]\n${text}\n`
const service = (text: string) => `[Unit]\nDefaultDependencies=no\nCollectMode=inactive-or-failed\n[Service]\n${text}\n`

describe('under a real systemd', { skip }, () => {
  test('a service has the connections of its .socket unit, from the one that starts it on', {
    timeout: 120_000,
  }, async () => {
    const program = compileProgram(join(import.meta.dirname, 'activation'))
    const lab = createLab({ namespaces: 0 })
    await using systemd = await startSystemd({
      'shop.socket': socket(`ListenStream=127.0.0.1:${SHOP}\nListenStream=[::1]:${SHOP}`),
      // Late, as a large one is.
      'shop.service': service(`ExecStartPre=/bin/sleep 1\nExecStart=${program} service`),
      'each.socket': socket(`ListenStream=127.0.0.1:${EACH}\nAccept=yes`),
      'each@.service': service('StandardInput=socket\nExecStart=/bin/cat'),
    })
    const agent = await startAgent()
    try {
      for (const unit of ['shop.socket', 'each.socket']) assert.equal((await systemd.systemctl('start', unit)).code, 0)
      const dial = (port: number) =>
        startCommanded(lab, lab.host, lab.container('docker'), 'dial', '127.0.0.1', String(port))
      const told = async (port: number) => {
        const batch = await agent.collect()
        const sums: Record<string, { connects: number; active: number; received: number }> = {}
        for (const [key, metric] of [
          ['connects', 'successful_connects'],
          ['active', 'active_connections'],
          ['received', 'bytes_received'],
        ] as const)
          for (const { resource, value } of pointsOf(batch, {
            metric: `container.net.tcp.${metric}`,
            point: { direction: 'inbound', 'destination.port': port },
          })) {
            const unit = String(resource['systemd.unit'] ?? resource['service.name'])
            sums[unit] ??= { connects: 0, active: 0, received: 0 }
            sums[unit][key] += value
          }
        return sums
      }

      const shop = dial(SHOP)
      await shop.command('connect 1')
      assert.deepEqual(await told(SHOP), {})
      await shop.command('talk')
      await shop.command('short 20')
      assert.deepEqual(await told(SHOP), { 'shop.service': { connects: 21, active: 1, received: 21 * MESSAGE } })
      await shop.command('end')
      // Another of it is started by the next connection, in another cgroup.
      assert.equal((await systemd.systemctl('stop', 'shop.service')).code, 0)
      await shop.command('short 5')
      await sleep(100)
      // The one that ended is told a last time.
      await told(SHOP)
      assert.deepEqual(await told(SHOP), { 'shop.service': { connects: 5, active: 0, received: 5 * MESSAGE } })

      const each = dial(EACH)
      await each.command('connect 3')
      await each.command('talk')
      await sleep(200)
      const kept = await told(EACH)
      assert.equal(Object.keys(kept).length, 3)
      for (const [unit, sums] of Object.entries(kept)) {
        assert.match(unit, /^each@\d.*\.service$/)
        assert.deepEqual(sums, { connects: 1, active: 1, received: MESSAGE })
      }
      await each.command('end')
      await each.command('short 4')
      await sleep(200)
      const all = Object.values(await told(EACH))
      assert.equal(
        all.reduce((sum, { connects }) => sum + connects, 0),
        7,
      )
      assert.equal(
        all.reduce((sum, { received }) => sum + received, 0),
        7 * MESSAGE,
      )
    } finally {
      await systemd.systemctl('stop', 'shop.socket', 'each.socket', 'shop.service', 'each@*')
      await agent.stop()
      await lab.close()
    }
  })
})
