import type {
  BatchObservableCallback,
  BatchObservableResult,
  Meter,
  Observable,
  ObservableCallback,
} from '@opentelemetry/api'

/** Gives the meter of a scope, e.g. that of a MeterProvider. */
export type MeterSource = (scope: string) => Meter

/** What one part of the program measures with. */
export interface MeterScope {
  readonly meter: Meter
  /** Takes away its callbacks: nothing of it is observed any more. */
  close(): void
}

/** Meters whose instruments outlive the provider behind them. */
export interface Meters {
  /** `name` is that of the instrumentation scope. */
  scope(name: string): MeterScope
  /** Every instrument and callback is of this source from now on; its sums begin anew there. */
  use(source: MeterSource): void
}

export function createMeters(first: MeterSource): Meters {
  let source = first
  const scopes = new Set<{ renew(): void }>()
  return {
    scope(name) {
      const { meter, renew, close } = createScope(() => source(name))
      const entry = { renew }
      scopes.add(entry)
      return {
        meter,
        close() {
          scopes.delete(entry)
          close()
        },
      }
    },
    use(next) {
      source = next
      for (const { renew } of scopes) renew()
    },
  }
}

/** The callbacks that one observable has, and how to register them. */
interface Registered {
  current: Observable
  readonly callbacks: Set<ObservableCallback>
}

function createScope(open: () => Meter) {
  let meter = open()
  /** In the order of their creation: callbacks come after what they observe. */
  const renewals: (() => void)[] = []
  const registered = new Map<Observable, Registered>()
  const batches: { callback: BatchObservableCallback; observables: Observable[]; wrapped: BatchObservableCallback }[] =
    []

  /** An instrument that is made again with each meter; `use` is what calls the present one. */
  function instrument<I, U>(create: (meter: Meter) => I, use: (current: () => I) => U): U {
    let current = create(meter)
    renewals.push(() => {
      current = create(meter)
    })
    return use(() => current)
  }

  function observable(create: (meter: Meter) => Observable): Observable {
    const entry: Registered = { current: create(meter), callbacks: new Set() }
    renewals.push(() => {
      entry.current = create(meter)
      for (const callback of entry.callbacks) entry.current.addCallback(callback)
    })
    const own: Observable = {
      addCallback(callback) {
        entry.callbacks.add(callback)
        entry.current.addCallback(callback)
      },
      removeCallback(callback) {
        entry.callbacks.delete(callback)
        entry.current.removeCallback(callback)
      },
    }
    registered.set(own, entry)
    return own
  }

  const present = (own: Observable): Observable => registered.get(own)?.current ?? own
  const add = <A extends unknown[]>(current: () => { add(...args: A): void }) => ({
    add: (...args: A) => current().add(...args),
  })
  const record = <A extends unknown[]>(current: () => { record(...args: A): void }) => ({
    record: (...args: A) => current().record(...args),
  })

  function removeBatch(callback: BatchObservableCallback, observables: Observable[]): void {
    const at = batches.findIndex(
      (batch) => batch.callback === callback && batch.observables.every((each, i) => each === observables[i]),
    )
    const [batch] = at < 0 ? [] : batches.splice(at, 1)
    if (batch !== undefined) meter.removeBatchObservableCallback(batch.wrapped, observables.map(present))
  }

  const own: Meter = {
    createCounter: (name, options) => instrument((of) => of.createCounter(name, options), add),
    createUpDownCounter: (name, options) => instrument((of) => of.createUpDownCounter(name, options), add),
    createHistogram: (name, options) => instrument((of) => of.createHistogram(name, options), record),
    createGauge: (name, options) => instrument((of) => of.createGauge(name, options), record),
    createObservableCounter: (name, options) => observable((of) => of.createObservableCounter(name, options)),
    createObservableGauge: (name, options) => observable((of) => of.createObservableGauge(name, options)),
    createObservableUpDownCounter: (name, options) =>
      observable((of) => of.createObservableUpDownCounter(name, options)),
    addBatchObservableCallback(callback, observables) {
      const wrapped = (result: BatchObservableResult) =>
        callback({ observe: (each, value, attributes) => result.observe(present(each), value, attributes) })
      batches.push({ callback, observables, wrapped })
      meter.addBatchObservableCallback(wrapped, observables.map(present))
    },
    removeBatchObservableCallback: removeBatch,
  }

  return {
    meter: own,
    renew() {
      meter = open()
      for (const renewal of renewals) renewal()
      for (const { wrapped, observables } of batches)
        meter.addBatchObservableCallback(wrapped, observables.map(present))
    },
    close() {
      for (const { callback, observables } of [...batches]) removeBatch(callback, observables)
      for (const { current, callbacks } of registered.values())
        for (const callback of callbacks) current.removeCallback(callback)
      registered.clear()
    },
  }
}
