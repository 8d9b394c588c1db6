import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Agent, agentUnavailable, startAgent } from './agent.ts'
import { labUnavailable } from './lab.ts'
import { type Links, linksBetween, toldLinks } from './links.ts'
import { between, type Counters, readCounters, waitQuiet } from './oracle.ts'
import { CONNECTIONS, createPair, mend, type Pair, PORT, type Sort, sorts } from './refusals.ts'
import { untilExact } from './until-exact.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false

/** What the kernel counted, and what the receiver told. */
interface Moment {
  readonly west: Counters
  readonly east: Counters
  readonly told: Links
}

describe('retransmits that fail at their sender count as RetransSegs has them', { skip, timeout: 120_000 }, () => {
  const pairs: Pair[] = []
  let agent: Agent
  let latest: Moment[]

  before(async () => {
    for (const family of [4, 6] as const) pairs.push(await createPair(family))
    agent = await startAgent()
    latest = await moments()
  })
  after(async () => {
    await agent?.stop()
    for (const { lab } of pairs) await lab.close()
  })

  async function moments(): Promise<Moment[]> {
    await waitQuiet(pairs.flatMap(({ west, east }) => [west, east]))
    const batch = await agent.collect()
    return pairs.map(({ west, east, client, server }) => ({
      west: readCounters(west),
      east: readCounters(east),
      told: toldLinks(batch, [client, server]),
    }))
  }

  for (const { name, failing, hookOnly, skip = false, run } of sorts)
    test(name, { skip }, async (t) => {
      await untilExact(t, hookOnly ? 4 : 1, async () => {
        const early = latest
        try {
          await Promise.all(pairs.map((pair) => run(pair, agent.collect)))
        } finally {
          pairs.forEach(mend)
          latest = await moments()
        }
        for (const [i, pair] of pairs.entries()) {
          const [west, east] = (['west', 'east'] as const).map((at) => between(early[i]![at], latest[i]![at]))
          t.diagnostic(`${pair.address}: client’s host: ${describeFailed(west!)}; server’s: ${describeFailed(east!)}`)
          assertFailed(failing, west!.TCPRetransFail!, east!.TCPRetransFail!)
          assert.deepEqual(
            retransmitsOf(linksBetween(early[i]!.told, latest[i]!.told)),
            nonZero([
              [`${pair.client.id} outbound ${pair.address} ${PORT}`, countedBy(west!)],
              [`${pair.server.id} inbound ${pair.address} ${PORT}`, countedBy(east!)],
            ]),
          )
        }
      })
    })
})

function describeFailed({ TCPRetransFail, RetransSegs, TCPSynRetrans }: Counters): string {
  return `${TCPRetransFail} of ${RetransSegs} failed, ${TCPSynRetrans} of a handshake`
}

function assertFailed(failing: Sort['failing'], client: number, server: number): void {
  if (failing === 'client' || failing === 'none') assert.equal(server, 0)
  if (failing === 'server' || failing === 'none') assert.equal(client, 0)
  // Of both, chance takes its share.
  const least = { client: CONNECTIONS, server: CONNECTIONS, both: CONNECTIONS / 4, none: 0 }[failing]
  assert.ok(client + server >= least, `${client} + ${server} failed, at least ${least} should`)
}

interface Retransmits {
  readonly data: number
  readonly handshake: number
}

function countedBy({ RetransSegs = 0, TCPSynRetrans = 0 }: Counters): Retransmits {
  return { data: RetransSegs - TCPSynRetrans, handshake: TCPSynRetrans }
}

function retransmitsOf(links: Links): Record<string, Retransmits> {
  return nonZero([...links].map(([key, { retransmits }]) => [key, retransmits]))
}

function nonZero(links: readonly (readonly [string, Retransmits])[]): Record<string, Retransmits> {
  return Object.fromEntries(links.filter(([, { data, handshake }]) => data !== 0 || handshake !== 0))
}
