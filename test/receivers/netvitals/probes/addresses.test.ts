import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readOwnAddresses } from '../../../../src/receivers/netvitals/probes/addresses.ts'
import { createLab, labUnavailable } from '../../../kernel/lab.ts'
import { bytesOf } from './addresses.ts'

describe("a namespace's own addresses", { skip: labUnavailable() ?? false }, () => {
  it('are those of its interfaces, whatever this process has, with the index of a link-local one', async (t) => {
    const lab = createLab({ namespaces: 2 })
    t.after(() => lab.close())
    const [west, east] = lab.namespaces
    west!.run(['ip', 'addr', 'add', '192.0.2.77/32', 'dev', 'lo'])
    west!.run(['ip', 'addr', 'add', 'fe80::77/64', 'dev', 'eth0', 'nodad'])
    const child = lab.spawn(west!, lab.container('docker'), ['sh', '-c', 'echo in; exec cat'])
    await new Promise((resolve) => child.stdout!.once('data', resolve))
    const own = await readOwnAddresses(`/proc/${child.pid}/net`)
    for (const text of [west!.ipv4, '192.0.2.77', '127.0.0.1']) assert.ok(own.has(bytesOf(text), 4), text)
    for (const text of [west!.ipv6, 'fe80::77', '::1']) assert.ok(own.has(bytesOf(text), 6), text)
    for (const [text, family] of [
      [east!.ipv4, 4],
      [east!.ipv6, 6],
    ] as const)
      assert.ok(!own.has(bytesOf(text), family), text)
    const index = indexOf(west!.run(['ip', '-o', 'link']))
    assert.equal(own.zoneOf(bytesOf('fe80::77')), index)
    assert.equal(own.zoneOf(undefined), index, 'the only interface with a link-local address')
    west!.run(['ip', 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth2'])
    west!.run(['ip', 'addr', 'add', 'fe80::78/64', 'dev', 'eth1', 'nodad'])
    west!.run(['ip', 'link', 'set', 'eth1', 'up'])
    const two = await readOwnAddresses(`/proc/${child.pid}/net`)
    assert.equal(two.zoneOf(bytesOf('fe80::77')), index)
    assert.notEqual(two.zoneOf(bytesOf('fe80::78')), index)
    assert.equal(two.zoneOf(undefined), 0, 'one of two can not be told')
  })

  it('of a process that is gone are none', async () => {
    const own = await readOwnAddresses('/proc/0/net')
    assert.ok(!own.has(bytesOf('127.0.0.1'), 4))
    assert.equal(own.zoneOf(undefined), 0)
  })
})

/** `2: eth0@if3: ...` */
function indexOf(links: string): number {
  return Number(/^(\d+): eth0/m.exec(links)?.[1])
}
