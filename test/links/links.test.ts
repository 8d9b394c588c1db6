import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics'
import type { Batch } from '../../src/component/types.ts'
import { createLinks, type Link, type Links } from '../../src/links/index.ts'
import {
  CUMULATIVE,
  container,
  DELTA,
  GAUGE,
  inbound,
  linkPoints,
  outbound,
  pod,
  resourceMetrics,
  SUM,
  type Totals,
} from './batches.ts'

const T0 = 1_700_000_000_000
const CATALOG = outbound('10.42.2.243', 8080, 'cluster')

function batchOf(endMs: number, totals: Totals, startMs = T0, attributes: Attributes = CATALOG): Batch {
  return [resourceMetrics(container('front-end'), linkPoints(attributes, totals, startMs), endMs)]
}

function only(links: Links): Link {
  const [link, ...rest] = links.current().links
  assert.equal(rest.length, 0)
  return link!
}

test('the constants that stand for the SDK are its own', () => {
  assert.deepEqual(
    [GAUGE, SUM, DELTA, CUMULATIVE],
    [DataPointType.GAUGE, DataPointType.SUM, AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE],
  )
})

test('a round has the increments since the one before, and rates over the time between', () => {
  const links = createLinks()
  links.add(batchOf(T0 + 5000, { connects: 10, segments: 100, retransmits: 1, sent: 1000, received: 2000, active: 3 }))
  links.add(
    batchOf(T0 + 10_000, {
      connects: 15,
      failed: { timed_out: 2, refused: 1 },
      broken: { reset: 1 },
      segments: 150,
      retransmits: 5,
      handshakes: 2,
      sent: 6000,
      received: 12_000,
      active: 4,
      rtt: 0.25,
    }),
  )
  const round = links.current()
  assert.equal(round.timeMs, T0 + 10_000)
  assert.equal(round.intervalMs, 5000)
  assert.equal(round.containers, 1)
  assert.equal(round.host, 'web-1')
  const { key, resource, status, reason, ...link } = round.links[0]!
  assert.deepEqual(link, {
    direction: 'outbound',
    scope: 'cluster',
    source: { name: 'front-end' },
    destination: { name: '10.42.2.243', port: 8080 },
    connects: 5,
    failures: { timed_out: 2, refused: 1 },
    failed: 3,
    broken: { reset: 1 },
    active: 4,
    segmentsSent: 50,
    dataRetransmits: 4,
    handshakeRetransmits: 2,
    lossRatio: 0.08,
    bytesSent: 5000,
    bytesReceived: 10_000,
    rttSeconds: 0.25,
    latencySeconds: undefined,
    probes: undefined,
    connectsPerSecond: 1,
    bytesSentPerSecond: 1000,
    bytesReceivedPerSecond: 2000,
  })
})

test('the first round counts everything since the series began, its rates over their life', () => {
  const links = createLinks()
  links.add(batchOf(T0 + 20_000, { connects: 40, sent: 1000 }))
  const link = only(links)
  assert.equal(link.connects, 40)
  assert.equal(link.connectsPerSecond, 2)
  assert.equal(links.current().intervalMs, undefined)
})

test('a link that began within the round has rates over the round, not over its first milliseconds', () => {
  const links = createLinks()
  links.add(batchOf(T0 + 5000, { connects: 1 }))
  const fresh = outbound('10.0.0.9', 80, 'private')
  links.add([
    resourceMetrics(
      container('front-end'),
      [...linkPoints(CATALOG, { connects: 1 }, T0), ...linkPoints(fresh, { connects: 10 }, T0 + 9990)],
      T0 + 10_000,
    ),
  ])
  const link = links.current().links.find(({ destination }) => destination.name === '10.0.0.9')!
  assert.equal(link.connectsPerSecond, 2)
})

test('a series that began again counts from zero, by its start time or by a value that fell', () => {
  const links = createLinks()
  links.add(batchOf(T0 + 5000, { connects: 100, sent: 100 }))
  links.add(batchOf(T0 + 10_000, { connects: 120, sent: 30 }, T0 + 6000))
  assert.equal(only(links).connects, 120)
  assert.equal(only(links).bytesSent, 30)
  links.add(batchOf(T0 + 15_000, { connects: 7, sent: 31 }, T0 + 6000))
  assert.equal(only(links).connects, 7)
  assert.equal(only(links).bytesSent, 1)
})

test('a point that was missing for a round gives no false increment, and its rate is over both', () => {
  const links = createLinks()
  links.add(batchOf(T0 + 5000, { connects: 100, active: 1 }))
  links.add(batchOf(T0 + 10_000, { active: 1 }))
  assert.equal(only(links).connects, 0)
  links.add(batchOf(T0 + 15_000, { connects: 110, active: 1 }))
  assert.equal(only(links).connects, 10)
})

test('a link that was missing for a round has rates over both', () => {
  const links = createLinks()
  const other = outbound('10.0.0.9', 80, 'private')
  links.add(batchOf(T0 + 5000, { connects: 100 }))
  links.add(batchOf(T0 + 10_000, { connects: 1 }, T0, other))
  links.add(batchOf(T0 + 15_000, { connects: 110 }))
  const link = links.current().links[0]!
  assert.equal(link.connects, 10)
  assert.equal(link.connectsPerSecond, 1)
})

test('points without a recorded value and NaN are no points', () => {
  const links = createLinks()
  links.add(batchOf(T0 + 5000, { connects: 100, rtt: 0.1 }))
  const flagged = linkPoints(CATALOG, { connects: 0 }, T0).map((point) => ({ ...point, flags: 1 }))
  const nan = linkPoints(CATALOG, { rtt: Number.NaN, sent: Number.NaN }, T0)
  links.add([resourceMetrics(container('front-end'), [...flagged, ...nan], T0 + 10_000)])
  assert.equal(only(links).connects, 0)
  assert.equal(only(links).rttSeconds, undefined)
  assert.equal(only(links).bytesSent, 0)
})

test('points of delta temporality are increments as they are', () => {
  const links = createLinks()
  for (const endMs of [T0 + 5000, T0 + 10_000]) {
    const points = linkPoints(CATALOG, { connects: 4 }, endMs - 5000)
    links.add([resourceMetrics(container('front-end'), points, endMs, DELTA)])
    assert.equal(only(links).connects, 4)
  }
})

test('a cycle that comes in pieces, or twice, is one round', () => {
  const links = createLinks()
  links.add(batchOf(T0 + 5000, { connects: 1, active: 1 }))
  for (const piece of [{ connects: 3 }, { active: 5 }, { connects: 3, active: 5 }]) {
    links.add(batchOf(T0 + 10_000, piece))
    links.current()
  }
  assert.equal(only(links).connects, 2)
  assert.equal(only(links).active, 5)
  assert.equal(links.current().intervalMs, 5000)
})

test('asking again and again does not move a status on', () => {
  const links = createLinks()
  links.add(batchOf(T0 + 5000, { failed: { timed_out: 3 } }))
  for (let times = 0; times < 5; times++) assert.equal(only(links).status, 'idle')
  links.add(batchOf(T0 + 10_000, { failed: { timed_out: 6 } }))
  assert.equal(only(links).status, 'failed')
  assert.equal(only(links).reason, '3/3 connects timed_out')
})

test('a cut link fails within two rounds and comes back after three good ones', () => {
  const links = createLinks()
  let totals = { connects: 10, failed: { timed_out: 0 }, sent: 1000, segments: 50 }
  const statuses: string[] = []
  for (let round = 1; round <= 9; round++) {
    const cut = round >= 3 && round < 6
    totals = cut
      ? { ...totals, failed: { timed_out: totals.failed.timed_out + 5 } }
      : { ...totals, connects: totals.connects + 5, sent: totals.sent + 1000, segments: totals.segments + 50 }
    links.add(batchOf(T0 + round * 5000, totals))
    statuses.push(only(links).status)
  }
  assert.equal(statuses.join(' '), 'ok ok ok failed failed failed failed ok ok')
})

test('only the pair that is cut fails', () => {
  const links = createLinks()
  const other = outbound('10.42.2.99', 8080, 'cluster')
  for (let round = 1; round <= 2; round++) {
    const points = [
      ...linkPoints(CATALOG, { failed: { timed_out: 5 * round } }, T0),
      ...linkPoints(other, { connects: 5 * round }, T0),
    ]
    links.add([resourceMetrics(container('front-end'), points, T0 + round * 5000)])
  }
  const statuses = links.current().links.map(({ destination, status }) => `${destination.name} ${status}`)
  assert.deepEqual(statuses, ['10.42.2.243 failed', '10.42.2.99 ok'])
})

test('an inbound link names the caller as its source, and folds the own addresses of a port', () => {
  const links = createLinks()
  const points = [
    ...linkPoints(inbound('10.0.0.5', 443, 'external'), { connects: 2 }, T0),
    ...linkPoints(inbound('127.0.0.1', 443, 'external'), { connects: 3 }, T0),
    ...linkPoints(inbound('10.0.0.5', 443, 'external', { 'client.address': '198.51.100.7' }), { connects: 4 }, T0),
    ...linkPoints(
      inbound('10.0.0.5', 443, 'cluster', { 'k8s.src.namespace': 'shop', 'k8s.src.owner.name': 'web' }),
      { connects: 5 },
      T0,
    ),
  ]
  links.add([resourceMetrics(container('nginx'), points, T0 + 5000)])
  const seen = links.current().links.map((link) => [link.source, link.destination, link.scope, link.connects])
  assert.deepEqual(seen, [
    [{ name: 'external' }, { name: 'nginx', port: 443 }, 'external', 5],
    [{ name: '198.51.100.7' }, { name: 'nginx', port: 443 }, 'external', 4],
    [{ name: 'shop/web' }, { name: 'nginx', port: 443 }, 'cluster', 5],
  ])
})

test('overflow series are one link to other', () => {
  const links = createLinks()
  const overflow = { 'otel.metric.overflow': true }
  links.add([resourceMetrics(container('crawler'), linkPoints(overflow, { connects: 7, sent: 10 }, T0), T0 + 5000)])
  const link = only(links)
  assert.deepEqual([link.source.name, link.destination.name, link.direction], ['crawler', 'other', 'both'])
  assert.equal(link.connects, 7)
})

test('grouped by workload the pods of a deployment are one source, by container two', () => {
  const batch = [
    resourceMetrics(
      pod('shop', 'front-end', '58987ffbcd-2w9gz'),
      linkPoints(CATALOG, { connects: 2, active: 1, rtt: 0.1 }, T0),
      T0 + 5000,
    ),
    resourceMetrics(
      pod('shop', 'front-end', '58987ffbcd-x8kqp'),
      linkPoints(CATALOG, { connects: 3, active: 3, rtt: 0.2 }, T0),
      T0 + 5000,
    ),
  ]
  const byWorkload = createLinks({ groupBy: 'workload' })
  byWorkload.add(batch)
  const link = only(byWorkload)
  assert.equal(link.source.name, 'shop/front-end')
  assert.equal(link.connects, 5)
  assert.equal(link.active, 4)
  assert.ok(Math.abs(link.rttSeconds! - 0.175) < 1e-12, 'weighted by connections')
  assert.equal(byWorkload.current().containers, 2)

  const byContainer = createLinks({ groupBy: 'container' })
  byContainer.add(batch)
  assert.deepEqual(
    byContainer.current().links.map(({ source }) => source.name),
    ['shop/front-end-58987ffbcd-2w9gz', 'shop/front-end-58987ffbcd-x8kqp'],
  )
})

test('attribute objects that change hands are read again, frozen ones that stay are not mixed up between containers', () => {
  const links = createLinks()
  const shared = Object.freeze({ ...CATALOG })
  const points = [{ metric: 'successful_connects', value: 1, attributes: shared, startMs: T0 }]
  links.add([resourceMetrics(container('a'), points, T0 + 5000), resourceMetrics(container('b'), points, T0 + 5000)])
  assert.deepEqual(
    links.current().links.map(({ source }) => source.name),
    ['a', 'b'],
  )

  const reused: Attributes = { ...CATALOG }
  const one = [{ metric: 'successful_connects', value: 1, attributes: reused, startMs: T0 }]
  links.add([resourceMetrics(container('c'), one, T0 + 5000)])
  reused['destination.address'] = '10.42.2.244'
  links.add([resourceMetrics(container('c'), one, T0 + 5000)])
  const names = links
    .current()
    .links.filter(({ source }) => source.name === 'c')
    .map((link) => link.destination.name)
  assert.deepEqual(names, ['10.42.2.243', '10.42.2.244'])
})

test('a link unseen for three rounds is forgotten, and is a new one when it returns', () => {
  const links = createLinks()
  const other = outbound('10.0.0.9', 80, 'private')
  const frozen = linkPoints(CATALOG, { connects: 5 }, T0)
  const withBoth = (endMs: number) =>
    resourceMetrics(container('front-end'), [...frozen, ...linkPoints(other, { connects: 1 }, T0)], endMs)
  const counts: number[] = []
  links.add([withBoth(T0 + 5000)])
  for (let round = 2; round <= 6; round++) {
    links.add([resourceMetrics(container('front-end'), linkPoints(other, { connects: 1 }, T0), T0 + round * 5000)])
    counts.push(links.current().links.length)
  }
  assert.deepEqual(counts, [2, 2, 2, 1, 1])
  links.add([withBoth(T0 + 35_000)])
  const back = links.current().links.find((link) => link.destination.name === '10.42.2.243')
  assert.equal(back?.connects, 5)
})

test('memory stays bounded while links come and go', () => {
  const links = createLinks()
  for (let round = 1; round <= 200; round++) {
    const batch = Array.from({ length: 20 }, (_, at) => {
      const resource = container(`job-${round}-${at}`)
      return resourceMetrics(resource, linkPoints(CATALOG, { connects: 1 }, T0 + round * 5000), T0 + round * 5000 + 1)
    })
    links.add(batch)
    assert.ok(links.current().links.length <= 4 * 20)
    assert.ok(links.current().containers <= 4 * 20)
  }
})

test('metrics of other kinds and empty batches begin no link', () => {
  const links = createLinks()
  links.add([])
  assert.deepEqual(links.current(), { timeMs: 0, intervalMs: undefined, containers: 0, host: undefined, links: [] })
  const points = linkPoints(CATALOG, { connects: 1 }, T0).map((point) => ({ ...point, metric: 'listen' }))
  links.add([resourceMetrics(container('a'), points, T0 + 5000)])
  assert.deepEqual(links.current().links, [])
  assert.equal(links.current().timeMs, T0 + 5000)
})
