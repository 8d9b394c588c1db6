import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentUnavailable, startAgent } from './agent.ts'
import { moment, programsSawAllRetransmits, receiverEqualsKernel, receiverEqualsPrograms } from './interval.ts'
import { labUnavailable } from './lab.ts'
import { waitQuiet } from './oracle.ts'
import { both, inTurn } from './phases.ts'
import { bulkUnderLoss } from './under-loss.ts'
import { createWorld, ports } from './world.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false

test('a full ring is counted, and after it every total comes right', { skip, timeout: 120_000 }, async () => {
  const world = await createWorld({ scale: 0.1 })
  const agent = await startAgent({ ringSize: '64KiB' })
  try {
    const { programs, containers, driver, east } = world
    // Opened before the loss and closed in it.
    const closing = driver(containers.shop)
    await inTurn(
      closing,
      both(east, ports.api).map((to) => `connect to=${to} n=50 end=more`),
    )
    const from = await moment(world, agent)

    agent.pause()
    await bulkUnderLoss(world) // opened in the loss and still there after it
    const short = driver(containers.worker)
    await inTurn(
      short,
      both(east, ports.store).map((to) => `connect to=${to} n=2000 end=client_fin up=500 down=900`),
    )
    await short.command(`connect to=${east.ipv4}:${ports.closed} n=500`)
    await closing.command('end end=client_rst')
    await waitQuiet(world.lab.namespaces)
    const { lost, endsLost } = agent.losses()
    assert.ok(lost > 1000, `${lost} records lost`)
    assert.equal(endsLost, 0)

    agent.resume()
    const to = await moment(world, agent)
    receiverEqualsKernel(world, from, to)
    receiverEqualsPrograms(from, to, { retransmits: programsSawAllRetransmits(world, from, to) })
    assert.ok(agent.losses().deferred > 1000, 'ends that found no room came with the walk')

    await inTurn(programs.shop, ['end end=client_fin'])
    const after = await moment(world, agent)
    receiverEqualsKernel(world, from, after)
    receiverEqualsPrograms(from, after, { retransmits: programsSawAllRetransmits(world, from, after) })
  } finally {
    await agent.stop()
    await world.close()
  }
})
