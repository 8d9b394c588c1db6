import type { Batch, ComponentId, Exporter, Host } from '../../component/types.ts'
import type { Logger } from '../../log.ts'
import type { Config } from './config.ts'
import { formatDetailed } from './detailed.ts'
import { formatNormal } from './normal.ts'
import { type Output, openOutputs } from './output.ts'
import { createSampler } from './sampler.ts'

export interface DebugOptions {
  readonly id: ComponentId
  readonly log: Logger
  readonly config: Config
  /** Milliseconds; for the sampler's seconds. */
  readonly now?: () => number
}

/** ExportResultCode of @opentelemetry/core. */
const SUCCESS = 0
const FAILED = 1
const CLOSE_MS = 1000

interface Counts {
  readonly 'resource metrics': number
  readonly metrics: number
  readonly 'data points': number
}

/** Writes what passes, as the Collector's debug exporter does: the counts, then from `normal` on the text. */
export function createDebugExporter({ id, log, config, now }: DebugOptions): Exporter {
  const { verbosity, sampling_initial: initial, sampling_thereafter: thereafter } = config
  const passes = createSampler({ initial, thereafter, ...(now === undefined ? {} : { now }) })
  const format = verbosity === 'detailed' ? formatDetailed : formatNormal
  let output: Output | undefined
  let host: Host | undefined
  const { promise: unread, resolve: leaveUnread } = Promise.withResolvers<void>()

  function info(message: string, fields?: Counts): void {
    if (!passes(message)) return
    if (config.use_internal_logger) log.info(fields ?? {}, message)
    else output?.write(`${message}${fields === undefined ? '' : `\t${formatFields(fields)}`}\n`)
  }

  return {
    async start(serviceHost) {
      host = serviceHost
      if (config.use_internal_logger) return
      const left = new Set(config.output_paths ?? ['stdout'])
      output = openOutputs([...left], (path, error) => {
        const isUnread = error.code === 'EPIPE'
        host?.report(id, path, 'down', isUnread ? 'nobody reads it any more' : error.message)
        left.delete(path)
        if (isUnread && left.size === 0) leaveUnread()
      })
    },

    async stop() {
      const closing = output
      output = undefined
      await closing?.close(CLOSE_MS)
    },

    export(batch, resultCallback) {
      try {
        info('Metrics', countAll(batch))
        if (verbosity !== 'basic') info(format(batch))
      } catch (error) {
        resultCallback({ code: FAILED, error: error as Error })
        return
      }
      resultCallback({ code: SUCCESS })
    },

    async forceFlush() {},

    unread,
  }
}

function countAll(batch: Batch): Counts {
  let metrics = 0
  let points = 0
  for (const { scopeMetrics } of batch) {
    for (const scope of scopeMetrics) {
      metrics += scope.metrics.length
      for (const { dataPoints } of scope.metrics) points += dataPoints.length
    }
  }
  return { 'resource metrics': batch.length, metrics, 'data points': points }
}

/** zap's console encoding sets its JSON with spaces. */
function formatFields(fields: Counts): string {
  return `{${Object.entries(fields)
    .map(([name, value]) => `"${name}": ${value}`)
    .join(', ')}}`
}
