import { reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Service } from '../service/service.ts'
import type { Configuration } from './configuration.ts'

export interface ReloaderOptions {
  readonly configuration: Configuration
  readonly service: Pick<Service, 'reload'>
  readonly log: Logger
  /** After each that went well. */
  readonly onReloaded: () => void
}

/** Reads the configuration again and lets the service run it. Requests during a reload are one more after it. */
export function createReloader({ configuration, service, log, onReloaded }: ReloaderOptions) {
  let busy = false
  let again = false
  let stopped = false

  async function reload(): Promise<void> {
    try {
      const { config, warnings } = await configuration.load()
      if (stopped) return
      for (const warning of warnings) log.warn(warning)
      log.info(await service.reload(config), 'Configuration reloaded')
      onReloaded()
    } catch (error) {
      if (!stopped) log.error({ error: oneLine(error) }, 'Configuration not reloaded, the one before goes on')
    }
  }

  async function work(): Promise<void> {
    busy = true
    while (again && !stopped) {
      again = false
      await reload()
    }
    busy = false
  }

  return {
    request(): void {
      again = true
      if (!busy) void work()
    },
    stop(): void {
      stopped = true
    },
  }
}

function oneLine(error: unknown): string {
  return reasonOf(error).replace(/\s*\n\s*/g, ' ')
}
