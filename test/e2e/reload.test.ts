import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startMetricsServer } from '../exporters/metrics-server.ts'
import { eventually } from './child.ts'
import { createContainers, noContainers } from './containers.ts'
import { ready, STACK_TRACE } from './program.ts'
import { receivedSeries } from './received-series.ts'
import { createConfigFile, type Holding, holding, reload } from './reloading.ts'

const PORT = '8080'
const RELOADS = 100
const HELD = 7

const count = (resources: Holding['resources']): number => Object.values(resources).reduce((sum, n) => sum + n, 0)

/** What a hundred reloads may leave: a leak is 200 kB each. */
const MEMORY = 6 * 2 ** 20

describe('SIGHUP under load', { skip: noContainers() ?? false }, () => {
  it(`${RELOADS} times: no event is lost or counted twice, nothing is left open, memory is flat`, async () => {
    using file = createConfigFile()
    const backend = await startMetricsServer()
    try {
      await using containers = createContainers()
      const { client, server } = containers
      /** A different one each time: the receiver's settings, the exporter's, the path between them. */
      const config = (round: number) => ({
        receivers: {
          netvitals: { collection_interval: `${1000 + (round % 3) * 100}ms`, client_address: round % 2 === 1 },
        },
        processors: { batch: { timeout: '100ms' } },
        exporters: {
          otlp_grpc: {
            endpoint: backend.endpoint,
            tls: { insecure: true },
            headers: { round: String(Math.floor(round / 4)) },
          },
        },
        service: {
          pipelines: {
            metrics: {
              receivers: ['netvitals'],
              processors: round % 5 === 0 ? ['batch'] : [],
              exporters: ['otlp_grpc'],
            },
          },
        },
      })
      file.write(config(0))
      await using program = file.start()
      await ready(program)
      const before = { client: client.counters(), server: server.counters() }
      await server.start('serve', PORT).output(/listening/)
      const held = client.start('connect', server.address, PORT, '1', '1000', String(HELD))
      await held.output(/done/)

      let loading = true
      let connections = 1
      const load = (async () => {
        while (loading) {
          await client.start('connect', server.address, PORT, '500', '1000', '0').output(/done/, 60_000)
          connections += 500
        }
      })()
      let early: Holding | undefined
      for (let round = 1; round <= RELOADS; round++) {
        file.write(config(round))
        await reload(program)
        if (round === RELOADS / 5) early = await holding(program)
      }
      loading = false
      await load

      const since = (which: 'client' | 'server', name: string) =>
        containers[which].counters()[name]! - before[which][name]!
      const series = () => receivedSeries(backend.requests.map(({ bytes }) => bytes))
      const sum = (name: string, container: string) =>
        series().sum(`container.net.tcp.${name}`, { 'container.id': container })
      assert.equal(since('client', 'ActiveOpens'), connections + HELD)
      await eventually('both ends of every connection', () =>
        sum('successful_connects', client.id) >= connections + HELD &&
        sum('successful_connects', server.id) >= connections + HELD &&
        sum('bytes_received', client.id) >= connections * 1000
          ? true
          : undefined,
      ).catch(() => {})
      assert.equal(sum('successful_connects', client.id), connections + HELD)
      assert.equal(sum('successful_connects', server.id), since('server', 'PassiveOpens'))
      for (const container of [client.id, server.id]) {
        assert.equal(sum('bytes_sent', container), connections * 1000)
        assert.equal(sum('bytes_received', container), connections * 1000)
      }
      assert.equal(series().latest('container.net.tcp.active_connections', { 'container.id': client.id }), HELD)
      assert.deepEqual(series().overlaps(), [])

      // Others on this machine come and go, and a namespace of theirs is a descriptor or two here; a leak is one a reload.
      const few = RELOADS / 5
      const late = await eventually('no more than before', async () => {
        const now = await holding(program)
        return now.fds < early!.fds + few && now.heapUsed < early!.heapUsed + MEMORY ? now : undefined
      }).catch(() => holding(program))
      const both = JSON.stringify({ early, late })
      assert.ok(late.fds < early!.fds + few, both)
      assert.ok(count(late.resources) < count(early!.resources) + few, both)
      assert.ok(late.heapUsed < early!.heapUsed + MEMORY, both)

      assert.equal((await program.stop()).code, 0)
      assert.doesNotMatch(program.stderr(), STACK_TRACE)
      assert.doesNotMatch(program.stderr(), /\t(error|fatal)\t/)
    } finally {
      backend.stop()
    }
  })

  it('with other kernel settings: what happens in the moment between is all that may be lost or counted twice', async () => {
    using file = createConfigFile()
    const backend = await startMetricsServer()
    try {
      await using containers = createContainers()
      const { client, server } = containers
      const config = (round: number) => ({
        receivers: { netvitals: { collection_interval: '1s', kernel: { ring_size: round % 2 ? '4MiB' : '8MiB' } } },
        exporters: { otlp_grpc: { endpoint: backend.endpoint, tls: { insecure: true } } },
        service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: ['otlp_grpc'] } } },
      })
      file.write(config(0))
      await using program = file.start()
      await ready(program)
      await server.start('serve', PORT).output(/listening/)
      const load = client.start('connect', server.address, PORT, '6000', '1000', '0')
      for (let round = 1; round <= 5; round++) {
        file.write(config(round))
        await reload(program)
      }
      await load.output(/done/, 60_000)
      assert.equal((await program.stop()).code, 0)
      const series = receivedSeries(backend.requests.map(({ bytes }) => bytes))
      const counted = series.sum('container.net.tcp.successful_connects', { 'container.id': client.id })
      assert.ok(counted < 6200 && counted > 5000, `${counted} of 6000`)
      assert.deepEqual(series.overlaps(), [])
    } finally {
      backend.stop()
    }
  })
})
