import { agentUnavailable } from '../kernel/agent.ts'
import { type Container, createLab, type Lab, labUnavailable, type Namespace } from '../kernel/lab.ts'
import { startProgram as startWorkload } from '../kernel/programs.ts'
import { buildCollector, type Collector, startCollector } from './collector.ts'
import { inline, ready, startProgram } from './program.ts'

const built = await buildCollector()
const PORT = 8080

/** The Collector's resource_to_telemetry_conversion. */
export const CONVERSIONS = ['on', 'off'] as const
export type Conversion = (typeof CONVERSIONS)[number]

/** Why there can be no scene here, if so. */
export const noScene = labUnavailable() ?? agentUnavailable() ?? built.skip

/** A container and all that it has connections to. */
export interface Front {
  readonly namespace: Namespace
  readonly container: Container
}

/**
 * Two front ends, as Docker and as a kubelet would make their cgroups, each with connections to a catalog and to
 * another service, over IPv4 and IPv6; netvitals beside them, which sends to a Collector of each kind.
 */
export interface Scene extends AsyncDisposable {
  readonly fronts: readonly Front[]
  readonly catalog: Namespace
  readonly other: Namespace
  readonly collectors: Readonly<Record<Conversion, Collector>>
}

export async function createScene(naming: string): Promise<Scene> {
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
    on: stack.use(await startCollector({ binary: built.path!, resourceToTelemetry: true })),
    off: stack.use(await startCollector({ binary: built.path!, resourceToTelemetry: false })),
  }
  const program = stack.use(startProgram(['--config', configuration(naming, collectors)]))
  await ready(program)
  const all = stack.move()
  return { fronts, catalog, other, collectors, [Symbol.asyncDispose]: () => all.disposeAsync() }
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
    CONVERSIONS.map((each) => [`otlp_grpc/${each}`, { endpoint: collectors[each].endpoint, tls: { insecure: true } }]),
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

/** Drops what the front end sends to the catalog where it arrives, so that its kernel really sends it. */
export function cut({ catalog }: Scene, { namespace }: Front): void {
  catalog.filter({ input: [`ip saddr ${namespace.ipv4} drop`, `ip6 saddr ${namespace.ipv6} drop`] })
}

export function mend({ catalog }: Scene): void {
  catalog.filter({})
}

/** The links that `cut` cuts. */
export function cutLinks({ fronts, catalog }: Scene, front: Front): ReadonlySet<string> {
  return new Set([catalog.ipv4, catalog.ipv6].map((address) => `${fronts.indexOf(front)} ${address}`))
}

/** Values of the series of each front end's links, by `<index of the front end> <address>`. */
export type Values = Readonly<Record<string, readonly number[]>>

/** @param ask the values of all series that a link's labels select */
export async function valuesOf(
  { fronts, catalog, other }: Scene,
  ask: (container: Container, address: string) => Promise<readonly number[]>,
): Promise<Values> {
  const values: Record<string, readonly number[]> = {}
  for (const [index, { container }] of fronts.entries())
    for (const { ipv4, ipv6 } of [catalog, other])
      for (const address of [ipv4, ipv6]) values[`${index} ${address}`] = await ask(container, address)
  return values
}
