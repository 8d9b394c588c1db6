import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Namespace } from '../kernel/lab.ts'
import { parseNetworkChaos } from './network-chaos.ts'
import { type Pod, resolve, select } from './pods.ts'
import { phase } from './show.ts'
import { isShownAs, readTables } from './tables.ts'
import { changesOf, pairsOf, pingsOf, type Seen, statusesOf } from './watch.ts'

const TITLES = 'STATUS     WORKLOAD        PEER              FAILED  OPEN   LOSS       RTT    PING'
const table = (catalog: string, sessions: string) =>
  [
    'netvitals vm  3 containers · 2 links  ● 2 ok                              2026-08-21T14:03:15Z',
    '─'.repeat(80),
    TITLES,
    catalog,
    sessions,
    '',
  ].join('\n')
const CATALOG = '● ok       front-end     → 10.0.0.2:8080          0     4  0.04%   0.17 ms 0.05 ms'
const FAILED = '✖ failed   front-end     → 10.0.0.2:8080          9     1   100%   0.17 ms    lost'
const SESSIONS = '● ok       front-end     → 10.0.0.3:6379          0     4      0   0.17 ms   1.2 s'
const INBOUND = '○ idle     catalog:8080  ← private                0     0      ·         ·       ·'

/** As far as selectors and tables know them. */
function pod(name: string, ipv4: string, port: number | undefined): Pod {
  const namespace = { ipv4, ipv6: `fd00::${ipv4.at(-1)}` } as Namespace
  const end = { name, namespace, farHalf: { namespace, device: 'port0' } }
  return { namespace: 'shop', name, labels: { app: name }, port, end, container: undefined as never }
}
const PODS = [
  pod('front-end', '10.0.0.1', undefined),
  pod('catalog', '10.0.0.2', 8080),
  pod('sessions', '10.0.0.3', 6379),
]
const [FRONT_END, CATALOG_POD] = PODS as [Pod, Pod]
const PAIRS = pairsOf(PODS, { selected: [FRONT_END], targets: [CATALOG_POD] })
const catalogPair = PAIRS.find(({ name }) => name === 'front-end → catalog 10.0.0.2:8080')!

const seenAt = (elapsedMs: number, row: string): Seen => ({
  table: readTables(table(row, SESSIONS))[0]!,
  elapsedMs,
})

test('rows are read by their titles; a table is complete with its last line', () => {
  const text = table(CATALOG, INBOUND) + table(FAILED, SESSIONS)
  const [first, second, ...rest] = readTables(text)
  assert.equal(rest.length, 0)
  assert.deepEqual(first!.rows[0], {
    status: 'ok',
    own: 'front-end',
    direction: 'outbound',
    peer: '10.0.0.2:8080',
    ping: '0.05 ms',
    lossPercent: 0.04,
    text: CATALOG,
  })
  assert.deepEqual(
    [first!.rows[1]!.own, first!.rows[1]!.direction, first!.rows[1]!.ping, first!.rows[1]!.lossPercent],
    ['catalog:8080', 'inbound', '·', 0],
  )
  assert.deepEqual(
    [second!.rows[0]!.status, second!.rows[0]!.ping, second!.rows[0]!.lossPercent],
    ['failed', 'lost', 100],
  )
  assert.equal(readTables(text.slice(0, -1))[1]!.rows.length, 1)
  assert.deepEqual(readTables('Waiting for the first cycle\n'), [])
})

test('a name is known by both of its ends where its middle gave way', () => {
  assert.ok(isShownAs('[fd6e:7600::2]:8080', '[fd6e:7…:2]:8080'))
  assert.ok(!isShownAs('[fd6e:7600::2]:8080', '[fd6e:7…:3]:6379'))
  assert.ok(!isShownAs('front-end', 'front'))
  const narrow = seenAt(1, CATALOG.replace('10.0.0.2:8080', '10.0…:8080   '))
  assert.deepEqual(statusesOf([catalogPair], [narrow]), new Set(['ok']))
})

test('what a pair went through is told with its times', () => {
  const seen = [seenAt(2_000, CATALOG), seenAt(4_100, FAILED), seenAt(6_100, FAILED), seenAt(8_000, CATALOG)]
  const changes = 'failed 4.1 s, ping lost 4.1 s, ok 8.0 s'
  assert.equal(changesOf(catalogPair, seen, readTables(table(CATALOG, SESSIONS))[0]!.rows[0]), changes)
  assert.deepEqual(statusesOf([catalogPair], seen), new Set(['ok', 'failed']))
  assert.deepEqual(pingsOf(PAIRS, seen.slice(0, 1)), [0.05, 1200])
})

test('pairs are what a caller reaches, and affected where the fault is between its ends', () => {
  assert.deepEqual(
    PAIRS.map(({ name, affected }) => `${name} ${affected}`),
    [
      'front-end → catalog 10.0.0.2:8080 true',
      'front-end → catalog [fd00::2]:8080 true',
      'front-end → sessions 10.0.0.3:6379 false',
      'front-end → sessions [fd00::3]:6379 false',
    ],
  )
  const [, , title, ...rows] = phase('during', [seenAt(1, FAILED)], PODS, PAIRS)
  assert.equal(title, `  ${TITLES}`)
  assert.deepEqual(rows, [`▶ ${FAILED}`, `  ${SESSIONS}`])
})

const DOCUMENT = `
apiVersion: chaos-mesh.org/v1alpha1
kind: NetworkChaos
metadata: { name: x, namespace: shop }
spec:
  action: partition
  mode: all
  direction: DIRECTION
  selector: { labelSelectors: { app: front-end } }
  target: { mode: all, selector: { pods: { shop: [catalog] } } }
`

for (const [direction, expected] of [
  ['to', ['front-end > catalog']],
  ['from', ['catalog > front-end']],
  ['both', ['front-end > catalog', 'catalog > front-end']],
] as const) {
  test(`direction ${direction} concerns ${expected.join(' and ')}`, () => {
    const chaos = parseNetworkChaos(DOCUMENT.replace('DIRECTION', direction), 'x')
    const { paths } = resolve(chaos, PODS)
    assert.deepEqual(
      paths.map(({ from, to }) => `${from.name} > ${to.name}`),
      expected,
    )
  })
}

test('without a target it is every other pod', () => {
  const text = DOCUMENT.replace('DIRECTION', 'to').replace(/ {2}target:.*\n/, '')
  const { paths } = resolve(parseNetworkChaos(text, 'x'), PODS)
  assert.deepEqual(
    paths.map(({ to }) => to.name),
    ['catalog', 'sessions'],
  )
})

test('a selector that selects nothing says what there is', () => {
  const selector = { namespaces: ['shop'], labels: { app: 'payment' }, pods: undefined, mode: 'all' } as const
  assert.throws(() => select(PODS, selector), /no pod is selected by .*"app":"payment".*there are: shop\/front-end/)
  assert.equal(select(PODS, { ...selector, labels: {}, mode: 'one' }).length, 1)
  assert.throws(() => select(PODS, { ...selector, labels: {}, namespaces: ['other'] }), /no pod/)
})
