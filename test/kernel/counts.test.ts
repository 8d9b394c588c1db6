import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Agent, agentUnavailable, startAgent } from './agent.ts'
import {
  type Moment,
  moment,
  programsEqualKernel,
  receiverEqualsKernel,
  receiverEqualsPrograms,
  type Tolerance,
} from './interval.ts'
import { labUnavailable } from './lab.ts'
import { between } from './oracle.ts'
import { openExisting, phases } from './phases.ts'
import { sumKinds } from './tally.ts'
import { bulkEnded, bulkUnderLoss, churnUnderLoss } from './under-loss.ts'
import { untilExact } from './until-exact.ts'
import { createWorld, type World } from './world.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false

const attempts = 4

describe("the receiver's counts equal the kernel's and the programs'", { skip, timeout: 300_000 }, () => {
  let world: World
  let agent: Agent
  let start: Moment
  let latest: Moment
  let repeated = 0

  before(async () => {
    world = await createWorld({ scale: 1 })
    await openExisting(world)
    agent = await startAgent()
    start = await moment(world, agent)
    latest = start
  })
  after(async () => {
    await agent?.stop()
    await world?.close()
  })

  /** From the last quiet moment to the next one, whatever fails in between. */
  async function interval(run: (world: World) => Promise<void>): Promise<[Moment, Moment]> {
    const from = latest
    try {
      await run(world)
    } finally {
      latest = await moment(world, agent)
    }
    return [from, latest]
  }

  function check(from: Moment, to: Moment, options: Tolerance & { retransmits?: boolean } = {}) {
    programsEqualKernel(world, from, to, options)
    receiverEqualsKernel(world, from, to, options)
    receiverEqualsPrograms(from, to, options)
  }

  test('connections from before the start are active, and nothing else', () => {
    const told = [...start.told.values()]
    const sum = (of: (link: (typeof told)[number]) => number) => told.reduce((total, link) => total + of(link), 0)
    assert.equal(
      sum((link) => link.opened),
      0,
    )
    assert.equal(
      sum((link) => link.sent + link.received),
      0,
    )
    receiverEqualsKernel(world, start, start)
  })

  for (const phase of phases)
    test(phase.name, async (t) => {
      const reason = phase.skip?.(world)
      if (reason) return t.skip(reason)
      const run = async () => check(...(await interval(phase.run)))
      repeated += await untilExact(t, phase.timers ? attempts : 1, run)
    })

  test('all phases together: more than 20,000 connections in one interval, half of them IPv6', (t) => {
    if (repeated === 0) check(start, latest)
    else t.diagnostic(`the sums are not compared: ${repeated} intervals in between were not exact`)
    const outbound = [...latest.programs.values()].flat().filter((tally) => tally.direction === 'outbound')
    const tried = (of: typeof outbound) => of.reduce((sum, tally) => sum + tally.opened + sumKinds(tally.failed), 0)
    const share = tried(outbound.filter((tally) => tally.family === 6)) / tried(outbound)
    assert.ok(tried(outbound) > 20_000, `${tried(outbound)} connections`)
    assert.ok(share > 0.45 && share < 0.55, `${share} of them IPv6`)
  })

  test('bulk transfer both ways under 30 % loss: retransmits to the segment, link by link', async (t) => {
    repeated += await untilExact(t, attempts, async () => {
      const [from, to] = await interval(bulkUnderLoss)
      await interval(bulkEnded)
      for (const namespace of world.lab.namespaces) {
        const { RetransSegs } = between(from.kernel.get(namespace)!, to.kernel.get(namespace)!)
        assert.ok(RetransSegs! > 100, `${RetransSegs} retransmits in ${namespace.name}: the loss was not there`)
      }
      check(from, to, { retransmits: true })
    })
  })

  test('new connections under 30 % loss: handshakes and FINs are lost too', async (t) => {
    repeated += await untilExact(t, attempts, async () => {
      const [from, to] = await interval(churnUnderLoss)
      const { TCPSynRetrans } = between(from.kernel.get(world.east)!, to.kernel.get(world.east)!)
      assert.ok(TCPSynRetrans! > 10, `${TCPSynRetrans} SYN-ACKs were sent again: the loss was not there`)
      // One container to one other: what a namespace retransmits is one container's, in one direction.
      check(from, to, { twins: true })
    })
  })
})
