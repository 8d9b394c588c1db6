import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { generated } from '../../../../src/receivers/netvitals/metrics/generate.ts'
import { readMetadata } from '../../../../src/receivers/netvitals/metrics/metadata.ts'
import { Inbound, links, metrics, Outbound, Probe } from '../../../../src/receivers/netvitals/metrics/metrics.gen.ts'
import type { LinkLayout } from '../../../../src/receivers/netvitals/metrics/schema.ts'

const address = new URL('../../../../src/receivers/netvitals/metrics/metadata.yaml', import.meta.url)
const text = readFileSync(address, 'utf8')

for (const file of generated()) {
  test(`${file.url.pathname.split('/').at(-1)} is what metadata.yaml gives; if not: npm run generate`, () => {
    assert.equal(readFileSync(file.url, 'utf8'), file.text)
  })
}

test('a column is there for each value that a metric enumerates, and the link fixes its direction', () => {
  const failed = links.outbound.columns.filter(({ name }) => name.startsWith('failedConnects'))
  assert.deepEqual(
    failed.map(({ attributes }) => attributes),
    ['refused', 'timed_out', 'host_unreachable', 'net_unreachable', 'aborted', 'address_not_available', '_OTHER'].map(
      (type) => ({ 'error.type': type }),
    ),
  )
  assert.deepEqual(links.inbound.columns[Inbound.brokenConnectionsReset].attributes, {
    direction: 'inbound',
    'error.type': 'reset',
  })
})

test('an attribute that depends on another is there beside that one alone', () => {
  const { columns }: LinkLayout = links.probe
  const probes = columns.filter(({ name }) => name !== 'latency').map(({ attributes }) => attributes)
  const errors = (result: string) =>
    probes.filter((each) => each.result === result).map((each) => each['error.type'] ?? '-')
  assert.deepEqual([errors('reply'), errors('timeout')], [['-'], ['-']])
  for (const [result, some] of [
    ['unreachable', ['net_unreachable', 'admin_prohibited', 'ttl_exceeded', '_OTHER']],
    ['error', ['EPERM', 'ENETUNREACH', 'ENOBUFS', '_OTHER']],
  ] as const)
    for (const type of some) assert.ok(errors(result).includes(type), `${result} ${type}`)
  assert.equal(new Set(probes.map((each) => JSON.stringify(each))).size, probes.length)
})

test('a constant is the place of its column', () => {
  for (const [constants, { columns }] of [
    [Outbound, links.outbound],
    [Inbound, links.inbound],
    [Probe, links.probe],
  ] as const) {
    for (const [name, index] of Object.entries(constants)) assert.equal(columns[index]!.name, name)
  }
})

test('what the store keeps itself has no constant: add() would leave it wrong', () => {
  assert.ok(!('activeConnections' in Outbound) && !('rtt' in Outbound))
})

test('every metric is of a container or of the program, and has a sentence that describes it', () => {
  for (const { name, description, unit } of metrics) {
    assert.match(name, /^(container\.net|netvitals)\.[a-z_.]+$/)
    assert.match(description, /^[A-Z].*\.$/)
    assert.notEqual(unit, '')
  }
})

const faults: [fault: string, from: string, to: string, message: RegExp][] = [
  [
    'an attribute that is not defined',
    'attributes: [connect.error.type]',
    'attributes: [error]',
    /^metrics::container\.net\.tcp\.failed_connects::attributes: error is not defined; defined are direction, /,
  ],
  [
    'an attribute without values to make columns of',
    'attributes: [connect.error.type]',
    'attributes: [client.address]',
    /failed_connects::attributes: client\.address has no enum/,
  ],
  [
    'a kind of link that is not defined',
    'links: [listen]',
    'links: [listening]',
    /tcp\.listen::links: listening is not defined; defined are outbound, inbound, probe, listen, self/,
  ],
  [
    'a value that is not said when to emit',
    'emitted: { data: established, handshake: touched }',
    'emitted: { data: established }',
    /retransmits::emitted: handshake is not defined; defined are data/,
  ],
  [
    'an attribute before the one that it depends on',
    'attributes: [result, probe.error.type]',
    'attributes: [probe.error.type, result]',
    /net\.probes::attributes: probe\.error\.type depends on result, which has to stand before it/,
  ],
  [
    'neither sum nor gauge',
    '    sum: { value_type: double, monotonic: true }\n',
    '',
    /connection_time: expected either sum or gauge/,
  ],
]
for (const [fault, from, to, message] of faults) {
  test(`${fault} is refused by its place`, () => {
    assert.ok(text.includes(from))
    assert.throws(() => readMetadata(text.replace(from, to)), { message })
  })
}
