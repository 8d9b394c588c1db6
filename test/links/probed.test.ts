import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import { createLinks, type Link, type LinksOptions } from '../../src/links/index.ts'
import {
  container,
  DELTA,
  inbound,
  linkPoints,
  outbound,
  type ProbeTotals,
  pod,
  probePoints,
  resourceMetrics,
  type Totals,
} from './batches.ts'

const T0 = 1_700_000_000_000
const ADDRESS = '10.42.2.243'
const CATALOG = outbound(ADDRESS, 8080, 'cluster')
const LOST: ProbeTotals = { timeout: 1, latency: Number.NaN }
const ANSWERED: ProbeTotals = { reply: 1, latency: 0.0002 }
const NOTHING: ProbeTotals = {}

interface Step {
  readonly tcp?: Totals
  readonly probe?: ProbeTotals
}

interface Side {
  readonly attributes?: Attributes
  readonly scope?: string
  readonly address?: string
  readonly options?: LinksOptions
}

/** Rounds of one link, each with what happens in it. Of sums these are increments. */
function play(steps: readonly Step[], side: Side = {}): Link[] {
  const { attributes = CATALOG, scope = 'cluster', address = ADDRESS, options } = side
  const links = createLinks(options)
  const tcp: Required<Pick<Totals, 'connects' | 'sent' | 'segments' | 'retransmits'>> = {
    connects: 0,
    sent: 0,
    segments: 0,
    retransmits: 0,
  }
  const probe = { reply: 0, timeout: 0 }
  let latency: number | undefined
  return steps.map((step, i) => {
    for (const key of ['connects', 'sent', 'segments', 'retransmits'] as const) tcp[key] += step.tcp?.[key] ?? 0
    probe.reply += step.probe?.reply ?? 0
    probe.timeout += step.probe?.timeout ?? 0
    // A gauge: the same until the next probe.
    if (step.probe && 'latency' in step.probe) latency = step.probe.latency
    const totals: ProbeTotals = { ...probe, ...(latency === undefined ? {} : { latency }) }
    const points = [
      ...linkPoints(attributes, { active: 1, ...step.tcp, ...tcp }, T0),
      ...probePoints(address, scope, totals, T0),
    ]
    links.add([resourceMetrics(container('front-end'), points, T0 + (i + 1) * 5000)])
    return links.current().links[0]!
  })
}

const statuses = (links: readonly Link[]) => links.map(({ status }) => status).join(' ')
const quiet = (n: number): Step[] => Array.from({ length: n }, () => ({ probe: NOTHING }))
const talking: Totals = { sent: 1000, segments: 30 }

test('a link has what the probes of its address found in the round, and the last round trip', () => {
  const [first, second, third] = play([{ probe: ANSWERED }, { probe: NOTHING }, { probe: LOST }])
  assert.equal(first!.latencySeconds, 0.0002)
  assert.equal(first!.probes?.replies, 1)
  assert.equal(second!.latencySeconds, 0.0002)
  assert.equal(second!.probes?.replies, 0)
  assert.deepEqual(third!.latencySeconds, Number.NaN)
  assert.equal(third!.probes?.timeouts, 1)
})

test('an idle connection that is cut fails with its second unanswered probe, and comes back with three answers', () => {
  const cycle = (probe: ProbeTotals) => [{ probe }, ...quiet(2)]
  const links = play([ANSWERED, LOST, LOST, LOST, ANSWERED, ANSWERED, ANSWERED].flatMap(cycle))
  const each = statuses(links)
  assert.equal(
    each,
    [
      'idle idle idle',
      'idle idle idle',
      'failed failed failed',
      'failed failed failed',
      'failed failed failed',
      'failed failed failed',
      'ok ok ok',
    ].join(' '),
  )
  assert.equal(links[6]!.reason, 'no answer to a probe')
})

test('so does one that was cut before the program started', () => {
  assert.equal(statuses(play([{ probe: LOST }, ...quiet(2), { probe: LOST }])), 'idle idle idle failed')
})

test('a single lost probe shows nothing', () => {
  const steps = [ANSWERED, LOST, ANSWERED, LOST, ANSWERED].map((probe) => ({ probe }))
  assert.doesNotMatch(statuses(play(steps)), /failed/)
})

test('TCP that gets through contradicts: lossy while some are answered, filtered when none is any more', () => {
  const lossy = [ANSWERED, LOST, LOST, ANSWERED, LOST, ANSWERED, LOST].map((probe) => ({ tcp: talking, probe }))
  assert.equal(statuses(play(lossy)), 'ok ok ok lossy lossy lossy lossy')
  const silent = [ANSWERED, ...Array<ProbeTotals>(7).fill(LOST)].map((probe) => ({ tcp: talking, probe }))
  assert.match(statuses(play(silent)), / filtered filtered$/)
  assert.doesNotMatch(statuses(play(silent)), /failed/)
})

test('TCP to another port of the address contradicts as well', () => {
  const links = createLinks()
  const database = outbound(ADDRESS, 5432, 'cluster')
  const shown = [1, 2, 3, 4, 5].map((round) => {
    const points = [
      ...linkPoints(CATALOG, { active: 1, sent: 1000 * round, segments: 30 * round }, T0),
      ...linkPoints(database, { active: 1, sent: 0 }, T0),
      ...probePoints(ADDRESS, 'cluster', { timeout: round, latency: Number.NaN }, T0),
    ]
    links.add([resourceMetrics(container('front-end'), points, T0 + round * 5000)])
    return links.current().links.map(({ destination, status }) => `${destination.port} ${status}`)
  })
  assert.deepEqual(shown.at(-1), ['8080 filtered', '5432 filtered'])
})

test('of several addresses those that filter ICMP say nothing of the others', () => {
  const links = createLinks()
  const virtual = '10.96.0.7'
  const attributes = { ...CATALOG, 'destination.address': virtual, 'network.peer.address': ADDRESS }
  const shown = [1, 2, 3, 4, 5, 6].map((round) => {
    const points = [
      ...linkPoints(attributes, { active: 1, sent: 1000 * round, segments: 30 * round }, T0),
      ...probePoints(ADDRESS, 'cluster', { reply: 5 * round, latency: 0.0002 }, T0),
      ...probePoints(virtual, 'cluster', { timeout: 5 * round, latency: Number.NaN }, T0),
    ]
    links.add([resourceMetrics(container('front-end'), points, T0 + round * 5000)])
    return links.current().links.map(({ status }) => status)
  })
  assert.deepEqual(shown.slice(2).flat(), ['ok', 'ok', 'ok', 'ok'])
})

test('a host inside that filters ICMP is filtered from its first traffic on, and stays so when it idles', () => {
  const steps = [
    { probe: LOST },
    { probe: LOST },
    { tcp: { ...talking, connects: 1 } },
    ...Array.from({ length: 6 }, () => ({ probe: LOST })),
  ]
  const shown = statuses(play(steps)).split(' ')
  assert.equal(shown[1], 'failed')
  assert.equal(shown.at(-1), 'filtered')
})

test('an address outside that never answered is filtered, one that answered before and stopped is failed', () => {
  const side = { attributes: outbound('192.0.2.9', 443, 'external'), scope: 'external', address: '192.0.2.9' }
  const never = { timeout: 1 }
  assert.equal(statuses(play([{ probe: never }, { probe: never }, { probe: never }], side)), 'ok filtered filtered')
  const stopped = [{ probe: ANSWERED }, { probe: LOST }, { probe: LOST }]
  assert.equal(statuses(play(stopped, side)), 'idle idle failed')
})

test('an idle connection whose probes are slow is slow with the second of them', () => {
  const slow = { reply: 1, latency: 0.05 }
  assert.equal(statuses(play([{ probe: slow }, ...quiet(2), { probe: slow }])), 'ok ok ok slow')
})

test('an outage that is over leaves no loss behind', () => {
  const steps = [ANSWERED, LOST, LOST, LOST, ...Array<ProbeTotals>(4).fill(ANSWERED)].map((probe) => ({ probe }))
  assert.equal(statuses(play(steps)), 'idle idle failed failed failed failed ok ok')
})

test('probes of an address that nobody uses any more say nothing', () => {
  const steps = [{ probe: ANSWERED }, ...[LOST, LOST, LOST].map((probe) => ({ tcp: { active: 0 }, probe }))]
  assert.equal(statuses(play(steps)), 'idle idle idle idle')
})

test('what answers after translation, or was dialled, is the address that is joined; what is inbound joins none', () => {
  const translated = outbound('10.43.0.17', 80, 'cluster', {
    'network.peer.address': ADDRESS,
    'network.peer.port': 8080,
  })
  const [link] = play([{ probe: ANSWERED }], { attributes: translated })
  assert.equal(link!.latencySeconds, 0.0002)
  const [dialled] = play([{ probe: ANSWERED }], { attributes: translated, address: '10.43.0.17' })
  assert.equal(dialled!.latencySeconds, 0.0002)
  const [called] = play([{ probe: ANSWERED }], { attributes: inbound(ADDRESS, 8080, 'cluster') })
  assert.equal(called!.probes, undefined)
  assert.equal(called!.latencySeconds, undefined)
})

test('a probe is its own container alone: another one that talks to the address is not touched', () => {
  const links = createLinks()
  const points = linkPoints(CATALOG, { active: 1 }, T0)
  links.add([
    resourceMetrics(container('a'), [...points, ...probePoints(ADDRESS, 'cluster', LOST, T0)], T0 + 5000),
    resourceMetrics(container('b'), [...points, ...probePoints(ADDRESS, 'cluster', ANSWERED, T0)], T0 + 5000),
  ])
  assert.deepEqual(
    links.current().links.map(({ source, probes }) => `${source.name} ${probes?.timeouts} ${probes?.replies}`),
    ['a 1 0', 'b 0 1'],
  )
})

test('of a workload with several pods one that is silent makes no failure, all of them do', () => {
  const named = (address: string) =>
    outbound(address, 80, 'cluster', { 'k8s.dst.namespace': 'shop', 'k8s.dst.owner.name': 'catalog' })
  const run = (silent: readonly string[]) => {
    const links = createLinks()
    for (let round = 1; round <= 4; round++) {
      const points = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].flatMap((address) => [
        ...linkPoints(named(address), { active: 1 }, T0),
        ...(silent.includes(address)
          ? probePoints(address, 'cluster', { timeout: round, latency: Number.NaN }, T0)
          : probePoints(address, 'cluster', { reply: round, latency: 0.001 }, T0)),
      ])
      links.add([resourceMetrics(pod('shop', 'front-end', 'x1'), points, T0 + round * 5000)])
    }
    return links.current().links[0]!
  }
  assert.equal(run(['10.0.0.2']).status, 'lossy')
  assert.equal(run(['10.0.0.2']).latencySeconds, 0.001)
  assert.equal(run(['10.0.0.1', '10.0.0.2', '10.0.0.3']).status, 'failed')
})

test('kinds of errors add up, what this host lacked to send does not count, and a lost point tells of a lost probe', () => {
  const links = createLinks()
  const add = (round: number, totals: ProbeTotals, temporality?: number) => {
    const points = [...linkPoints(CATALOG, { active: 1 }, T0), ...probePoints(ADDRESS, 'cluster', totals, T0)]
    links.add([resourceMetrics(container('front-end'), points, T0 + round * 5000, temporality)])
    return links.current().links[0]!
  }
  add(1, { reply: 1, latency: 0.001 })
  const unreachable = { host_unreachable: 2, admin_prohibited: 1 }
  const errors = { EPERM: 3, ENETUNREACH: 1, ENOMEM: 5, EMFILE: 1 }
  const second = add(2, { reply: 1, unreachable, error: errors })
  assert.deepEqual([second.probes?.unreachable, second.probes?.errors], [3, 4])
  assert.deepEqual(second.latencySeconds, Number.NaN, 'latency::on_loss omit')
  const third = add(3, { reply: 1, unreachable: { ...unreachable, admin_prohibited: 2 }, error: errors })
  assert.deepEqual([third.probes?.unreachable, third.probes?.errors], [1, 0])
  const fourth = add(4, { reply: 2 }, DELTA)
  assert.equal(fourth.probes?.replies, 2)
})

test('probes that end, or that nobody has a connection for, are forgotten', () => {
  const links = createLinks()
  const probed = probePoints(ADDRESS, 'cluster', LOST, T0)
  links.add([resourceMetrics(container('a'), probed, T0 + 5000)])
  assert.deepEqual(links.current(), {
    timeMs: T0 + 5000,
    intervalMs: undefined,
    containers: 0,
    host: 'web-1',
    links: [],
  })
  for (let round = 2; round <= 5; round++)
    links.add([resourceMetrics(container('b'), linkPoints(CATALOG, { active: 1 }, T0), T0 + round * 5000)])
  const before = [...linkPoints(CATALOG, { active: 1 }, T0), ...probePoints(ADDRESS, 'cluster', LOST, T0)]
  links.add([resourceMetrics(container('a'), before, T0 + 30_000)])
  const link = links.current().links.find(({ source }) => source.name === 'a')
  assert.equal(link?.probes?.recent, 1, 'nothing of the earlier ones is left')
})
