import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { ComponentEntry } from '../../src/component/components.ts'
import type {
  Batch,
  Consumer,
  ExporterFactory,
  ExtensionFactory,
  Factory,
  ProcessorFactory,
  Receiver,
  ReceiverFactory,
} from '../../src/component/types.ts'
import { any, boolean, duration, integer, object, string } from '../../src/config/fields.ts'
import type { Logger } from '../../src/log.ts'

/** Small components that run as any other does; what they did is in `journal`, in its order. */
export function createTestComponents() {
  const journal: string[] = []
  const received = new Map<string, Batch[]>()
  const receivers = new Map<string, { next: Consumer; log: Logger }>()
  /** By exporter: whoever read what it writes goes. */
  const readersGo = new Map<string, () => void>()

  interface ScriptConfig {
    start?: string | undefined
    deliver?: string | undefined
    /** Takes over from another that has this too. */
    heir?: number | undefined
  }
  const heirs = new WeakMap<Receiver, number>()
  const receiver: ReceiverFactory<ScriptConfig> = {
    kind: 'receiver',
    type: 'script',
    stability: 'development',
    description: 'Delivers one batch at the start.',
    config: object({ start: string().optional(), deliver: string().optional(), heir: integer().optional() }),
    create({ id, log }, config, next) {
      let stopped = false
      const self: Receiver = {
        async takeOver(_host, previous) {
          const before = heirs.get(previous)
          if (config.heir === undefined || before === undefined) return false
          journal.push(`script/${config.heir} takes over from script/${before}`)
          receivers.set(id.toString(), { next, log })
          return true
        },
        async start(host) {
          journal.push(`start ${id}`)
          if (config.start === 'throw') throw new Error('no device')
          if (config.start === 'fatal') setImmediate(() => host.fatal(new Error('device gone')))
          if (config.start === 'uncaught') setImmediate(() => JSON.parse('{'))
          if (config.start === 'rejection') void Promise.reject(new Error('nobody listens'))
          receivers.set(id.toString(), { next, log })
          if (config.deliver !== undefined) await next.consume(batchOf(config.deliver, [1, 2, 3]))
        },
        async stop() {
          if (stopped) return
          stopped = true
          journal.push(`stop ${id}`)
          if (config.start === 'deliver at stop') await next.consume(batchOf('last', [1]))
        },
      }
      if (config.heir !== undefined) heirs.set(self, config.heir)
      return self
    },
  }

  const processor: ProcessorFactory<object> = {
    kind: 'processor',
    type: 'pass',
    stability: 'development',
    description: 'Hands on what it gets.',
    config: object({}),
    create({ id }, _config, next) {
      journal.push(`create ${id}`)
      return {
        start: async () => void journal.push(`start ${id}`),
        stop: async () => void journal.push(`stop ${id}`),
        async consume(batch) {
          journal.push(`${id} passes`)
          await next.consume(batch)
        },
      }
    },
  }

  const exporter: ExporterFactory<{
    fail: boolean
    stop_after: number
    stop_busy: number
    create?: string | undefined
    token_file?: string | undefined
  }> = {
    kind: 'exporter',
    type: 'memory',
    aliases: ['ram'],
    stability: 'development',
    description: 'Keeps what it gets.',
    config: object({
      fail: boolean().prefault(false),
      stop_after: duration().prefault('0s'),
      stop_busy: duration().prefault('0s'),
      create: string().optional(),
      token_file: string().optional(),
    }).superRefine((value, ctx) => {
      if (value.create === 'nonsense') ctx.addIssue({ code: 'custom', message: 'cannot create nonsense' })
    }),
    create({ id }, config) {
      if (config.create === 'throw') throw new Error('no memory')
      const kept: Batch[] = []
      received.set(id.toString(), kept)
      const { promise: unread, resolve } = Promise.withResolvers<void>()
      readersGo.set(id.toString(), resolve)
      return {
        unread,
        start: async () => void journal.push(`start ${id}`),
        async stop() {
          if (config.stop_after < 0) throw new Error('disk full')
          const busyUntil = performance.now() + config.stop_busy
          while (performance.now() < busyUntil);
          await new Promise((resolve) => setTimeout(resolve, config.stop_after).unref())
          journal.push(`stop ${id}`)
        },
        export(batch, resultCallback) {
          if (config.fail) return resultCallback({ code: 1, error: new Error('memory is full') })
          kept.push(batch)
          resultCallback({ code: 0 })
        },
        forceFlush: async () => {},
      }
    },
  }

  const extension: ExtensionFactory<object> = {
    kind: 'extension',
    type: 'lamp',
    stability: 'development',
    description: 'Is on or off.',
    config: object({ colour: any().optional() }),
    create: ({ id }) => ({
      start: async () => void journal.push(`start ${id}`),
      stop: async () => void journal.push(`stop ${id}`),
    }),
  }

  /** Lets a running receiver deliver a batch. */
  const deliver = (id: string, batch: Batch) => receivers.get(id)!.next.consume(batch)
  const logOf = (id: string) => receivers.get(id)!.log
  return {
    journal,
    received,
    readersGo,
    deliver,
    logOf,
    entries: [receiver, processor, exporter, extension].map(toEntry),
  }
}

export function toEntry(factory: Factory): ComponentEntry {
  const { kind, type, stability, description, aliases } = factory
  return {
    kind,
    type,
    stability,
    description,
    ...(aliases === undefined ? {} : { aliases }),
    load: async () => ({ factory }),
  }
}

/** One resource with one gauge of as many points as there are values. */
export function batchOf(service: string, values: readonly number[]): Batch {
  return [resourceOf(service, values)]
}

export function resourceOf(service: string, ...metrics: (readonly number[])[]): ResourceMetrics {
  return {
    resource: { attributes: { 'service.name': service } } as unknown as ResourceMetrics['resource'],
    scopeMetrics: [
      {
        scope: { name: 'test' },
        metrics: metrics.map((values, index) => ({
          descriptor: { name: `metric${index}`, description: '', unit: '1', valueType: 1, type: 'GAUGE', advice: {} },
          aggregationTemporality: 1,
          dataPointType: 2,
          dataPoints: values.map((value) => ({ startTime: [0, 0], endTime: [1, 0], attributes: { value }, value })),
        })) as unknown as ResourceMetrics['scopeMetrics'][number]['metrics'],
      },
    ],
  }
}
