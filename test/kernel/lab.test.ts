import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { moment, programsEqualKernel } from './interval.ts'
import { createLab, labUnavailable } from './lab.ts'
import { between, isQuiet, parseCounters, readCounters, waitQuiet } from './oracle.ts'
import { openExisting, phases } from './phases.ts'
import { startProgram } from './programs.ts'
import { createWorld } from './world.ts'

const skip = labUnavailable() ?? false

test('counters are read by name from both files', () => {
  const text = 'Ip: Forwarding\nIp: 1\nTcp: ActiveOpens CurrEstab\nTcp: 7 2\nMPTcpExt: Blackhole\nMPTcpExt: 3\n'
  assert.deepEqual(parseCounters(text), { ActiveOpens: 7, CurrEstab: 2, MPTcpBlackhole: 3 })
  assert.deepEqual(between({ ActiveOpens: 5, CurrEstab: 9 }, { ActiveOpens: 7, CurrEstab: 2 }), {
    ActiveOpens: 2,
    CurrEstab: 2,
  })
})

test('namespaces reach each other over both families, two and more of them', { skip, timeout: 30_000 }, async () => {
  for (const namespaces of [2, 3]) {
    const lab = createLab({ namespaces })
    try {
      const [first, ...others] = lab.namespaces
      for (const other of others)
        for (const address of [other.ipv4, other.ipv6]) first!.run(['ping', '-c1', '-W2', address])
    } finally {
      await lab.close()
    }
  }
})

test('a namespace has counters and a firewall of its own', { skip, timeout: 30_000 }, async () => {
  const lab = createLab({ namespaces: 2 })
  try {
    const [west, east] = lab.namespaces
    const client = startProgram(lab, west!, lab.container('docker'), 'drive')
    const server = startProgram(lab, east!, lab.container('kubepods'), 'serve')
    const port = await server.listen('port=0 family=4')
    const before = readCounters(west!)
    await client.command(`connect to=${east!.ipv4}:${port} n=5`)
    east!.filter({ input: [`tcp dport ${port} drop`] })
    const attempt = client.command(`connect to=${east!.ipv4}:${port} n=2 how=abort_close wait_ms=300`)
    while (isQuiet(west!)) await new Promise(setImmediate)
    await attempt
    await waitQuiet([west!, east!])
    const { ActiveOpens, PassiveOpens, CurrEstab } = between(before, readCounters(west!))
    assert.deepEqual({ ActiveOpens, PassiveOpens, CurrEstab }, { ActiveOpens: 7, PassiveOpens: 0, CurrEstab: 0 })
    east!.filter({})
    await client.command(`connect to=${east!.ipv4}:${port} n=1`)
  } finally {
    await lab.close()
  }
})

test('a command that goes otherwise than meant is an error', { skip, timeout: 30_000 }, async () => {
  const lab = createLab({ namespaces: 1 })
  try {
    const client = startProgram(lab, lab.namespaces[0]!, lab.container('docker'), 'drive')
    await assert.rejects(client.command('connect to=127.0.0.1:1 hwo=blocking'), /option not understood: hwo=blocking/)
    await assert.rejects(client.command('dance'), /command not understood: dance/)
    const [tally] = await client.command('connect to=127.0.0.1:1 n=3')
    assert.deepEqual(tally?.failed, { refused: 3 })
  } finally {
    await lab.close()
  }
})

test('nothing is left when a lab is closed', { skip, timeout: 30_000 }, async () => {
  const lab = createLab({ namespaces: 3 })
  const container = lab.container('kubepods')
  const program = startProgram(lab, lab.namespaces[0]!, container, 'serve')
  await program.listen('port=0 family=4')
  const left = () => [...lab.namespaces.map(({ path }) => path), container.directory].filter(existsSync)
  assert.equal(left().length, 4)
  await lab.close()
  assert.deepEqual(left(), [])
  await assert.rejects(program.command('report'), /ended/)
})

test('what the programs see is what the kernel counts', { skip, timeout: 60_000 }, async (t) => {
  const world = await createWorld({ scale: 0.02 })
  try {
    await openExisting(world)
    let from = await moment(world)
    for (const phase of phases.filter(({ timers }) => !timers)) {
      if (phase.skip?.(world)) continue
      await t.test(phase.name, async () => {
        await phase.run(world)
        const to = await moment(world)
        programsEqualKernel(world, from, to)
        from = to
      })
    }
  } finally {
    await world.close()
  }
})
