import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch } from '../../src/component/types.ts'
import { type Line, readHeldPackets, startLine } from '../faults/line.ts'
import type { End } from '../faults/types.ts'
import { type Agent, agentUnavailable, startAgent } from './agent.ts'
import { type Container, createLab, labUnavailable, type Namespace } from './lab.ts'
import { between, readCounters, waitQuiet } from './oracle.ts'
import { type Match, pointsOf, sumPoints } from './points.ts'
import { type Program, startProgram } from './programs.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false
const PORT = 8_000
const INTERVAL_MS = 1_000
const TIMEOUT_MS = 300
/** Tests run beside others on few cores: what is due within an interval and a timeout is looked for a little longer. */
const SLACK_MS = 700
const probes = { interval: '1s', timeout: '300ms', linger: '3s' }
const LINGER_MS = 3_000
const DELAY = { latencyUs: 50_000, jitterUs: 10_000, correlationPercent: 0 }

type Family = 4 | 6
type Direction = 'to' | 'from' | 'both'
const addressOf = (namespace: Namespace, family: Family) => (family === 4 ? namespace.ipv4 : namespace.ipv6)
const destinationOf = (namespace: Namespace, family: Family) =>
  family === 4 ? `${namespace.ipv4}:${PORT}` : `[${namespace.ipv6}]:${PORT}`

/** Drops where packets arrive, so that the sender's kernel really sends them. */
function cut(from: Namespace, to: Namespace, family: Family, direction: Direction): void {
  const source = (namespace: Namespace) => `${family === 4 ? 'ip' : 'ip6'} saddr ${addressOf(namespace, family)} drop`
  if (direction !== 'from') to.filter({ input: [source(from)] })
  if (direction !== 'to') from.filter({ input: [source(to)] })
}

function mend(...namespaces: readonly Namespace[]): void {
  for (const namespace of namespaces) namespace.filter({})
}

/** A front end with connections to a catalog and to another service, kept alive and short. */
async function createShop(t: TestContext, family: Family) {
  const lab = createLab({ namespaces: 3 })
  t.after(() => lab.close())
  const [front, catalog, other] = lab.namespaces as [Namespace, Namespace, Namespace]
  const container = lab.container('kubepods')
  const servers = [catalog, other].map((namespace) => startProgram(lab, namespace, lab.container('kubepods'), 'serve'))
  for (const server of servers) await server.listen(`port=${PORT} family=${family}`)
  const keep = [startProgram(lab, front, container, 'drive'), startProgram(lab, front, container, 'drive')]
  for (const [index, namespace] of [catalog, other].entries())
    await keep[index]!.command(`connect to=${destinationOf(namespace, family)} n=3 end=more`)
  return { lab, front, catalog, other, container, keep }
}

/** Short connections to a destination, one after the other; each is given up after a while. Ends with the signal. */
async function callAgain(program: Program, to: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await program.command(`connect to=${to} n=1 how=abort_close wait_ms=150`)
    await sleep(50)
  }
}

function latencies(batch: Batch, container: Container): Map<string, number> {
  const resource = { 'container.id': container.id }
  return new Map(
    [...pointsOf(batch, { metric: 'container.net.latency', resource })].map(({ attributes, value }) => [
      String(attributes['destination.address']),
      value,
    ]),
  )
}

/** Collects until it holds. @returns how long that took, ms */
async function within(agent: Agent, ms: number, what: string, holds: (batch: Batch) => boolean): Promise<number> {
  const began = performance.now()
  for (;;) {
    const batch = await agent.collect()
    const passed = performance.now() - began
    if (holds(batch)) return passed
    assert.ok(passed < ms, `${what}: not within ${ms} ms`)
    await sleep(50)
  }
}

for (const family of [4, 6] as const)
  describe(`a partition, IPv${family}`, { skip, concurrency: false }, () => {
    for (const direction of ['to', 'from', 'both'] as const)
      it(`${direction} shows on its pair and on no other`, { timeout: 120_000 }, async (t) => {
        const { front, catalog, other, container, keep, lab } = await createShop(t, family)
        const [there, elsewhere] = [addressOf(catalog, family), addressOf(other, family)]
        const agent = await startAgent({ probes })
        t.after(() => agent.stop())
        const isNumber = (batch: Batch, address: string) => (latencies(batch, container).get(address) ?? -1) >= 0
        const isLost = (batch: Batch, address: string) => Number.isNaN(latencies(batch, container).get(address) ?? 0)
        await within(agent, 2 * INTERVAL_MS + SLACK_MS, 'latency of both', (batch) =>
          [there, elsewhere].every((address) => isNumber(batch, address)),
        )

        const resource = { 'container.id': container.id }
        const failures = (batch: Batch, address: string) =>
          sumPoints(batch, {
            metric: 'container.net.tcp.failed_connects',
            resource,
            point: {
              'destination.address': address,
              'error.type': (value) => value === 'timed_out' || value === 'aborted',
            },
          })
        const retransmits = (batch: Batch, address: string) =>
          sumPoints(batch, {
            metric: 'container.net.tcp.retransmits',
            resource,
            point: { 'destination.address': address },
          })
        const before = await agent.collect()
        const caller = startProgram(lab, front, container, 'drive')
        const ended = new AbortController()
        cut(front, catalog, family, direction)
        const calls = callAgain(caller, destinationOf(catalog, family), ended.signal)
        const exchange = keep[0]!.command('exchange up=2000 for_ms=1500').catch(() => undefined)
        try {
          await within(agent, INTERVAL_MS + TIMEOUT_MS + SLACK_MS, 'NaN of the pair', (batch) => isLost(batch, there))
          await sleep(LINGER_MS + INTERVAL_MS)
          const during = await agent.collect()
          assert.ok(isLost(during, there), 'also after longer than linger')
          assert.ok(isNumber(during, elsewhere), 'the other pair keeps its number')
          assert.ok(failures(during, there) - failures(before, there) >= 5, 'failed connects rise')
          assert.equal(failures(during, elsewhere), 0)
          assert.equal(retransmits(during, elsewhere), 0)

          // Started, and restarted, while it is cut: nothing ever answered it.
          const second = await startAgent({ probes })
          try {
            await within(
              second,
              2 * INTERVAL_MS + TIMEOUT_MS + SLACK_MS,
              'NaN for a new agent',
              (batch) => isLost(batch, there) && isNumber(batch, elsewhere),
            )
          } finally {
            await second.stop()
          }
          await within(
            agent,
            5_000,
            'retransmits rise',
            (batch) => retransmits(batch, there) > retransmits(before, there),
          )
        } finally {
          ended.abort()
          await calls
        }

        mend(front, catalog)
        await within(agent, INTERVAL_MS + SLACK_MS, 'latency again', (batch) => isNumber(batch, there))
        await exchange
      })

    it('shows where only short connections are tried, and nothing else', { timeout: 120_000 }, async (t) => {
      const lab = createLab({ namespaces: 3 })
      t.after(() => lab.close())
      const [front, catalog, other] = lab.namespaces as [Namespace, Namespace, Namespace]
      const container = lab.container('docker')
      const server = startProgram(lab, other, lab.container('docker'), 'serve')
      await server.listen(`port=${PORT} family=${family}`)
      cut(front, catalog, family, 'both')
      const agent = await startAgent({ probes })
      t.after(() => agent.stop())
      const ended = new AbortController()
      const calls = [catalog, other].map((to) =>
        callAgain(startProgram(lab, front, container, 'drive'), destinationOf(to, family), ended.signal),
      )
      try {
        await within(agent, 3 * INTERVAL_MS + TIMEOUT_MS + SLACK_MS, 'NaN', (batch) => {
          const seen = latencies(batch, container)
          return (
            Number.isNaN(seen.get(addressOf(catalog, family)) ?? 0) && (seen.get(addressOf(other, family)) ?? -1) >= 0
          )
        })
        // Nothing but attempts: they must keep it probed for longer than linger.
        await sleep(LINGER_MS + 2 * INTERVAL_MS)
        const seen = latencies(await agent.collect(), container)
        assert.ok(Number.isNaN(seen.get(addressOf(catalog, family)) ?? 0))
        assert.ok((seen.get(addressOf(other, family)) ?? -1) >= 0)
      } finally {
        ended.abort()
        await Promise.all(calls)
      }
    })
  })

for (const family of [4, 6] as const)
  describe(`a loss of 30 % on the way to a catalog, IPv${family}`, { skip, concurrency: false }, () => {
    it('shows as retransmits of just its direction, to the segment', { timeout: 120_000 }, async (t) => {
      const { front, catalog, other, container, keep } = await createShop(t, family)
      const agent = await startAgent()
      t.after(() => agent.stop())
      const resource = { 'container.id': container.id }
      const retransmits = (batch: Batch, point: Match) =>
        sumPoints(batch, { metric: 'container.net.tcp.retransmits', resource, point })
      const of = (namespace: Namespace) => ({ 'destination.address': addressOf(namespace, family) })
      const before = readCounters(front)
      const early = await agent.collect()

      const from = `${family === 4 ? 'ip' : 'ip6'} saddr ${addressOf(front, family)}`
      catalog.filter({ input: [`${from} numgen random mod 100 < 30 drop`] })
      const exchanges = keep[0]!.command('exchange up=20000 down=20000 for_ms=3000')
      // As little as is never sent again for nothing.
      for (let i = 0; i < 10; i++) await keep[1]!.command('exchange up=100 down=100')
      await exchanges
      mend(catalog)
      // Both are read between two retransmits: none is on its way once everything was answered.
      await waitQuiet([front, catalog])
      const { RetransSegs } = between(before, readCounters(front)) as { RetransSegs: number }
      const late = await agent.collect()
      assert.ok(RetransSegs > 20, `${RetransSegs} segments were retransmitted`)
      const rise = (point: Match) => retransmits(late, point) - retransmits(early, point)
      assert.equal(rise({ ...of(catalog), direction: 'outbound' }), RetransSegs)
      assert.equal(rise(of(other)), 0)
      assert.equal(rise({}), RetransSegs, 'and over everything else of the container it is none')
    })

    it('is the share of probes that are not answered', { timeout: 120_000 }, async (t) => {
      const ADDRESSES = 30
      const ROUNDS = 10
      const lab = createLab({ namespaces: 2 })
      t.after(() => lab.close())
      const [front, catalog] = lab.namespaces as [Namespace, Namespace]
      catalog.sysctl('net.ipv4.icmp_ratemask', 0)
      catalog.sysctl('net.ipv6.icmp.ratelimit', 0)
      const addresses = Array.from({ length: ADDRESSES }, (_, i) =>
        family === 4 ? `10.77.0.${i + 1}` : `fd77::${i + 1}`,
      )
      const [network, version] = family === 4 ? ['10.77.0.0/24', '-4'] : ['fd77::/64', '-6']
      front.run(['ip', version, 'route', 'add', network, 'via', addressOf(catalog, family)])
      catalog.run(['ip', version, 'route', 'add', 'local', network, 'dev', 'lo'])
      // Else lost neighbor solicitations make a loss of their own of it.
      for (const [namespace, peer] of [
        [front, catalog],
        [catalog, front],
      ] as const) {
        const [, mac = ''] = /link\/ether (\S+)/.exec(peer.run(['ip', '-o', 'link', 'show', 'eth0'])) ?? []
        namespace.run([
          'ip',
          'neigh',
          'replace',
          addressOf(peer, family),
          'lladdr',
          mac,
          'dev',
          'eth0',
          'nud',
          'permanent',
        ])
      }
      const container = lab.container('docker')
      const server = startProgram(lab, catalog, lab.container('docker'), 'serve')
      await server.listen(`port=${PORT} family=${family}`)
      const program = startProgram(lab, front, container, 'drive')
      for (const address of addresses)
        await program.command(`connect to=${family === 4 ? address : `[${address}]`}:${PORT} n=1 end=more`)

      const agent = await startAgent({ probes })
      t.after(() => agent.stop())
      const resource = { 'container.id': container.id }
      const count = (batch: Batch, result: Match = {}) =>
        sumPoints(batch, { metric: 'container.net.probes', resource, point: result })
      await within(agent, 3 * INTERVAL_MS, 'all answered', (batch) => latencies(batch, container).size === ADDRESSES)
      const from = `${family === 4 ? 'ip' : 'ip6'} saddr ${addressOf(front, family)}`
      catalog.filter({ input: [`${from} numgen random mod 100 < 30 drop`] })
      await sleep(TIMEOUT_MS + SLACK_MS)
      const early = await agent.collect()
      await within(agent, (ROUNDS + 5) * INTERVAL_MS, 'ten rounds', (batch) => {
        // The gauge is a number where the last probe was answered, and NaN where it was not.
        for (const value of latencies(batch, container).values()) assert.ok(Number.isNaN(value) || value > 0)
        return count(batch) - count(early) >= ADDRESSES * ROUNDS
      })
      const late = await agent.collect()
      const sent = count(late) - count(early)
      const replies = count(late, { result: 'reply' }) - count(early, { result: 'reply' })
      const timeouts = count(late, { result: 'timeout' }) - count(early, { result: 'timeout' })
      assert.equal(replies + timeouts, sent)
      // Binomial, 99.9 %.
      const spread = 3.29 * Math.sqrt(sent * 0.3 * 0.7)
      assert.ok(Math.abs(replies - sent * 0.7) <= spread, `${replies} of ${sent} were answered`)
    })
  })

describe('a delay of 50±10 ms', { skip: skip || delayUnavailable(), concurrency: false }, () => {
  for (const [direction, expectedMs, spreadMs] of [
    ['both', 100, 20],
    ['to', 50, 10],
  ] as const)
    it(`${direction} shows as just that on its pair, for IPv4 and IPv6`, { timeout: 180_000 }, async (t) => {
      const PROBES = 30
      const shops = { 4: await createShop(t, 4), 6: await createShop(t, 6) }
      // A length that nothing else here has, for the delay line's log.
      const PAYLOAD = 101
      const agent = await startAgent({ probes: { ...probes, payload_size: PAYLOAD } })
      t.after(() => agent.stop())
      const folder = mkdtempSync(join(tmpdir(), 'netvitals-delay-'))
      const lines: Line[] = []
      const logs: Record<Family, string[]> = { 4: [], 6: [] }
      try {
        for (const family of [4, 6] as const) {
          const { front, catalog } = shops[family]
          const [from, to] = [endOf('front', front), endOf('catalog', catalog)]
          for (const path of direction === 'both'
            ? [
                { from, to },
                { from: to, to: from },
              ]
            : [{ from, to }]) {
            const log = join(folder, `${family}-${logs[family].push('')}`)
            logs[family][logs[family].length - 1] = log
            lines.push(await startLine(path, { delay: DELAY }, log))
          }
        }
        await sleep(2 * INTERVAL_MS)
        const before = await agent.collect()

        /** Round trip of the last reply, by how many there were. */
        const seenMs: Record<Family, Map<number, number>> = { 4: new Map(), 6: new Map() }
        await within(agent, (PROBES + 20) * INTERVAL_MS, `${PROBES} probes`, (batch) => {
          for (const family of [4, 6] as const) {
            const { catalog, other, container } = shops[family]
            const resource = { 'container.id': container.id }
            const point = { 'destination.address': addressOf(catalog, family), result: 'reply' }
            const replies = sumPoints(batch, { metric: 'container.net.probes', resource, point })
            const latency = latencies(batch, container)
            if (!seenMs[family].has(replies))
              seenMs[family].set(replies, latency.get(addressOf(catalog, family))! * 1_000)
            assert.ok(latency.get(addressOf(other, family))! < 0.01, 'the other pair is below the threshold')
          }
          return seenMs[4].size > PROBES && seenMs[6].size > PROBES
        })

        for (const family of [4, 6] as const) {
          const { front, catalog, container, keep, lab } = shops[family]
          const resource = { 'container.id': container.id }
          const point = { 'destination.address': addressOf(catalog, family) }
          const total = (batch: Batch, metric: string) =>
            sumPoints(batch, { metric: `container.net.tcp.${metric}`, resource, point })
          const caller = startProgram(lab, front, container, 'drive')
          await caller.command(`connect to=${destinationOf(catalog, family)} n=5 end=client_fin up=100`)
          await keep[0]!.command('exchange up=1000 down=1000')
          await sleep(3 * expectedMs)
          const late = await agent.collect()
          const timeMs = ((total(late, 'connection_time') - total(before, 'connection_time')) * 1_000) / 5
          assert.ok(timeMs >= expectedMs - spreadMs && timeMs <= expectedMs + spreadMs + 40, `${timeMs} ms a connect`)
          const again = total(late, 'retransmits') - total(before, 'retransmits')
          assert.ok(again <= 4, `${again} segments sent again, for nothing`)
        }

        for (const line of lines) await line.stop()
        for (const family of [4, 6] as const) {
          // What each probe was held, both ways where there are two.
          const ways = logs[family].map((log) =>
            readHeldPackets(log)
              .filter(({ length }) => length === PAYLOAD + 8 + (family === 4 ? 20 : 40))
              .map(({ heldUs }) => heldUs / 1_000),
          )
          const pairs = pairUp(
            seenMs[family],
            ways[0]!.map((ms, index) => ms + (ways[1]?.[index] ?? 0)),
          )
          assert.ok(pairs.length >= PROBES, `${pairs.length} of ${seenMs[family].size} in the log`)
          const [median, injected] = [medianOf(pairs.map(({ seen }) => seen)), medianOf(pairs.map(({ held }) => held))]
          assert.ok(Math.abs(median - injected) <= 2, `IPv${family}: ${median} ms, the line's log says ${injected} ms`)
          assert.ok(Math.abs(median - expectedMs) <= spreadMs / 2, `IPv${family}: ${median} ms`)
        }
      } finally {
        for (const line of lines) await line.stop()
        rmSync(folder, { recursive: true })
      }
    })
})

function delayUnavailable(): string | false {
  return existsSync('/usr/sbin/iptables') || existsSync('/sbin/iptables') ? false : 'needs the program iptables'
}

/** As the delay line wants it: it never touches the other half of the link. */
function endOf(name: string, namespace: Namespace): End {
  return { name, namespace, farHalf: { namespace, device: 'eth0' } }
}

/**
 * What was seen of each reply beside what the line held it. Some were answered before the line stood: how many is what
 * lets most agree.
 */
function pairUp(
  seenMs: ReadonlyMap<number, number>,
  heldMs: readonly number[],
): { readonly seen: number; readonly held: number }[] {
  const first = Math.min(...seenMs.keys())
  const offsets = Array.from({ length: first + 1 }, (_, offset) =>
    [...seenMs].flatMap(([replies, seen]) => {
      const held = heldMs[replies - 1 - offset]
      return held === undefined ? [] : [{ seen, held }]
    }),
  )
  const error = (pairs: (typeof offsets)[number]) => medianOf(pairs.map(({ seen, held }) => Math.abs(seen - held)))
  return offsets
    .filter((pairs) => pairs.length > 0)
    .reduce((best, pairs) => (error(pairs) < error(best) ? pairs : best))
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}
