import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Peer } from '../../../../src/kubernetes/index.ts'
import { formatAddress } from '../../../../src/receivers/netvitals/destinations/address.ts'
import { createDestinations } from '../../../../src/receivers/netvitals/destinations/index.ts'
import {
  type ClusterNames,
  callerName,
  corrects,
  destinationName,
} from '../../../../src/receivers/netvitals/destinations/names.ts'
import type { ChangedAddresses, Name } from '../../../../src/receivers/netvitals/destinations/types.ts'

const pod: Peer = { kind: 'Pod', name: 'web-a', namespace: 'shop', ownerKind: 'Deployment', ownerName: 'web' }
const service: Peer = { kind: 'Service', name: 'front', namespace: 'shop', serviceName: 'front' }
const peers: Record<string, Peer> = {
  '10.96.0.5 80': service,
  '10.244.1.7 8080': { ...pod, serviceName: 'web' },
  '10.244.1.7': pod,
  '192.0.2.1': { kind: 'Node', name: 'n1' },
  '192.0.2.9': service,
}
const names: ClusterNames = {
  byAddress: (address, port) => peers[[address, port].filter((part) => part !== undefined).join(' ')],
  isClusterAddress: (address) => ['10.96.0.5', '203.0.113.7'].includes(address),
  podCidrs: () => ['10.244.1.0/24', 'not a network', '10.244.9.1/16'],
  onChange: () => () => {},
}
const serviceEnd = { address: '10.96.0.5', port: 80 }
const podEnd = { address: '10.244.1.7', port: 8080 }
const nobody = { address: '10.244.1.99', port: 8080 }

describe('the name of a destination', () => {
  const cases: [string, Parameters<typeof destinationName>[2], Parameters<typeof destinationName>[3], string[]][] = [
    ['a pod and the one Service that has it', podEnd, undefined, ['web-a', 'shop', 'web', 'Pod', 'web']],
    ['who answers, and the Service dialled', serviceEnd, podEnd, ['web-a', 'shop', 'web', 'Pod', 'front']],
    [
      'the Service alone where nobody is known to answer',
      serviceEnd,
      undefined,
      ['front', 'shop', '-', 'Service', 'front'],
    ],
    [
      'not the Service for who answers, though nobody knows that one',
      serviceEnd,
      nobody,
      ['-', 'shop', '-', '-', 'front'],
    ],
    ['nothing for nobody', nobody, undefined, ['-', '-', '-', '-', '-']],
  ]
  for (const [what, dialled, answered, expected] of cases) {
    it(`is ${what}`, () => {
      const { attributes } = destinationName(names, 'cluster', dialled, answered, 0)
      const told = ['name', 'namespace', 'owner.name', 'type', 'service.name'].map(
        (part) => attributes[`k8s.dst.${part}`] ?? '-',
      )
      assert.deepEqual(told, expected)
    })
  }
})

it('a caller is named by its workload, a node as a node, and by no Service that points to it', () => {
  const of = (address: string) => callerName(names, 'cluster', address).attributes
  assert.deepEqual(of('10.244.1.7'), {
    'k8s.src.type': 'Pod',
    'k8s.src.namespace': 'shop',
    'k8s.src.owner.name': 'web',
  })
  assert.deepEqual(of('192.0.2.1'), { 'k8s.src.type': 'Node' })
  assert.deepEqual(of('192.0.2.9'), {})
})

describe('what is told later of the same moment', () => {
  const of = (attributes: Record<string, string>, scope: Name['scope'] = 'private'): Name => {
    const entries = Object.entries(attributes).map(([name, value]) => [`k8s.dst.${name}`, value] as const)
    return { key: scope + JSON.stringify(entries), scope, attributes: Object.fromEntries(entries) }
  }
  const known = { name: 'a', namespace: 'shop', type: 'Pod' }
  const cases: [string, then: Name, before: Name, expected: boolean][] = [
    ['a name where there was none', of(known), of({}), true],
    ['the same', of(known), of(known), false],
    ['nothing, where there was a name', of({}), of(known), false],
    ['another pod', of({ ...known, name: 'b' }), of(known), true],
    ['its workload', of({ ...known, 'owner.name': 'web' }), of(known), true],
    ['another workload', of({ ...known, 'owner.name': 'web' }), of({ ...known, 'owner.name': 'web-1' }), true],
    ['no workload any more', of(known), of({ ...known, 'owner.name': 'web' }), false],
    ['its Service', of({ ...known, 'service.name': 'web' }), of(known), true],
    ['another Service', of({ ...known, 'service.name': 'x' }), of({ ...known, 'service.name': 'web' }), false],
    ['that it is in the cluster', of({}, 'cluster'), of({}), true],
    ['that it is not', of({}), of({}, 'cluster'), false],
  ]
  for (const [what, then, before, expected] of cases) {
    it(`${expected ? 'corrects' : 'does not correct'} what was told: ${what}`, () =>
      assert.equal(corrects(then, before), expected))
  }
})

describe('a cluster that is used', () => {
  const bytes = (address: string) => {
    const all = new Uint8Array(16)
    all.set(address.split('.').map(Number))
    return all
  }
  const readLocal = () => ({ addresses: ['10.244.1.1', '192.0.2.1'], containerNetworks: [] })

  it('says what is its own: networks of pods, their addresses and those of Services, but not against settings', () => {
    const destinations = createDestinations({ readLocal, config: { external_cidrs: ['10.96.0.0/16'] } })
    const scopes = () =>
      ['10.244.1.7', '10.244.1.1', '203.0.113.7', '10.96.0.5', '10.244.9.1', '198.51.100.1'].map((address) =>
        destinations.scope(bytes(address), 0, 4),
      )
    assert.deepEqual(scopes(), ['private', 'node', 'external', 'external', 'private', 'external'])
    destinations.use(names)
    assert.deepEqual(scopes(), ['cluster', 'node', 'cluster', 'external', 'private', 'external'])
    destinations.use(undefined)
    assert.deepEqual(scopes(), ['private', 'node', 'external', 'external', 'private', 'external'])
  })

  function createChanging() {
    let listener: Parameters<ClusterNames['onChange']>[0] = () => {}
    const cluster: ClusterNames = {
      ...names,
      onChange(of) {
        listener = of
        return () => {}
      },
    }
    return { cluster, change: (...addresses: string[]) => listener({ containerIds: [], addresses }) }
  }

  it('tells of changed addresses together, twice, and of no other', (t: TestContext) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const destinations = createDestinations({ readLocal })
    const { cluster, change } = createChanging()
    const told: string[][] = []
    const asked = ['10.244.1.7', '10.244.1.8', '10.0.0.1']
    destinations.onChange((changed: ChangedAddresses | undefined) => {
      told.push(asked.filter((address) => changed?.has(bytes(address), 0, 4)))
    })
    destinations.use(cluster)
    told.length = 0
    change('10.244.1.7')
    change('10.244.1.8', 'None', 'fd00::a00:1')
    assert.deepEqual(told, [])
    t.mock.timers.tick(100)
    assert.deepEqual(told, [['10.244.1.7', '10.244.1.8']])
    t.mock.timers.tick(1_500)
    assert.equal(told.length, 2)
    assert.deepEqual(told[1], told[0])
    t.mock.timers.tick(60_000)
    assert.equal(told.length, 2)
  })

  it('knows an IPv6 address as the API writes it', (t: TestContext) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const destinations = createDestinations({ readLocal })
    const { cluster, change } = createChanging()
    const address = new Uint8Array(16)
    address.set([0xfd, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x07])
    let has: boolean | undefined
    destinations.onChange((changed) => {
      has = changed?.has(address, 0, 6)
    })
    destinations.use(cluster)
    change(formatAddress(address, 0, 6))
    t.mock.timers.tick(100)
    assert.equal(has, true)
  })
})
