import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress } from '../../../../src/receivers/netvitals/destinations/address.ts'
import { contains, networkOf, parseCidr } from '../../../../src/receivers/netvitals/destinations/cidr.ts'
import { destinationsConfig } from '../../../../src/receivers/netvitals/destinations/config.ts'
import { ephemeralPorts, firstEphemeralPort } from '../../../../src/receivers/netvitals/destinations/ephemeral-ports.ts'

for (const family of [4, 6] as const) {
  test(`a network of IPv${family} has the addresses that the runtime's own BlockList says it has`, () => {
    const bits = family === 4 ? 32 : 128
    const text = (bytes: Uint8Array) => formatAddress(bytes, 0, family)
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 })
    const bit = fc.integer({ min: 0, max: bits - 1 })
    fc.assert(
      fc.property(bytes, bytes, fc.integer({ min: 0, max: bits }), bit, (base, other, prefix, flipped) => {
        const near = Uint8Array.from(base, (byte, i) => (i === flipped >> 3 ? byte ^ (0x80 >> (flipped & 7)) : byte))
        const network = networkOf(`${text(base)}/${prefix}`)
        const list = new BlockList()
        list.addSubnet(text(base), prefix, `ipv${family}`)
        for (const probe of [text(base), text(near), text(other)]) {
          assert.equal(contains(network, parseCidr(probe)), list.check(probe, `ipv${family}`), probe)
        }
      }),
      { numRuns: 2000 },
    )
  })
}

test('every form of an address is read', () => {
  assert.deepEqual(parseCidr('10.0.0.0/8'), { family: 4, network: 0x0a000000n, prefix: 8 })
  assert.deepEqual(parseCidr('192.0.2.1'), { family: 4, network: 0xc0000201n, prefix: 32 })
  assert.deepEqual(parseCidr('0.0.0.0/0'), { family: 4, network: 0n, prefix: 0 })
  assert.deepEqual(parseCidr('::/0'), { family: 6, network: 0n, prefix: 0 })
  assert.deepEqual(parseCidr('::1'), { family: 6, network: 1n, prefix: 128 })
  assert.deepEqual(parseCidr('64:ff9b::192.0.2.33/128'), {
    family: 6,
    network: 0x0064ff9b0000000000000000c0000221n,
    prefix: 128,
  })
  assert.deepEqual(parseCidr('1:2:3:4:5:6:7:8'), {
    family: 6,
    network: 0x00010002000300040005000600070008n,
    prefix: 128,
  })
})

for (const [text, message] of [
  ['10.0.0.0/40', '"10.0.0.0/40" is not a CIDR: the prefix length of an IPv4 network is 0 to 32'],
  ['10.0.0.0/', '"10.0.0.0/" is not a CIDR: the prefix length of an IPv4 network is 0 to 32'],
  ['10.0.0.0/8/8', '"10.0.0.0/8/8" is not a CIDR: the prefix length of an IPv4 network is 0 to 32'],
  ['10.0.0.0/-1', '"10.0.0.0/-1" is not a CIDR: the prefix length of an IPv4 network is 0 to 32'],
  ['fd00::/129', '"fd00::/129" is not a CIDR: the prefix length of an IPv6 network is 0 to 128'],
  ['10.0.0/8', '"10.0.0/8" is not a CIDR: "10.0.0" is no IPv4 or IPv6 address; write one such as 10.0.0.0/8'],
  ['', '"" is not a CIDR: "" is no IPv4 or IPv6 address; write one such as 10.0.0.0/8'],
  [
    'fe80::1%eth0',
    '"fe80::1%eth0" is not a CIDR: "fe80::1%eth0" is no IPv4 or IPv6 address; write one such as 10.0.0.0/8',
  ],
  [
    'example.org/8',
    '"example.org/8" is not a CIDR: "example.org" is no IPv4 or IPv6 address; write one such as 10.0.0.0/8',
  ],
  [
    '10.1.2.3/8',
    '"10.1.2.3/8" is not a CIDR: it has bits set after the first 8; write 10.0.0.0/8, or 10.1.2.3/32 for the one address',
  ],
  [
    'fd00::1/8',
    '"fd00::1/8" is not a CIDR: it has bits set after the first 8; write fd00::/8, or fd00::1/128 for the one address',
  ],
] as const) {
  test(`"${text}" is refused with its remedy`, () => {
    assert.throws(() => parseCidr(text), { message })
  })
}

test('a configuration says which of its networks is wrong', () => {
  const result = destinationsConfig.safeParse({ cluster_cidrs: ['10.42.0.0/16', '10.0.0.0/40'] })
  assert.deepEqual(
    result.error?.issues.map(({ path, message }) => [path.join('.'), message]),
    [['cluster_cidrs.1', '"10.0.0.0/40" is not a CIDR: the prefix length of an IPv4 network is 0 to 32']],
  )
  assert.deepEqual(destinationsConfig.parse({ cluster_cidrs: ['10.42.0.0/16'] }), {
    node_cidrs: [],
    cluster_cidrs: ['10.42.0.0/16'],
    private_cidrs: [],
    external_cidrs: [],
    translation: { enabled: true, max_rate: 2_000, node_namespaces: ['/proc/1/ns/net'] },
    fold: [],
    ephemeral_ports: { fold: true, from: 0, keep: 8 },
  })
})

test('a fold without a network, or by an empty name, is refused', () => {
  const result = destinationsConfig.safeParse({ fold: [{ cidrs: [] }, { name: '', cidrs: ['10.1.0.0/40'] }] })
  assert.deepEqual(
    result.error?.issues.map(({ path, message }) => [path.join('.'), message]),
    [
      ['fold.0.cidrs', 'no network is given'],
      ['fold.1.cidrs.0', '"10.1.0.0/40" is not a CIDR: the prefix length of an IPv4 network is 0 to 32'],
      ['fold.1.name', 'the name is empty'],
    ],
  )
})

test("the first ephemeral port is the kernel's, and what Linux has where that can't be read", () => {
  const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t')
  assert.equal(firstEphemeralPort(), Number(first))
  assert.equal(firstEphemeralPort('/nowhere'), 32_768)
  assert.deepEqual(
    ephemeralPorts({ fold: true, from: 0, keep: 3 }, () => 40_000),
    { from: 40_000, keep: 3 },
  )
  assert.deepEqual(ephemeralPorts({ fold: true, from: 50_000, keep: 3 }), { from: 50_000, keep: 3 })
  assert.equal(ephemeralPorts({ fold: false, from: 0, keep: 3 }), undefined)
})
