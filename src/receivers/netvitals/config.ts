import type { z } from 'zod'
import { boolean, duration, integer, invalid, object, oneOf, size } from '../../config/fields.ts'
import { containersConfig } from './containers/config.ts'
import { destinationsConfig } from './destinations/config.ts'
import { kubernetesConfig } from './kubernetes/config.ts'
import { metrics, resourceAttributes } from './metrics/metrics.gen.ts'
import { latencyConfig, probesConfig } from './probes/config.ts'

const KIB = 1024
const GIB = 1024 * 1024 * KIB

const ringSize = size({ min: 64 * KIB, max: GIB }).superRefine((bytes, ctx) => {
  if ((bytes & (bytes - 1)) === 0) return
  const below = 2 ** Math.floor(Math.log2(bytes))
  const [lower, upper] = [below, below * 2].map((each) =>
    each >= KIB * KIB ? `${each / KIB / KIB}MiB` : `${each / KIB}KiB`,
  )
  ctx.addIssue(invalid(`must be a power of two, got ${bytes}`, { remedy: `write ${lower} or ${upper}` }))
})

const kernel = object({
  ring_size: ringSize
    .prefault('8MiB')
    .describe('Bytes of the ring buffer between kernel and program, a power of two; kernel memory, once a host.'),
  max_sockets: integer({ min: 1, max: 16 * 1024 * 1024 })
    .prefault(262_144)
    .describe(
      'Most live sockets tracked; beyond it new ones are counted as untracked. 16 bytes of kernel memory each, 200 more for each live one.',
    ),
})

const limits = object({
  max_series: integer({ min: 100 })
    .prefault(200_000)
    .describe('Most series in all; beyond it the least recently active go.'),
  max_destinations_per_container: integer({ min: 1 })
    .prefault(1_000)
    .describe('Most destinations and listening addresses of one container with series of their own.'),
  series_ttl: duration({ min: 1_000 }).prefault('10m').describe('How long a link may idle before its series end.'),
  container_linger: duration({ min: 0 })
    .prefault('5m')
    .describe("How long a gone container's series may wait for its successor."),
})

type Switches<T extends readonly { name: string }[]> = { [K in T[number]['name']]: { enabled: boolean } }

/** `{<name>: {enabled: …}}`, each with its default. */
function switches<const T extends readonly { name: string; enabled: boolean; description: string }[]>(items: T) {
  const shape = Object.fromEntries(
    items.map(({ name, enabled, description }) => [
      name,
      object({ enabled: boolean().prefault(enabled).describe('Whether it is sent.') })
        .prefault({})
        .describe(description),
    ]),
  )
  return object(shape) as unknown as z.ZodType<Switches<T>, Partial<Switches<T>>>
}

export const config = object({
  collection_interval: duration({ min: 1_000 }).prefault('10s').describe('Time between two cycles.'),
  naming: oneOf(['otel', 'coroot'])
    .prefault('otel')
    .describe(
      "Names of metrics and attributes: OpenTelemetry's, or those that dashboards for Coroot's node agent query.",
    ),
  client_address: boolean()
    .prefault(false)
    .describe('Adds client.address to what a container accepts: one more link for each peer address.'),
  kernel: kernel.prefault({}).describe('The eBPF side. Changing it attaches the programs anew.'),
  containers: containersConfig.prefault({}).describe('How sockets are given to containers.'),
  kubernetes: kubernetesConfig.prefault({}).describe('How pods, their workloads and Services get their names.'),
  destinations: destinationsConfig.prefault({}).describe('How destinations are named.'),
  probes: probesConfig
    .prefault({})
    .describe("Echo requests from each container's network namespace to the addresses it talks to."),
  latency: latencyConfig.prefault({}).describe('How container.net.latency tells that there was no answer.'),
  limits: limits.prefault({}).describe('Bounds on memory and series.'),
  metrics: switches(metrics).prefault({}).describe('Metrics to send or leave out.'),
  resource_attributes: switches(resourceAttributes).prefault({}).describe('Resource attributes to send or leave out.'),
})

export type Config = z.output<typeof config>
