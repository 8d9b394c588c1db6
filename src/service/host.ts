import type { Meter } from '@opentelemetry/api'
import type { Extension, Host } from '../component/types.ts'
import type { Logger } from '../log.ts'

export interface HostOptions {
  readonly log: Logger
  readonly meter: Meter
  readonly extensions: ReadonlyMap<string, Extension>
  /** Called once, with the first fatal error. */
  readonly onFatal: (error: Error) => void
}

interface PartState {
  readonly component: string
  readonly part: string
  readonly status: 'ok' | 'down'
  readonly detail: string
}

/** Tells a change of a part's state once, in the log; the state itself is in `netvitals.component.status`. */
export function createHost({ log, meter, extensions, onFatal }: HostOptions): Host {
  const states = new Map<string, PartState>()
  let failed = false

  meter
    .createObservableGauge('netvitals.component.status', {
      description: 'Whether a part of a component works: 1 it does, 0 it does not.',
      unit: '1',
    })
    .addCallback((result) => {
      for (const { component, part, status } of states.values()) {
        result.observe(status === 'ok' ? 1 : 0, { component, part })
      }
    })

  return {
    fatal(error) {
      if (failed) return
      failed = true
      onFatal(error)
    },
    report(id, part, status, detail = '') {
      const component = id.toString()
      const key = `${component} ${part}`
      const before = states.get(key)
      states.set(key, { component, part, status, detail })
      if (before?.status === status && (status === 'ok' || before.detail === detail)) return
      const fields = { component, part, ...(detail === '' ? {} : { detail }) }
      if (status === 'down') log.warn(fields, `${part} is down`)
      else if (before === undefined) log.debug(fields, `${part} works`)
      else log.info(fields, `${part} works again`)
    },
    extension: (id) => extensions.get(id),
  }
}
