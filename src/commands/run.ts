import { releasePages } from '../receivers/netvitals/kernel/pages.ts'
import { buildService } from '../service/service.ts'
import { createServiceLogger } from '../service/telemetry.ts'
import { type ConfigurationOptions, createConfiguration } from './configuration.ts'
import { defaultConfig } from './default-config.ts'
import { createPageRelease } from './page-release.ts'
import { createReloader } from './reload.ts'
import { signalName, watchEnds } from './signals.ts'
import { watchFiles } from './watch.ts'

export interface RunOptions extends ConfigurationOptions {
  /** Reload when a file of the configuration changes. */
  readonly watch: boolean
  readonly version: string
}

/**
 * Runs until a signal, a fatal error, or nobody reads what it writes; the exit code.
 * @throws ConfigError, CodedError of a component that cannot be created or started
 */
export async function run({ watch, version, ...options }: RunOptions): Promise<number> {
  // Without --config there is nothing to read again, and a terminal that closes (SIGHUP) should end its table.
  const own = options.config.length === 0
  const end = watchEnds({ hangupEnds: own })
  const configuration = createConfiguration({
    ...options,
    config: own ? [`yaml:${defaultConfig(process.stdout.isTTY === true)}`] : options.config,
  })
  const { config, warnings } = await configuration.load()
  const logger = createServiceLogger(config.service.telemetry)
  const { log } = logger
  for (const warning of warnings) log.warn(warning)
  log.info({ version, pid: process.pid }, 'Starting netvitals...')

  const service = await buildService(config, {
    version,
    logger,
    onFatal: (error) => end.resolve({ error }),
    onUnread: () => end.resolve({ unread: true }),
  })
  // A signal during a start that takes long ends the program too.
  const start = service.start()
  start.catch(() => {})
  const early = await Promise.race([start, end.promise])
  if (early === undefined) log.info('Everything is ready. Begin running and processing data.')

  const pages = createPageRelease({ release: releasePages, log })
  const reloader = createReloader({ configuration, service, log, onReloaded: pages.schedule })
  let stopWatching = (): void => {}
  if (early === undefined) {
    pages.schedule()
    end.onHangup(() => {
      log.info({ signal: signalName('SIGHUP') }, 'Received signal from OS')
      reloader.request()
    })
    if (watch) {
      stopWatching = watchFiles({
        files: configuration.files,
        onChange(files) {
          log.info({ files }, 'Configuration changed')
          reloader.request()
        },
      })
    }
  }

  const reason = await end.promise
  stopWatching()
  reloader.stop()
  pages.stop()
  if ('signal' in reason) log.info({ signal: signalName(reason.signal) }, 'Received signal from OS')
  else if ('error' in reason) log.error({ error: reason.error }, 'Asynchronous error received, terminating process')
  log.info('Starting shutdown...')
  await service.stop()
  log.info('Shutdown complete.')
  return 'error' in reason ? 1 : 0
}
