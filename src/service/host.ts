import type { Meter } from '@opentelemetry/api'
import type { Extension, Host } from '../component/types.ts'
import type { Logger } from '../log.ts'

export interface HostOptions {
  readonly log: Logger
  readonly extension: (id: string) => Extension | undefined
  readonly onFatal: (error: Error) => void
}

interface PartState {
  readonly component: string
  readonly part: string
  readonly status: 'ok' | 'down'
  readonly detail: string
}

/** What one component is told by and tells to; its parts' states go with it. */
export interface ComponentHost extends Host {
  states(): Iterable<PartState>
}

/** Tells a change of a part's state once, in the log; the state itself is in `netvitals.component.status`. */
export function createHost({ log, extension, onFatal }: HostOptions): ComponentHost {
  const states = new Map<string, PartState>()
  return {
    fatal: onFatal,
    report(id, part, status, detail = '') {
      const component = id.toString()
      const before = states.get(part)
      states.set(part, { component, part, status, detail })
      if (before?.status === status && (status === 'ok' || before.detail === detail)) return
      const fields = { component, part, ...(detail === '' ? {} : { detail }) }
      if (status === 'down') log.warn(fields, `${part} is down`)
      else if (before === undefined) log.debug(fields, `${part} works`)
      else log.info(fields, `${part} works again`)
    },
    extension,
    states: () => states.values(),
  }
}

/** Shows the states of the hosts that there are whenever it is read. */
export function observeStatus(meter: Meter, hosts: () => Iterable<ComponentHost>): void {
  meter
    .createObservableGauge('netvitals.component.status', {
      description: 'Whether a part of a component works: 1 it does, 0 it does not.',
      unit: '1',
    })
    .addCallback((result) => {
      for (const host of hosts()) {
        for (const { component, part, status } of host.states())
          result.observe(status === 'ok' ? 1 : 0, { component, part })
      }
    })
}
