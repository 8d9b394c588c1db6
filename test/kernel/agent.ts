import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { metrics } from '@opentelemetry/api'
import type { Batch, Host } from '../../src/component/types.ts'
import { createLogger } from '../../src/log.ts'
import type { Probes } from '../../src/receivers/netvitals/probes/index.ts'
import type { NetvitalsReceiver } from '../../src/receivers/netvitals/receiver.ts'

/** The receiver in this process, collecting when told. */
export interface Agent {
  /** One cycle now: walks the live sockets and returns what leaves the receiver. */
  collect(): Promise<Batch>
  /** Stops and resumes the reading of the ring. */
  pause(): void
  resume(): void
  /** Records that found the ring full, all kinds; of these the ends that are kept for the next walk; ends lost for good. */
  losses(): { readonly lost: number; readonly deferred: number; readonly endsLost: number }
  /** Addresses pinged, echo requests sent by inode of the namespace, and the rest that probes tell of themselves. */
  readonly probes: Probes | undefined
  /** What left the receiver last. */
  latest(): Batch
  readonly receiver: NetvitalsReceiver
  stop(): Promise<void>
}

export interface AgentOptions {
  readonly ringSize?: string
  /** `probes:` of the configuration; without it nothing is pinged. */
  readonly probes?: object
  /** `destinations:` of the configuration. */
  readonly destinations?: object
  /** `kubernetes:` of the configuration. */
  readonly kubernetes?: object
  /** `containers:` of the configuration. */
  readonly containers?: object
  /** `limits:` of the configuration. */
  readonly limits?: object
  /** `metrics:` of the configuration. */
  readonly metrics?: object
  /** One that this takes over from, as after a new configuration. */
  readonly replaces?: Agent
  /** What is down is for the test to judge, told here, and ends nothing. */
  readonly onDown?: (part: string, detail: string) => void
}

/** Why the receiver can't run here, or undefined. */
export function agentUnavailable(): string | undefined {
  const addon = process.env.NETVITALS_ADDON ?? join(import.meta.dirname, '../../build/netvitals.node')
  if (!existsSync(addon)) return 'needs the addon: npm run setup'
  if (process.getuid?.() !== 0) return 'needs root (eBPF)'
  return undefined
}

/** @throws Error when a part of the receiver is down: here everything it needs is there */
export async function startAgent({
  ringSize = '8MiB',
  probes = { enabled: false },
  destinations = {},
  kubernetes = {},
  containers = {},
  limits = {},
  metrics: switches = {},
  replaces,
  onDown,
}: AgentOptions = {}): Promise<Agent> {
  const { createReceiver } = await import('../../src/receivers/netvitals/receiver.ts')
  const { config } = await import('../../src/receivers/netvitals/config.ts')
  const down: string[] = []
  const host: Host = {
    fatal: (error) => down.push(error.message),
    report: (_component, part, status, detail) => {
      // A process of somebody else's whose namespace may not be entered is nothing to these tests.
      if (status !== 'down' || part === 'snapshot') return
      if (onDown) onDown(part, detail ?? '')
      else down.push(`${part}: ${detail}`)
    },
    extension: () => undefined,
  }
  let latest: Batch = []
  const receiver = createReceiver(
    {
      id: { type: 'netvitals', name: '', toString: () => 'netvitals' },
      log: createLogger({ level: 'error' }),
      meter: metrics.getMeter('test'),
      version: '0.0.0',
    },
    config.parse({
      ...{ collection_interval: '1h', kernel: { ring_size: ringSize } },
      ...{ probes, destinations, kubernetes, containers, limits, metrics: switches },
    }),
    {
      consume: async (batch) => {
        latest = batch
      },
    },
  )
  if (replaces === undefined) await receiver.start(host)
  else if (!(await receiver.takeOver!(host, replaces.receiver))) throw new Error('nothing to take over')
  if (down.length > 0) {
    await receiver.stop()
    throw new Error(down.join('; '))
  }
  const tracer = receiver.tracer!

  async function collect(): Promise<Batch> {
    await receiver.collect()
    if (down.length > 0) throw new Error(down.splice(0).join('; '))
    return latest
  }

  function losses() {
    const { lost, deferred, endsLost } = tracer.counters()
    return { lost: [...lost.values()].reduce((sum, n) => sum + n, 0), deferred, endsLost }
  }

  return {
    collect,
    pause: () => tracer.pause(),
    resume: () => tracer.resume(),
    losses,
    probes: receiver.probes,
    latest: () => latest,
    receiver,
    stop: () => receiver.stop(),
  }
}
