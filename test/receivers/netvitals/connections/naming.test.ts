import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { createKubernetes, type Kubernetes } from '../../../../src/kubernetes/index.ts'
import { createRecords } from '../../../../src/receivers/netvitals/kernel/decode.ts'
import { ConnLayout, Direction, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { noCertificates } from '../../../e2e/certificates.ts'
import { eventually } from '../../../e2e/child.ts'
import { pointsOf } from '../../../kernel/points.ts'
import { type ApiServer, createApiServer, type ObjectJson } from '../../../kubernetes/api-server.ts'
import { PATHS } from '../../../kubernetes/recorded.ts'
import { endpointSlice, node, pod, replicaSet, service } from '../../../kubernetes/small-cluster.ts'
import { bytesOf, type Conn, createRig, ESTABLISHED, SYN_SENT } from './rig.ts'

const { end, sample } = Kind
const CONNECTS = 'container.net.tcp.successful_connects'
const ACTIVE = 'container.net.tcp.active_connections'
const SERVICE = [10, 96, 0, 5]
const [FIRST, SECOND] = [
  [10, 244, 1, 7],
  [10, 244, 2, 7],
]
const dotted = (address: readonly number[]) => address.join('.')
const containerId = (digit: string) => digit.repeat(64)

describe('links in a cluster', { skip: (await noCertificates()) ?? false }, () => {
  let server: ApiServer
  let kubernetes: Kubernetes
  let rig: ReturnType<typeof createRig>
  let lastId: number

  before(async () => {
    server = await createApiServer()
  })
  after(() => server[Symbol.asyncDispose]())
  beforeEach(async () => {
    lastId = 0
    rig = createRig()
    server.set(PATHS.nodes, [node('n1', '192.0.2.1', '10.244.1.0/24'), node('n2', '192.0.2.2')])
    server.set(PATHS.replicasets, [replicaSet('web'), replicaSet('client')])
    server.set(PATHS.services, [service('web', dotted(SERVICE), 80)])
    const pods = [
      pod({ name: 'web-a', deployment: 'web', address: dotted(FIRST), containerId: containerId('a') }),
      pod({ name: 'web-b', deployment: 'web', address: dotted(SECOND), containerId: containerId('b') }),
    ]
    server.set(PATHS.pods, pods)
    server.set(PATHS.endpointslices, [endpointSlice('web', 8080, pods)])
    kubernetes = createKubernetes({ access: server.access })
    kubernetes.start()
    await kubernetes.whenSynced()
    rig.destinations.use(kubernetes)
    for (const path of Object.values(PATHS))
      await eventually(`${path} is watched`, () => server.watching(path) > 0 || undefined)
  })
  afterEach(async () => {
    rig.destinations.use(undefined)
    kubernetes.stop()
    await server.reset()
  })

  /** One more connection, alive. */
  function connect(more: Partial<Conn>): Conn {
    const record = { kind: sample, id: ++lastId, remotePort: 8080, ...more }
    rig.apply(record)
    return record
  }

  const podEvent = (type: string, object: ObjectJson) => server.event(PATHS.pods, type, object)

  /** Values of the points, by what these attributes say. */
  async function values(metric: string, ...attributes: string[]): Promise<Record<string, number>> {
    const batch = await rig.store.collect(Date.now())
    return Object.fromEntries(
      [...pointsOf(batch, { metric })].map((point) => [
        attributes.map((name) => point.attributes[name] ?? '-').join(' '),
        point.value,
      ]),
    )
  }

  /** As long as a change takes to reach those who were told otherwise before, and once more. */
  const settled = () => new Promise((resolve) => setTimeout(resolve, 2_000))

  /** The first server's pod goes, and a client's gets its address. */
  async function freed(): Promise<void> {
    podEvent('DELETED', pod({ name: 'web-a', deployment: 'web', address: dotted(FIRST) }))
    await settled()
  }
  async function takenOver(): Promise<void> {
    const next = { name: 'client-c', deployment: 'client', containerId: containerId('c'), startedMs: Date.now() }
    podEvent('ADDED', pod({ ...next, address: dotted(FIRST) }))
    await settled()
  }

  const DST = ['k8s.dst.name', 'k8s.dst.namespace', 'k8s.dst.owner.name', 'k8s.dst.type', 'k8s.dst.service.name']

  it('name the pod that is dialled, its workload and its one Service', async () => {
    connect({ remote: FIRST })
    assert.deepEqual(await values(CONNECTS, ...DST, 'destination.scope'), { 'web-a shop web Pod web cluster': 1 })
  })

  it('name who answers, and the Service that was dialled', async () => {
    rig.connections.translate({ hold: () => {}, add: () => false })
    rig.links.translate(true)
    const record = createRecords(bytesOf([{ kind: sample, id: 1, remote: SERVICE, remotePort: 80 }]))
    const address = new Uint8Array(16)
    address.set(SECOND!)
    rig.connections.beginBatch(Date.now())
    rig.connections.applyAnswered(record, { address, port: 8080 })
    assert.deepEqual(await values(CONNECTS, 'destination.address', 'network.peer.address', ...DST), {
      '10.96.0.5 10.244.2.7 web-b shop web Pod web': 1,
    })
  })

  it('name who answers once the attempt is a connection, where nobody knew it before', async () => {
    const held: ReturnType<typeof createRecords>[] = []
    const hold = ({ bytes, offset }: { bytes: Uint8Array; offset: number }) =>
      void held.push(createRecords(bytes.slice(offset, offset + ConnLayout.size)))
    rig.connections.translate({ hold, add: () => false })
    const attempt = { id: 1, remote: SERVICE, remotePort: 80, state: SYN_SENT, flags: 0, retransHandshake: 2 }
    rig.apply({ kind: sample, ...attempt })
    rig.connections.applyAnswered(held.shift()!, 'unknown')
    const established = { ...attempt, state: ESTABLISHED, flags: Flag.established, retransHandshake: 3, bytesSent: 7 }
    rig.apply({ kind: sample, ...established })
    assert.equal(held.length, 1, 'it is asked again')
    const address = new Uint8Array(16)
    address.set(SECOND!)
    rig.connections.applyAnswered(held.shift()!, { address, port: 8080 })
    rig.apply({ kind: sample, ...established, bytesSent: 9 })
    const answered = '10.244.2.7'
    const [before, after] = [`10.96.0.5 ${SERVICE.join('.')}`, `10.96.0.5 ${answered}`]
    const of = (metric: string) => values(metric, 'destination.address', 'network.peer.address')
    const totals = {
      connects: await of(CONNECTS),
      retransmits: await of('container.net.tcp.retransmits'),
      sent: await of('container.net.tcp.bytes_sent'),
    }
    assert.equal(totals.connects[after], 1)
    assert.equal(totals.connects[before] ?? 0, 0)
    assert.deepEqual([totals.retransmits[before], totals.retransmits[after]], [2, 1], 'each once, where it was known')
    assert.equal(totals.sent[after], 9)
    assert.equal(held.length, 0, 'once')
  })

  it('have the port that a Service declares, however few are told by number', async () => {
    rig.destinations.use(undefined)
    rig = createRig({ ports: { from: 1, keep: 0 } })
    rig.destinations.use(kubernetes)
    connect({ remote: SERVICE, remotePort: 80 })
    connect({ remote: FIRST })
    connect({ remote: FIRST, remotePort: 9090 })
    assert.deepEqual(await values(CONNECTS, 'destination.address', 'destination.port'), {
      '10.96.0.5 80': 1,
      '10.244.1.7 8080': 1,
      '10.244.1.7 -': 1,
    })
  })

  it('name the Service where it is not known who answers', async () => {
    connect({ remote: SERVICE, remotePort: 80 })
    assert.deepEqual(await values(CONNECTS, ...DST, 'destination.scope'), { 'web shop - Service web cluster': 1 })
  })

  it('name no one at an address of nobody', async () => {
    connect({ remote: [198, 51, 100, 1] })
    connect({ remote: [10, 244, 1, 200] })
    assert.deepEqual(await values(CONNECTS, ...DST, 'destination.scope'), {
      '- - - - - external': 1,
      '- - - - - cluster': 1,
    })
  })

  it('are not confused when another pod gets an address: what lives stays with the one before', async () => {
    const old = connect({ remote: FIRST })
    await freed()
    connect({ remote: FIRST })
    assert.deepEqual(await values(CONNECTS, 'k8s.dst.name'), { 'web-a': 1, '-': 1 }, 'nobody has it')
    await takenOver()
    connect({ remote: FIRST })
    connect({ remote: FIRST })
    assert.deepEqual(await values(CONNECTS, 'k8s.dst.name', 'k8s.dst.owner.name'), {
      'web-a web': 1,
      '- -': 1,
      'client-c client': 2,
    })
    rig.apply({ ...old, kind: end, bytesSent: 10 })
    assert.deepEqual((await values('container.net.tcp.bytes_sent', 'k8s.dst.name'))['web-a'], 10)
    // The one to nobody came so shortly before the new pod's beginning that it was to that: clocks differ so much.
    assert.deepEqual(await values(ACTIVE, 'k8s.dst.name'), { 'web-a': 0, '-': 0, 'client-c': 3 })
  })

  it('have their name later where it became known after they began: their connections move', async () => {
    const address = [10, 244, 2, 9]
    const early = connect({ remote: address })
    assert.deepEqual(await values(ACTIVE, 'k8s.dst.name'), { '-': 1 })
    podEvent(
      'ADDED',
      pod({ name: 'web-d', deployment: 'web', address: dotted(address), containerId: containerId('d') }),
    )
    await settled()
    rig.apply({ ...early, bytesSent: 7 })
    assert.deepEqual(await values(ACTIVE, 'k8s.dst.name'), { '-': 0, 'web-d': 1 })
    assert.equal((await values('container.net.tcp.bytes_sent', 'k8s.dst.name'))['web-d'], 7)
    assert.deepEqual(await values(CONNECTS, 'k8s.dst.name'), { '-': 1, 'web-d': 0 })
    connect({ remote: address })
    assert.equal((await values(CONNECTS, 'k8s.dst.name'))['web-d'], 1)
  })

  it('have callers by workload, not by pod', async () => {
    const inbound = { direction: Direction.inbound, localPort: 80 }
    connect({ ...inbound, remote: FIRST })
    connect({ ...inbound, remote: SECOND })
    connect({ ...inbound, remote: [192, 0, 2, 2] })
    connect({ ...inbound, remote: [198, 51, 100, 1] })
    const SRC = ['source.scope', 'k8s.src.namespace', 'k8s.src.owner.name', 'k8s.src.type']
    assert.deepEqual(await values(CONNECTS, ...SRC), {
      'cluster shop web Pod': 2,
      'external - - Node': 1,
      'external - - -': 1,
    })
  })

  it('have the caller that holds the address now', async () => {
    const inbound = { direction: Direction.inbound, localPort: 80, remote: FIRST }
    connect(inbound)
    await freed()
    connect(inbound)
    await takenOver()
    connect(inbound)
    assert.deepEqual(await values(CONNECTS, 'k8s.src.owner.name', 'source.scope'), {
      'web cluster': 1,
      '- cluster': 1,
      'client cluster': 1,
    })
  })

  it('keep their names when the API server is gone', async () => {
    connect({ remote: FIRST })
    server.gate = (_asked, response) => {
      response.destroy()
      return true
    }
    for (const path of Object.values(PATHS)) server.endWatches(path)
    await eventually('it is noticed', () => kubernetes.status().every(({ problem }) => problem) || undefined)
    connect({ remote: FIRST })
    connect({ remote: SECOND })
    assert.deepEqual(await values(CONNECTS, 'k8s.dst.name'), { 'web-a': 2, 'web-b': 1 })
  })
})
