import type { Records } from './decode.ts'
import { Kind } from './layout.gen.ts'
import { createTracer, type Tracer, type TracerOptions } from './tracer.ts'

/** What a tracer is made with. As long as they are equal, a new user takes over the programs that are attached. */
export type KernelSettings = Pick<TracerOptions, 'ringBytes' | 'maxSockets' | 'joinEnds'>

/** Whoever has the records at present. */
export type TracerUser = Required<Pick<TracerOptions, 'onBatch' | 'onRecord' | 'onError'>>

/** A tracer that outlives its user: it passes from one to the next between two records, so that none is lost or seen twice. */
export interface SharedTracer extends Tracer {
  /** Whether it was made with these settings. */
  fits(settings: KernelSettings): boolean
  /**
   * `onCgroup` gets the records of cgroups too, beside the user: for one that is about to take over and must not miss
   * any while it reads the hierarchy. Ends with `pass` or with what is returned.
   */
  listen(onCgroup: (records: Records, kind: number) => void): () => void
  /** From the next record on everything goes to `user`, and to nobody else. */
  pass(user: TracerUser): void
}

/** @throws {CodedError} as createTracer */
export function createSharedTracer(settings: KernelSettings, first: TracerUser): SharedTracer {
  let { onBatch, onRecord, onError } = first
  const tracer = createTracer({
    ...settings,
    onBatch: () => onBatch(),
    onRecord: (records, kind) => onRecord(records, kind),
    onError: (error) => onError(error),
  })
  let user = first

  function pass(next: TracerUser): void {
    user = next
    ;({ onBatch, onRecord, onError } = next)
  }

  return {
    ...tracer,
    fits: ({ ringBytes, maxSockets, joinEnds }) =>
      ringBytes === settings.ringBytes && maxSockets === settings.maxSockets && joinEnds === settings.joinEnds,
    listen(onCgroup) {
      onRecord = (records, kind) => {
        user.onRecord(records, kind)
        if (kind >= Kind.cgroupMkdir) onCgroup(records, kind)
      }
      const listened = user
      return () => {
        if (user === listened) onRecord = user.onRecord
      }
    },
    pass,
  }
}
