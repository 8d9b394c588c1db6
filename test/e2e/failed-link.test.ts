import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { agentUnavailable } from '../kernel/agent.ts'
import { type Container, createLab, type Lab, labUnavailable, type Namespace } from '../kernel/lab.ts'
import { startProgram as startWorkload } from '../kernel/programs.ts'
import { type Child, eventually } from './child.ts'
import { buildCollector, type Collector, startCollector } from './collector.ts'
import { inline, ROOT, ready, startProgram } from './program.ts'
import { type Backend, startPrometheus } from './prometheus.ts'
import { buildPrometheus } from './prometheus-build.ts'
import { parsePage } from './prometheus-text.ts'

const collectorBuilt = await buildCollector()
const prometheusBuilt = await buildPrometheus()
const skip = labUnavailable() ?? agentUnavailable() ?? collectorBuilt.skip ?? false
const PORT = 8080
const LATENCY = 'container_net_latency_seconds'
/** The Collector's resource_to_telemetry_conversion. */
const CONVERSIONS = ['on', 'off'] as const

type Conversion = (typeof CONVERSIONS)[number]
type Labels = Readonly<Record<string, string>>

/** A container and all that it has connections to. */
interface Front {
  readonly namespace: Namespace
  readonly container: Container
}

/**
 * Two front ends, as Docker and as a kubelet would make their cgroups, each with connections to a catalog and to
 * another service, over IPv4 and IPv6; netvitals beside them, which sends to a Collector of each kind.
 */
interface Scene extends AsyncDisposable {
  readonly fronts: readonly Front[]
  readonly catalog: Namespace
  readonly other: Namespace
  readonly collectors: Readonly<Record<Conversion, Collector>>
  readonly program: Child
}

async function createScene(naming: string): Promise<Scene> {
  await using stack = new AsyncDisposableStack()
  const lab = stack.adopt(createLab({ namespaces: 4 }), (each) => each.close())
  const [docker, kubepods, catalog, other] = lab.namespaces as [Namespace, Namespace, Namespace, Namespace]
  const fronts = [
    { namespace: docker, container: lab.container('docker') },
    { namespace: kubepods, container: lab.container('kubepods') },
  ]
  for (const server of [catalog, other]) await serve(lab, server)
  for (const front of fronts) for (const server of [catalog, other]) await keepConnected(lab, front, server)
  const collectors = {
    on: stack.use(await startCollector({ binary: collectorBuilt.path!, resourceToTelemetry: true })),
    off: stack.use(await startCollector({ binary: collectorBuilt.path!, resourceToTelemetry: false })),
  }
  const program = stack.use(startProgram(['--config', configuration(naming, collectors)]))
  await ready(program)
  const all = stack.move()
  return { fronts, catalog, other, collectors, program, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

async function serve(lab: Lab, namespace: Namespace): Promise<void> {
  const server = startWorkload(lab, namespace, lab.container('docker'), 'serve')
  for (const family of [4, 6]) await server.listen(`port=${PORT} family=${family}`)
}

async function keepConnected(lab: Lab, { namespace, container }: Front, to: Namespace): Promise<void> {
  const client = startWorkload(lab, namespace, container, 'drive')
  for (const destination of [`${to.ipv4}:${PORT}`, `[${to.ipv6}]:${PORT}`])
    await client.command(`connect to=${destination} n=2 end=more`)
}

function configuration(naming: string, collectors: Scene['collectors']): string {
  const exporters = Object.fromEntries(
    CONVERSIONS.map((each) => [
      `otlp_grpc/${each}`,
      { endpoint: collectors[each].endpoint, tls: { insecure: true }, sending_queue: { num_consumers: 1 } },
    ]),
  )
  return inline({
    receivers: {
      netvitals: {
        naming,
        collection_interval: '1s',
        probes: { interval: '1s', timeout: '500ms' },
        // Names are as the cgroups' paths tell, whatever runs on this host.
        containers: { runtimes: [] },
      },
    },
    exporters,
    service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: Object.keys(exporters) } } },
  })
}

/** Drops what the front end sends where it arrives, so that its kernel really sends it. */
function cut({ namespace }: Front, catalog: Namespace): void {
  catalog.filter({ input: [`ip saddr ${namespace.ipv4} drop`, `ip6 saddr ${namespace.ipv6} drop`] })
}

/** `container_id` as `naming: coroot` writes it. */
function corootId({ cgroup, id }: Container): string {
  return cgroup.startsWith('/docker/') ? cgroup : `/k8s/${basename(dirname(cgroup)).slice('pod'.length)}/${id}`
}

/** How a person asks for a link of a container to an address. */
const LINKS: Readonly<Record<string, (container: Container, address: string) => Labels>> = {
  coroot: (container, address) => ({ container_id: corootId(container), destination_ip: address }),
  otel: ({ id }, address) => ({ container_id: id, destination_address: address }),
}

function selector(metric: string, labels: Labels): string {
  const matchers = Object.entries(labels).map(([name, value]) => `${name}="${value}"`)
  return `${metric}{${matchers.join(', ')}}`
}

/** Value of each front end's links, by `<index of the front end> <address>`. */
type Values = Readonly<Record<string, readonly number[]>>

/** @param ask the values of all series that a link's labels select */
async function valuesOf(
  { fronts, catalog, other }: Scene,
  ask: (container: Container, address: string) => Promise<readonly number[]>,
): Promise<Values> {
  const values: Record<string, readonly number[]> = {}
  for (const [index, { container }] of fronts.entries())
    for (const { ipv4, ipv6 } of [catalog, other])
      for (const address of [ipv4, ipv6]) values[`${index} ${address}`] = await ask(container, address)
  return values
}

/** Waits until each link has so many series, those to the addresses that are cut off NaN and all others a number. */
async function shows(what: string, ask: () => Promise<Values>, series: number, lost: ReadonlySet<string>) {
  let last: Values = {}
  const right = (link: string, values: readonly number[]) =>
    values.length === series && values.every((value) => (lost.has(link) ? Number.isNaN(value) : value > 0))
  try {
    await eventually(what, async () => {
      last = await ask()
      return Object.entries(last).every(([link, values]) => right(link, values)) || undefined
    })
  } catch (error) {
    const wrong = Object.entries(last).filter(([link, values]) => !right(link, values))
    throw new Error(`${what}: ${JSON.stringify(wrong.map(([link, values]) => [link, values.map(String)]))}`, {
      cause: error,
    })
  }
}

/** A number on every link; NaN on those of one front end to the catalog while they are cut, and on no other; a number again. */
async function showsFailedLink(
  { fronts, catalog }: Scene,
  front: Front,
  ask: () => Promise<Values>,
  series: number,
  meanwhile = async () => {},
): Promise<void> {
  const index = fronts.indexOf(front)
  const lost = new Set([`${index} ${catalog.ipv4}`, `${index} ${catalog.ipv6}`])
  await shows('a number on every link', ask, series, new Set())
  cut(front, catalog)
  try {
    await shows('NaN on the links that are cut, and on no other', ask, series, lost)
    await meanwhile()
  } finally {
    catalog.filter({})
  }
  await shows('a number on every link again', ask, series, new Set())
}

/** The loss ratio that the documentation gives, over a shorter time. */
async function lossRatio(window: string): Promise<string> {
  const readme = await readFile(join(ROOT, 'src', 'receivers', 'netvitals', 'README.md'), 'utf8')
  const [, expression] = readme.match(/^ *`(1 - sum .*container_net_probes_total.*)`$/m) ?? []
  assert.ok(expression, 'the loss ratio in the README')
  return expression.replaceAll('[5m]', `[${window}]`)
}

for (const naming of ['coroot', 'otel'])
  describe(`a failed link, naming: ${naming}`, { skip, concurrency: false }, () => {
    const link = LINKS[naming]!
    // Without the conversion OpenTelemetry's identity of a container is in target_info alone.
    const conversions = naming === 'otel' ? (['on'] as const) : CONVERSIONS
    let scene: Scene
    before(async () => {
      scene = await createScene(naming)
    })
    after(async () => {
      await scene?.[Symbol.asyncDispose]()
    })

    /** At the Collector's Prometheus exporter. */
    async function atCollector(conversion: Conversion): Promise<Values> {
      const samples = parsePage(await scene.collectors[conversion].metricsPage())
      return valuesOf(scene, async (container, address) => {
        const wanted = Object.entries(link(container, address))
        return samples
          .filter(({ name, labels }) => name === LATENCY && wanted.every(([key, value]) => labels[key] === value))
          .map(({ value }) => value)
      })
    }

    for (const [index, layout] of ['Docker', 'Kubernetes'].entries())
      for (const conversion of conversions)
        it(`of a container of ${layout} is found at a Collector, resource_to_telemetry_conversion ${conversion}`, {
          timeout: 120_000,
        }, async () => {
          await showsFailedLink(scene, scene.fronts[index]!, () => atCollector(conversion), 1)
        })

    it('is found in a Prometheus that scrapes the Collectors, by latency and by loss', {
      skip: prometheusBuilt.skip ?? false,
      timeout: 240_000,
    }, async () => {
      const { fronts, catalog, collectors } = scene
      await using prometheus = await startPrometheus(prometheusBuilt.path!, {
        scrape: CONVERSIONS.map((conversion) => ({
          address: `127.0.0.1:${collectors[conversion].ports.prometheus}`,
          labels: { conversion },
        })),
      })
      const inPrometheus = () =>
        valuesOf(scene, (container, address) => evaluate(prometheus, selector(LATENCY, link(container, address))))
      const joined = () =>
        valuesOf(scene, ({ id }, address) => {
          const latency = selector(LATENCY, { conversion: 'off', destination_address: address })
          const info = selector('target_info', { conversion: 'off', container_id: id })
          return evaluate(prometheus, `${latency} * on (job, instance) group_left () ${info}`)
        })
      const front = fronts[0]!
      await showsFailedLink(scene, front, inPrometheus, conversions.length, async () => {
        if (naming === 'otel')
          await shows('the same by target_info', joined, 1, new Set([`0 ${catalog.ipv4}`, `0 ${catalog.ipv6}`]))
        await losesWhatIsCut(prometheus, front)
      })
    })

    async function losesWhatIsCut(prometheus: Backend, front: Front): Promise<void> {
      const expression = await lossRatio('8s')
      const lost = new Set(
        [scene.catalog.ipv4, scene.catalog.ipv6].map((address) => `${scene.fronts.indexOf(front)} ${address}`),
      )
      await eventually(
        'the loss is 1 on the links that are cut, and 0 on all others',
        async () => {
          const series = await prometheus.evaluate(expression)
          const ratios = await valuesOf(scene, async (container, address) => {
            const wanted = Object.entries(link(container, address))
            return series
              .filter(({ labels }) => wanted.every(([key, value]) => labels[key] === value))
              .map(({ value }) => value)
          })
          return (
            Object.entries(ratios).every(([of, values]) => {
              const expected = lost.has(of) ? 1 : 0
              return values.length === conversions.length && values.every((value) => Math.abs(value - expected) < 0.01)
            }) || undefined
          )
        },
        60_000,
      )
    }
  })

async function evaluate(prometheus: Backend, expression: string): Promise<number[]> {
  return (await prometheus.evaluate(expression)).map(({ value }) => value)
}
