/**
 * What it costs to ask who answers: connections to ever new destinations behind DNAT in a node's namespace, with
 * translation and without it.
 */
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { receivedSeries } from '../e2e/received-series.ts'
import { type MetricsServer, startMetricsServer } from '../exporters/metrics-server.ts'
import { createLab, type Namespace } from '../kernel/lab.ts'
import { buildProgram } from './build.ts'
import { cpuSeconds, startHelper, startNetvitals } from './processes.ts'
import { atMost, type BenchRow, information, median } from './row.ts'

const ROUNDS = 3
const RATE = 1_000
const COUNT = 10 * RATE
const WARM_UP = 3 * RATE
const PORT = 8_080
const OF_ONE_CORE = 5
/** Long enough for the last answers to be there. */
const SETTLE_MS = 500
const TELEMETRY_MS = 1_000

type Dial = (first: string, count: number) => Promise<{ readonly wallSeconds: number }>

export async function bench(): Promise<BenchRow[]> {
  const lab = createLab({ namespaces: 3 })
  const [client, node, server] = lab.namespaces as [Namespace, Namespace, Namespace]
  const backend = await startMetricsServer()
  const serve = await startHelper(['nsenter', `--net=${server.path}`, buildProgram('dials'), 'serve', String(PORT)])
  const container = lab.container('docker')
  const dial: Dial = async (first, count) => {
    const argv = [buildProgram('dials'), first, String(PORT), String(count), String(1e6 / RATE)]
    const child = lab.spawn(client, container, argv)
    const [output, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit')])
    if (code !== 0) throw new Error(`dials ended with ${code}`)
    return JSON.parse(output)
  }
  try {
    translate(client, node, server)
    const on: number[] = []
    const off: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      // Of each a network of its own: the kernel still knows the connections of the last.
      off.push(await share(dial, `10.${96 + 2 * round}`, backend, node, false))
      on.push(await share(dial, `10.${97 + 2 * round}`, backend, node, true))
    }
    return [
      information(`translation: CPU at ${RATE} new destinations/s without it, of one core`, median(off) * 100, '%'),
      information('translation:   with it', median(on) * 100, '%'),
      atMost('translation: what it adds', (median(on) - median(off)) * 100, '%', OF_ONE_CORE),
    ]
  } finally {
    await serve.stop()
    backend.stop()
    await lab.close()
  }
}

/** As a node does for Services: it forwards, and its own connection tracking knows who answers. */
function translate(client: Namespace, node: Namespace, server: Namespace): void {
  client.run(['ip', 'route', 'add', '10.96.0.0/12', 'via', node.ipv4])
  node.sysctl('net.ipv4.ip_forward', 1)
  for (const device of ['all', 'eth0']) node.sysctl(`net.ipv4.conf.${device}.send_redirects`, 0)
  node.run(
    ['nft', '-f', '-'],
    `table ip services {
      chain nat { type nat hook prerouting priority -100
        ip daddr 10.96.0.0/12 tcp dport ${PORT} dnat to ${server.ipv4}
      }
      chain back { type nat hook postrouting priority 100
        masquerade
      }
    }`,
  )
}

/** Of one core, all threads of the program. */
async function share(
  dial: Dial,
  network: string,
  backend: MetricsServer,
  node: Namespace,
  enabled: boolean,
): Promise<number> {
  const from = backend.requests.length
  const netvitals = await startNetvitals(configuration(backend.endpoint, node, enabled))
  try {
    await dial(`${network}.128.0`, WARM_UP)
    const before = cpuSeconds(netvitals.pid)
    const { wallSeconds } = await dial(`${network}.0.0`, COUNT)
    await sleep(SETTLE_MS)
    const spent = cpuSeconds(netvitals.pid) - before
    if (wallSeconds > (1.2 * COUNT) / RATE) throw new Error(`the churn took ${wallSeconds} s: this machine is too busy`)
    await sleep(2 * TELEMETRY_MS)
    check(backend, from, enabled)
    return spent / wallSeconds
  } finally {
    await netvitals.stop()
  }
}

const configuration = (endpoint: string, node: Namespace, enabled: boolean) =>
  JSON.stringify({
    receivers: {
      netvitals: {
        destinations: { translation: { enabled, node_namespaces: [node.path] } },
        // Translation changes what is pinged.
        probes: { enabled: false },
      },
    },
    exporters: { console: {} },
    service: {
      pipelines: { metrics: { receivers: ['netvitals'], exporters: ['console'] } },
      telemetry: {
        metrics: {
          readers: [
            {
              periodic: {
                interval: `${TELEMETRY_MS}ms`,
                exporter: { otlp: { protocol: 'grpc', endpoint: `http://${endpoint}` } },
              },
            },
          ],
        },
      },
    },
  })

/** Lookups that were not made would be cheap. */
function check(backend: MetricsServer, from: number, enabled: boolean): void {
  const series = receivedSeries(backend.requests.slice(from).map(({ bytes }) => bytes))
  const outcomes = ['translated', 'same', 'untracked', 'error', 'limited'].map(
    (outcome) => [outcome, series.latest('netvitals.translation.connections', { outcome })] as const,
  )
  const [[, translated]] = outcomes as [(typeof outcomes)[number]]
  // Whatever else this host dials is asked for too; on a busy one an answer may be given up.
  if (enabled ? translated < 0.99 * (COUNT + WARM_UP) : translated > 0)
    throw new Error(`of ${COUNT + WARM_UP} connections: ${outcomes.map((each) => each.join(' ')).join(', ')}`)
}

if (import.meta.main) console.table(await bench())
