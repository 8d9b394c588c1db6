import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { metrics, scopeName } from '../../src/receivers/netvitals/metrics/metrics.gen.ts'
import { type Child, eventually } from './child.ts'
import { buildCollector, freePorts, startCollector } from './collector.ts'
import { createContainers, noContainers, type TestContainers } from './containers.ts'
import { inline, ROOT, ready, STACK_TRACE, startProgram } from './program.ts'
import { firstData, latest, total } from './received.ts'

const built = await buildCollector()
const binary = built.path ?? ''
const noHost = noContainers()
const CONFIG = ['--config', join(ROOT, 'otel-config', 'netvitals.yaml')]
const EVERY = (interval: string) => ['--config', `yaml:receivers::netvitals::collection_interval: ${interval}`]
const PORT = '8080'
const CONNECTS = 'container.net.tcp.successful_connects'

/** Of what the program does and how it is, in its receiver, its exporter and the process. */
const OWN_METRICS = [
  'netvitals.events.read',
  'netvitals.events.lost',
  'netvitals.sockets.tracked',
  'netvitals.series',
  'netvitals.series.overflowed',
  'netvitals.batch.latency',
  'netvitals.probe.sent',
  'netvitals.probe.unexpected',
  'netvitals.probe.clock_steps',
  'netvitals.probe.interval',
  'netvitals.probe.targets',
  'netvitals.probe.targets.skipped',
  'netvitals.translation.connections',
  'netvitals.translation.held',
  'netvitals.container.identity',
  'otelcol_exporter_sent_metric_points',
  'otelcol_process_memory_rss',
  'otelcol_process_cpu_seconds',
]

function assertQuiet(program: Child): void {
  assert.doesNotMatch(program.stdout() + program.stderr(), STACK_TRACE)
  assert.doesNotMatch(program.stderr(), /\t(error|fatal)\t/)
}

/** `count` connections of `bytes` each way and `held` that stay, from the client to the server. */
async function traffic({ client, server }: TestContainers, count: number, bytes: number, held = 0): Promise<void> {
  await server.start('serve', PORT).output(/listening/)
  await client.start('connect', server.address, PORT, String(count), String(bytes), String(held)).output(/done/)
}

describe('netvitals without a configuration', { skip: noHost ?? false }, () => {
  it('shows within seconds who talks to whom, and ends on SIGINT', async () => {
    await using containers = createContainers()
    await using program = startProgram([])
    await traffic(containers, 30, 1000, 2)
    const { client, server } = containers
    await program.output(new RegExp(`${client.id.slice(0, 12)}.*${server.address}.*${PORT}`), 15_000)
    program.signal('SIGINT')
    const { code } = await program.exit
    assert.equal(code, 0)
    assertQuiet(program)
  })
})

describe('netvitals and a real Collector', { skip: noHost ?? built.skip ?? false }, () => {
  it('delivers what the kernel and both ends counted, one resource a container', async () => {
    await using collector = await startCollector({ binary })
    await using containers = createContainers()
    const { client, server } = containers
    await using program = startProgram([...CONFIG, ...EVERY('1s')], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
    })
    await firstData(program, collector)
    const before = { client: client.counters(), server: server.counters() }
    await traffic(containers, 400, 3000, 5)
    await client.start('refused', server.address, '9', '20').exit

    const atClient = { 'container.id': client.id }
    const atServer = { 'container.id': server.id }
    const points = await eventually('both ends of all connections', async () => {
      const found = await latest(collector)
      const ends = [total(found, CONNECTS, atClient), total(found, CONNECTS, atServer)]
      const bytes = total(found, 'container.net.tcp.bytes_received', atClient)
      const failed = total(found, 'container.net.tcp.failed_connects', atClient)
      return ends.every((n) => n >= 405) && bytes >= 1_200_000 && failed >= 20 ? found : undefined
    })
    const since = (which: 'client' | 'server', name: string) =>
      containers[which].counters()[name]! - before[which][name]!
    const count = (name: string, having: Record<string, unknown>) => total(points, `container.net.tcp.${name}`, having)

    assert.equal(count('successful_connects', { ...atClient, direction: 'outbound' }), 405)
    assert.equal(count('successful_connects', { ...atClient, direction: 'inbound' }), 0)
    assert.equal(count('failed_connects', { ...atClient, 'error.type': 'refused' }), 20)
    assert.equal(since('client', 'ActiveOpens'), 425)
    assert.equal(count('successful_connects', atServer), since('server', 'PassiveOpens'))
    assert.equal(count('active_connections', atClient), since('client', 'CurrEstab'))
    assert.equal(count('active_connections', atServer), since('server', 'CurrEstab'))
    assert.equal(count('bytes_sent', atClient), 400 * 3000)
    assert.equal(count('bytes_received', atServer), 400 * 3000)
    assert.equal(count('bytes_received', atClient), 400 * 3000)
    assert.equal(count('bytes_sent', atServer), 400 * 3000)
    assert.equal(count('retransmits', atClient), since('client', 'RetransSegs'))
    assert.equal(count('retransmits', atServer), since('server', 'RetransSegs'))
    assert.equal(count('broken_connections', atClient) + count('broken_connections', atServer), 0)
    assertQuiet(program)
  })

  it('sends every metric as metadata.yaml describes it, each series with one start before its points', async () => {
    await using collector = await startCollector({ binary })
    await using containers = createContainers()
    await using program = startProgram([...CONFIG, ...EVERY('1s')], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
    })
    await firstData(program, collector)
    await traffic(containers, 10, 100, 1)
    const points = await eventually('a held connection of both ends', async () => {
      const found = await latest(collector)
      return total(found, 'container.net.tcp.active_connections') >= 2 ? found : undefined
    })
    const ours = points.filter(({ scope }) => scope === scopeName)
    assert.ok(ours.some(({ name }) => name === 'netvitals.build.info'))
    for (const point of ours) {
      const described = metrics.find(({ name }) => name === point.name)
      assert.ok(described, `not in metadata.yaml: ${point.name}`)
      const { description, unit, type, monotonic, valueType } = described
      assert.deepEqual(
        { description: point.description, unit: point.unit, type: point.kind, monotonic: point.monotonic },
        { description, unit, type, monotonic },
        point.name,
      )
      assert.equal(point.type, valueType, point.name)
      assert.equal(point.temporality, type === 'sum' ? 2 : 0, point.name)
      assert.ok(point.resource['service.name'] && point.resource['service.instance.id'], point.name)
      if (type === 'sum') {
        assert.ok(BigInt(point.startTimeUnixNano) > 0n, point.name)
        assert.ok(BigInt(point.startTimeUnixNano) <= BigInt(point.timeUnixNano), point.name)
      }
    }
    const { code } = await program.stop()
    assert.equal(code, 0)
  })

  it('flushes on SIGTERM what no interval has sent yet, and exits 0 within 5 s', async () => {
    await using collector = await startCollector({ binary })
    await using containers = createContainers()
    await using program = startProgram([...CONFIG, ...EVERY('1h')], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
    })
    await ready(program)
    await traffic(containers, 40, 500)
    const stopping = Date.now()
    program.signal('SIGTERM')
    const { code, atMs } = await program.exit
    assert.equal(code, 0)
    assert.ok(atMs - stopping < 5_000, `${atMs - stopping} ms`)
    await collector.stop()
    const points = await latest(collector)
    assert.equal(total(points, CONNECTS, { 'container.id': containers.client.id }), 40)
    assertQuiet(program)
  })

  it('runs on without its Collector, and delivers when that comes up', async () => {
    const ports = await freePorts()
    const endpoint = `127.0.0.1:${ports.otlp}`
    await using containers = createContainers()
    await using program = startProgram([...CONFIG, ...EVERY('1s')], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
    })
    // It says where it cannot send to, and goes on.
    await program.output(
      new RegExp(`otlp_grpc[\\s\\S]*${endpoint.replaceAll('.', '\\.')}|${endpoint}[\\s\\S]*otlp_grpc`),
    )
    await traffic(containers, 40, 500)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    assert.ok(program.running())
    const complaints = program.stderr().match(/ECONNREFUSED/g)?.length ?? 0
    assert.ok(complaints < 10, `${complaints} complaints in two seconds: one a change of state is enough`)

    await using collector = await startCollector({ binary, ports })
    await eventually(
      'the connects from before the Collector',
      async () =>
        total(await latest(collector), CONNECTS, { 'container.id': containers.client.id }) === 40 || undefined,
      40_000,
    )
    assert.equal((await program.stop()).code, 0)
    assert.doesNotMatch(program.stderr(), STACK_TRACE)
  })

  it('sends its own metrics where service.telemetry.metrics says', async () => {
    await using collector = await startCollector({ binary })
    const exporter = { otlp: { protocol: 'grpc', endpoint: `http://${collector.endpoint}` } }
    const telemetry = { metrics: { readers: [{ periodic: { interval: 500, exporter } }] } }
    const receivers = { netvitals: { probes: { interval: '1s', timeout: '500ms' } } }
    await using containers = createContainers()
    await using program = startProgram(
      [...CONFIG, ...EVERY('1s'), '--config', inline({ receivers, service: { telemetry } })],
      {
        env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
      },
    )
    await ready(program)
    await traffic(containers, 10, 100, 1)
    const points = await eventually('points and probes that it counted as sent', async () => {
      const found = await latest(collector)
      const sent = total(found, 'otelcol_exporter_sent_metric_points', { exporter: 'otlp_grpc' })
      return sent > 0 && total(found, 'netvitals.probe.sent') > 0 ? found : undefined
    })
    const own = points.filter(({ scope }) => scope !== scopeName)
    const names = new Set(own.map(({ name }) => name))
    assert.deepEqual(
      OWN_METRICS.filter((name) => !names.has(name)),
      [],
    )
    assert.deepEqual(new Set(own.map(({ resource }) => resource['service.name'])), new Set(['netvitals']))
    assert.equal((await program.stop()).code, 0)
    assertQuiet(program)
  })
})

describe('netvitals and a Collector that takes connections but never answers', { skip: noHost ?? false }, () => {
  async function silent() {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => socket.destroy()).resume())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return {
      endpoint: `127.0.0.1:${(server.address() as { port: number }).port}`,
      connected: () => eventually('a connection', () => sockets.size > 0 || undefined),
      [Symbol.dispose]: () => {
        server.close()
        for (const socket of sockets) socket.destroy()
      },
    }
  }

  it('still exits 0 within 5 s of SIGTERM', async () => {
    using backend = await silent()
    await using program = startProgram([...CONFIG, ...EVERY('1s')], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: backend.endpoint },
    })
    await ready(program)
    await backend.connected()
    const stopping = Date.now()
    program.signal('SIGTERM')
    const { code, atMs } = await program.exit
    assert.equal(code, 0)
    assert.ok(atMs - stopping < 5_500, `${atMs - stopping} ms`)
    assert.doesNotMatch(program.stderr(), STACK_TRACE)
  })

  it('exits at once on a second signal', async () => {
    using backend = await silent()
    await using program = startProgram([...CONFIG, ...EVERY('1s')], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: backend.endpoint },
    })
    await ready(program)
    await backend.connected()
    program.signal('SIGTERM')
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.ok(program.running(), 'it had nothing to flush: this test shows nothing')
    const second = Date.now()
    program.signal('SIGTERM')
    const { atMs } = await program.exit
    assert.ok(atMs - second < 500, `${atMs - second} ms`)
    assert.doesNotMatch(program.stderr(), STACK_TRACE)
  })
})
