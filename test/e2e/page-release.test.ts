import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { startMetricsServer } from '../exporters/metrics-server.ts'
import { eventually } from './child.ts'
import { createContainers, noContainers } from './containers.ts'
import { ready, STACK_TRACE } from './program.ts'
import { receivedSeries } from './received-series.ts'
import { createConfigFile, reload, said } from './reloading.ts'

const PORT = '8080'
const RELEASED = 'Released pages of program files'

/** Bytes of program files that a process has resident; not the ring, which is a mapping of a file too. */
function residentFiles(pid: number): number {
  const entries = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  const ofFiles = entries.filter((entry) => /^\S+ r-[x-]p .* \//.test(entry))
  return ofFiles.reduce((sum, entry) => sum + Number(/^Rss:\s+(\d+) kB/m.exec(entry)![1]) * 1024, 0)
}

describe('netvitals some time after a start and after a reload', { skip: noContainers() ?? false }, () => {
  it('lets go of what only that had needed, and counts every connection as before', async () => {
    using file = createConfigFile()
    const backend = await startMetricsServer()
    try {
      await using containers = createContainers()
      const { client, server } = containers
      const config = (interval: string) => ({
        receivers: { netvitals: { collection_interval: interval } },
        exporters: { otlp_grpc: { endpoint: backend.endpoint, tls: { insecure: true } } },
        service: {
          telemetry: { logs: { level: 'debug' } },
          pipelines: { metrics: { receivers: ['netvitals'], exporters: ['otlp_grpc'] } },
        },
      })
      file.write(config('1s'))
      await using program = file.start()
      await ready(program)
      const before = { client: client.counters(), server: server.counters() }
      await server.start('serve', PORT).output(/listening/)
      let connections = 0
      const connect = async (count: number) => {
        await client.start('connect', server.address, PORT, String(count), '1000', '0').output(/done/, 60_000)
        connections += count
      }
      const series = () => receivedSeries(backend.requests.map(({ bytes }) => bytes))
      const sum = (name: string, container: string) =>
        series().sum(`container.net.tcp.${name}`, { 'container.id': container })
      /** In the midst of connections, until it is said. */
      const released = async (times: number) => {
        const deadline = performance.now() + 60_000
        while (said(program, RELEASED) < times && performance.now() < deadline) await connect(50)
        assert.equal(said(program, RELEASED), times, program.stderr())
      }
      const counted = async () => {
        const requests = backend.requests.length
        await connect(100)
        await eventually('both ends of every connection, and more cycles', () =>
          sum('successful_connects', client.id) >= connections &&
          sum('successful_connects', server.id) >= connections &&
          sum('bytes_received', client.id) >= connections * 1000 &&
          backend.requests.length > requests + 2
            ? true
            : undefined,
        ).catch(() => {})
        const since = (which: 'client' | 'server', name: string) =>
          containers[which].counters()[name]! - before[which][name]!
        assert.equal(connections, since('client', 'ActiveOpens'))
        assert.equal(sum('successful_connects', client.id), connections)
        assert.equal(sum('successful_connects', server.id), since('server', 'PassiveOpens'))
        for (const container of [client.id, server.id]) {
          assert.equal(sum('bytes_sent', container), connections * 1000)
          assert.equal(sum('bytes_received', container), connections * 1000)
        }
        assert.ok(backend.requests.length > requests + 2, 'cycles go on')
      }

      const full = residentFiles(program.pid)
      await released(1)
      await counted()
      const least = residentFiles(program.pid)
      assert.ok(least < full * 0.8, `${full} bytes of program files before, ${least} after`)

      file.write(config('1100ms'))
      await reload(program)
      await released(2)
      await counted()
      assert.ok(residentFiles(program.pid) < full * 0.8, `${residentFiles(program.pid)}`)

      assert.equal((await program.stop()).code, 0)
      assert.deepEqual(series().overlaps(), [])
      assert.doesNotMatch(program.stderr(), STACK_TRACE)
      assert.doesNotMatch(program.stderr(), /\t(error|fatal)\t/)
    } finally {
      backend.stop()
    }
  })
})
