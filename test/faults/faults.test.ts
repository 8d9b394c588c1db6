import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createLab, type Lab, labUnavailable, type Namespace } from '../kernel/lab.ts'
import { readCounters } from '../kernel/oracle.ts'
import { inject } from './inject.ts'
import { readHeldPackets, startLine } from './line.ts'
import type { Effect, Emulation, End, Path } from './types.ts'

const DELAY: Emulation = { delay: { latencyUs: 50_000, jitterUs: 10_000, correlationPercent: 0 } }
type LabEnd = End & { readonly namespace: Namespace }

const FAMILIES = ['ipv4', 'ipv6'] as const

/** What ping says of a number of echoes: round trips in milliseconds, of those that were answered. */
function ping(from: Namespace, address: string, count: number, everyMs = 20): number[] {
  // An address that was added later is preferred otherwise.
  const source = address.includes(':') ? from.ipv6 : from.ipv4
  const argv = ['ping', '-n', '-I', source, '-c', String(count), '-i', String(everyMs / 1000), '-W', '1', address]
  const output = from.run(['sh', '-c', '"$@" || true', 'sh', ...argv])
  return [...output.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time))
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

describe('faults', { skip: labUnavailable() ?? false }, () => {
  let lab: Lab
  let one: LabEnd
  let other: LabEnd
  let third: LabEnd
  let forth: Path
  let back: Path
  const scratch = mkdtempSync(join(tmpdir(), 'netvitals-faults-'))

  before(() => {
    lab = createLab({ namespaces: 2 })
    const [a, b] = lab.namespaces as [Namespace, Namespace]
    one = { name: 'one', namespace: a, farHalf: { namespace: b, device: 'eth0' } }
    other = { name: 'other', namespace: b, farHalf: { namespace: a, device: 'eth0' } }
    third = { ...other, namespace: { ...b, ipv4: '10.213.0.9', ipv6: 'fd6e:7600::9' } }
    b.run(['ip', 'addr', 'add', '10.213.0.9/24', 'dev', 'eth0'])
    b.run(['ip', 'addr', 'add', 'fd6e:7600::9/64', 'dev', 'eth0', 'nodad'])
    forth = { from: one, to: other }
    back = { from: other, to: one }
  })
  after(async () => {
    await lab?.close()
    rmSync(scratch, { recursive: true })
  })

  async function during<T>(effect: Effect, paths: readonly Path[], look: () => T | Promise<T>): Promise<T> {
    const fault = await inject(effect, paths, { withoutNetem: true })
    try {
      return await look()
    } finally {
      await fault.stop()
      await fault.stop()
    }
  }

  for (const family of FAMILIES) {
    test(`a delay of 50 ± 10 ms is that, one way and both ways, ${family}`, async () => {
      const log = join(scratch, family)
      const line = await startLine(forth, DELAY, log)
      const oneWay = ping(one.namespace, other.namespace[family], 200)
      await line.stop()
      const held = readHeldPackets(log).slice(-200)
      assert.equal(oneWay.length, 200)
      assert.equal(held.length, 200)
      const meant = median(held.map(({ meantUs }) => meantUs / 1000))
      const took = median(held.map(({ heldUs }) => heldUs / 1000))
      assert.ok(Math.abs(took - meant) < 2, `meant ${meant} ms, held ${took} ms`)
      assert.ok(Math.abs(median(oneWay) - took) < 2, `held ${took} ms, ping says ${median(oneWay)} ms`)
      for (const { meantUs } of held) assert.ok(meantUs >= 40_000 && meantUs <= 60_000, `${meantUs}`)
      // The median of 200 from a uniform distribution 20 ms wide: five standard deviations of 0.71 ms.
      assert.ok(Math.abs(meant - 50) < 3.6, `${meant}`)

      const bothWays = await during(DELAY, [forth, back], () => ping(one.namespace, other.namespace[family], 100))
      assert.ok(Math.abs(median(bothWays) - 100) < 6, `${median(bothWays)}`)
      assert.ok(median(ping(one.namespace, other.namespace[family], 20)) < 20, 'it is over')
    })

    test(`30 % loss loses three in ten, one way, and only there, ${family}`, async () => {
      const loss: Emulation = { loss: { percent: 30, correlationPercent: 0 } }
      const [there, elsewhere, reverse] = await during(loss, [forth], () => [
        ping(one.namespace, other.namespace[family], 300, 2).length,
        ping(one.namespace, third.namespace[family], 100, 2).length,
        ping(other.namespace, one.namespace[family], 300, 2).length,
      ])
      // 300 draws at 0.7: 99.99 % within four standard deviations of 7.9. The replies of the reverse go forth too.
      assert.ok(Math.abs(there! - 210) < 32, `${there}`)
      assert.equal(elsewhere, 100)
      assert.ok(Math.abs(reverse! - 210) < 32, `${reverse}`)
    })

    test(`a partition loses everything one way, and the sender never learns of it, ${family}`, async () => {
      const sent = (namespace: Namespace) => readCounters(namespace).OutSegs!
      await during('partition', [forth], () => {
        assert.equal(ping(one.namespace, other.namespace[family], 5).length, 0)
        assert.equal(ping(one.namespace, third.namespace[family], 5).length, 5)
        const before = sent(one.namespace)
        const connect = `exec 3<>/dev/tcp/${other.namespace[family]}/9`
        one.namespace.run(['sh', '-c', 'timeout 0.3 bash -c "$1" || true', 'sh', connect])
        assert.ok(sent(one.namespace) > before, 'SYNs left')
      })
      assert.equal(ping(one.namespace, other.namespace[family], 5).length, 5)
    })
  }

  test('the stand-in loses, limits and damages as it is told', async () => {
    const { namespace } = one
    const correlated: Emulation = { loss: { percent: 30, correlationPercent: 25 } }
    const answered = await during(correlated, [forth], () => ping(namespace, other.namespace.ipv4, 300, 2).length)
    assert.ok(answered > 120 && answered < 295, `${answered}`)

    const damage: Emulation = { corrupt: { percent: 100, correlationPercent: 0 } }
    assert.equal(await during(damage, [forth], () => ping(namespace, other.namespace.ipv4, 10).length), 0)

    // 84 bytes every 2 ms are ten times as much as may pass: they queue, or are lost where nothing may wait.
    const limited = (limitBytes: number): Emulation => ({
      bandwidth: { bytesPerSecond: 4_200, limitBytes, bufferBytes: 84 },
    })
    const queued = await during(limited(84_000), [forth], () => ping(namespace, other.namespace.ipv4, 50, 2))
    assert.ok(median(queued) > 20, `${median(queued)}`)
    const passed = await during(limited(1), [forth], () => ping(namespace, other.namespace.ipv4, 50, 2))
    assert.ok(passed.length > 0 && passed.length < 40, `${passed.length}`)
  })

  test('what cannot be started leaves nothing behind', async () => {
    const nowhere = { ...forth, to: { ...other, namespace: { ...other.namespace, ipv4: 'nowhere' } } }
    await assert.rejects(inject(DELAY, [forth, nowhere], { withoutNetem: true }), /nowhere/)
    await assert.rejects(inject('partition', [forth, nowhere]), /nowhere/)
    assert.equal(one.namespace.run(['iptables', '-t', 'mangle', '-S', 'POSTROUTING']).trim(), '-P POSTROUTING ACCEPT')
    assert.doesNotMatch(other.namespace.run(['nft', 'list', 'tables']), /netvitals_fault/)
  })
})
