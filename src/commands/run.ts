import type { ComponentRegistry } from '../component/registry.ts'
import { loadConfig } from '../config/index.ts'
import { codedError, reasonOf } from '../errors.ts'
import { buildService } from '../service/service.ts'
import { createServiceLogger } from '../service/telemetry.ts'
import { defaultConfig } from './default-config.ts'

export interface RunOptions {
  readonly config: readonly string[]
  readonly set: readonly string[]
  readonly registry: ComponentRegistry
  readonly version: string
}

/** Why the program ends. */
type End = { readonly signal: NodeJS.Signals } | { readonly error: Error }

/** Go's names, as the Collector logs them. */
const SIGNAL_NAMES: Partial<Record<NodeJS.Signals, string>> = { SIGTERM: 'terminated', SIGINT: 'interrupt' }

/**
 * Runs until a signal or a fatal error; the exit code.
 * @throws ConfigError, CodedError of a component that cannot be created or started
 */
export async function run({ config: uris, set, registry, version }: RunOptions): Promise<number> {
  const end = watchEnds()
  const warnings: string[] = []
  const config = await loadConfig({
    uris: uris.length > 0 ? uris : [`yaml:${defaultConfig(process.stdout.isTTY === true)}`],
    sets: set,
    registry,
    warn: (message) => warnings.push(message),
  })
  const log = createServiceLogger(config.service.telemetry)
  for (const warning of warnings) log.warn(warning)
  log.info({ version, pid: process.pid }, 'Starting netvitals...')

  const service = await buildService(config, { version, log, onFatal: (error) => end.resolve({ error }) })
  // A signal during a start that takes long ends the program too.
  const start = service.start()
  start.catch(() => {})
  const early = await Promise.race([start, end.promise])
  if (early === undefined) log.info('Everything is ready. Begin running and processing data.')

  const reason = await end.promise
  if ('signal' in reason) log.info({ signal: SIGNAL_NAMES[reason.signal] ?? reason.signal }, 'Received signal from OS')
  else log.error({ error: reason.error }, 'Asynchronous error received, terminating process')
  log.info('Starting shutdown...')
  await service.stop()
  log.info('Shutdown complete.')
  return 'signal' in reason ? 0 : 1
}

/** A repetition this soon is the same signal. */
const SAME_SIGNAL_MS = 200

/**
 * The first signal, or the first error that nobody caught. Listens for as long as the process lives: a second signal
 * must not wait for what the first one began.
 */
function watchEnds() {
  const end = Promise.withResolvers<End>()
  let firstMs: number | undefined
  function onSignal(signal: NodeJS.Signals): void {
    const nowMs = performance.now()
    if (firstMs !== undefined) {
      // One Ctrl-C comes twice under npm, one of timeout(1) too: to the process group, and passed on by the parent.
      if (nowMs - firstMs < SAME_SIGNAL_MS) return
      process.stderr.write(`Error: ${signal} again: exiting without waiting for the shutdown\n`)
      process.exit(1)
    }
    firstMs = nowMs
    end.resolve({ signal })
  }
  const onUncaught = (thrown: unknown): void => {
    end.resolve({ error: codedError('NETVITALS_UNCAUGHT', { reason: reasonOf(thrown) }, thrown) })
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  process.on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught)
  return end
}
