import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCidr } from '../../../../src/receivers/netvitals/destinations/cidr.ts'
import { createDestinations, type Destinations } from '../../../../src/receivers/netvitals/destinations/index.ts'
import type { LocalNetworks } from '../../../../src/receivers/netvitals/destinations/local.ts'
import { unnamed } from '../../../../src/receivers/netvitals/destinations/names.ts'

const LOCAL: LocalNetworks = {
  addresses: ['127.0.0.1', '::1', '192.168.7.20', '2001:db8::20', '172.17.0.1', 'fe80::1'],
  containerNetworks: ['172.17.0.0/16', 'fd00:77::1/64'],
}
const readLocal = () => LOCAL

/** An address as a record has it, behind something else. */
function recordOf(address: string): { record: Uint8Array; family: 4 | 6 } {
  const { family, network } = parseCidr(address)
  const record = new Uint8Array(20)
  const count = family === 4 ? 4 : 16
  for (let i = 0; i < count; i++) record[4 + i] = Number((network >> BigInt(8 * (count - 1 - i))) & 0xffn)
  return { record, family }
}

function scopeOf(destinations: Destinations, address: string): string {
  const { record, family } = recordOf(address)
  return destinations.scope(record, 4, family)
}

const BY_DEFAULT = {
  node: ['127.0.0.1', '127.8.9.10', '::1', '0.0.0.0', '::', '192.168.7.20', '2001:db8::20', '172.17.0.1', 'fe80::1'],
  cluster: ['172.17.0.2', '172.17.255.254', 'fd00:77::abcd'],
  private: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.7.21',
    '100.64.0.1',
    '100.127.255.255',
    '169.254.169.254',
    'fc00::1',
    'fd00:78::1',
    'fe80::2',
    'febf::1',
  ],
  external: [
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '169.253.1.1',
    '2001:db8::21',
    'fbff::1',
    'fec0::1',
    '255.255.255.255',
  ],
}
for (const [scope, addresses] of Object.entries(BY_DEFAULT)) {
  test(`without settings these are ${scope}: ${addresses.join(', ')}`, () => {
    const destinations = createDestinations({ readLocal })
    assert.deepEqual(
      addresses.filter((address) => scopeOf(destinations, address) !== scope),
      [],
    )
  })
}

test('settings go before the built-in ranges and the container networks', () => {
  const destinations = createDestinations({
    readLocal,
    config: {
      cluster_cidrs: ['10.42.0.0/16', '203.0.113.0/24', 'fd00:78::/32'],
      external_cidrs: ['10.0.0.0/8', '172.0.0.0/8'],
      private_cidrs: ['198.51.100.0/24'],
      node_cidrs: ['10.42.0.1/32'],
    },
  })
  const scopes = (addresses: string[]) => addresses.map((address) => scopeOf(destinations, address))
  assert.deepEqual(scopes(['10.42.3.4', '203.0.113.9', 'fd00:78::1']), ['cluster', 'cluster', 'cluster'])
  assert.deepEqual(scopes(['10.1.2.3', '172.17.0.2', '172.20.0.1']), ['external', 'external', 'external'])
  assert.deepEqual(scopes(['198.51.100.7', '192.168.1.1']), ['private', 'private'])
  assert.deepEqual(scopes(['10.42.0.1']), ['node'], 'the longer of two configured networks')
})

test("the host's own address stays node in a configured network, unless it is named itself", () => {
  const wide = createDestinations({ readLocal, config: { cluster_cidrs: ['192.168.0.0/16', '127.0.0.0/8'] } })
  assert.equal(scopeOf(wide, '192.168.7.20'), 'node')
  assert.equal(scopeOf(wide, '127.0.0.1'), 'node')
  assert.equal(scopeOf(wide, '192.168.7.21'), 'cluster')
  const named = createDestinations({ readLocal, config: { cluster_cidrs: ['192.168.7.20'] } })
  assert.equal(scopeOf(named, '192.168.7.20'), 'cluster')
})

test('what a container dialled', () => {
  const destinations = createDestinations({ readLocal })
  const { record } = recordOf('10.96.0.10')
  const attributes = destinations.outbound(
    record,
    4,
    4,
    443,
    undefined,
    destinations.name(record, 4, 4, 443, undefined, 0),
  )
  assert.deepEqual(attributes, {
    'destination.address': '10.96.0.10',
    'destination.port': 443,
    'network.peer.address': '10.96.0.10',
    'network.peer.port': 443,
    'network.type': 'ipv4',
    'destination.scope': 'private',
  })
  assert.ok(Object.isFrozen(attributes))
  record.fill(0)
  assert.equal(attributes['destination.address'], '10.96.0.10', 'the record is reused, the attributes are not')
})

test('where a container listens, and who calls', () => {
  const destinations = createDestinations({ readLocal })
  const { record } = recordOf('fd00:77::5')
  const attributes = destinations.inbound(record, 4, 6, 8080, unnamed.external)
  assert.deepEqual(attributes, {
    'destination.address': 'fd00:77::5',
    'destination.port': 8080,
    'network.peer.address': 'fd00:77::5',
    'network.peer.port': 8080,
    'network.type': 'ipv6',
    'destination.scope': 'cluster',
    'source.scope': 'external',
  })
  assert.ok(Object.isFrozen(attributes))
  assert.equal(destinations.inbound(record, 4, 6, 8080, unnamed.node, '192.0.2.1')['client.address'], '192.0.2.1')
})

test('interfaces are read again when asked, not more often than the interval', () => {
  let clock = 0
  let reads = 0
  let local: LocalNetworks = LOCAL
  const destinations = createDestinations({
    now: () => clock,
    refreshIntervalMs: 1000,
    readLocal: () => {
      reads++
      return local
    },
  })
  local = { addresses: [...LOCAL.addresses, '203.0.113.50'], containerNetworks: ['10.88.0.0/16'] }
  destinations.refresh()
  assert.equal(scopeOf(destinations, '203.0.113.50'), 'external')
  clock = 1000
  destinations.refresh()
  destinations.refresh()
  assert.equal(scopeOf(destinations, '203.0.113.50'), 'node')
  assert.equal(scopeOf(destinations, '10.88.0.9'), 'cluster')
  assert.equal(scopeOf(destinations, '172.17.0.9'), 'private', 'a network that is gone')
  assert.equal(reads, 2)
})

test('interfaces that cannot be read are said once, and once more when they can', () => {
  let clock = 0
  let broken = true
  const reports: [string, string | undefined][] = []
  const destinations = createDestinations({
    now: () => clock,
    report: (status, detail) => void reports.push([status, detail]),
    readLocal: () => {
      if (broken) throw new Error('uv_interface_addresses returned EPERM')
      return LOCAL
    },
  })
  assert.equal(scopeOf(destinations, '127.0.0.1'), 'node')
  clock += 5000
  destinations.refresh()
  broken = false
  clock += 5000
  destinations.refresh()
  assert.deepEqual(
    reports.map(([status]) => status),
    ['down', 'ok'],
  )
  assert.match(reports[0]![1]!, /EPERM.*destinations::node_cidrs/)
  assert.equal(scopeOf(destinations, '192.168.7.20'), 'node')
})

test("this machine's own addresses are node", async () => {
  const destinations = createDestinations()
  const { networkInterfaces } = await import('node:os')
  for (const { address } of Object.values(networkInterfaces()).flatMap((infos) => infos ?? [])) {
    assert.equal(scopeOf(destinations, address), 'node', address)
  }
})
