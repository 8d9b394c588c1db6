import type { Connections } from './connections/types.ts'
import type { Containers } from './containers/types.ts'
import type { Cycles } from './cycles.ts'
import { createSharedTracer, type KernelSettings, type SharedTracer, type TracerUser } from './kernel/shared-tracer.ts'
import type { SnapshotState } from './kernel/snapshot.ts'
import type { Tracer } from './kernel/tracer.ts'

/** What passes to the receiver that replaces this one, so that no event is lost or counted twice. */
export interface Estate {
  readonly tracer: SharedTracer
  readonly snapshot: SnapshotState | undefined
  readonly connections: Pick<Connections, 'totalsOf'>
  /** The end time of points that are told now, milliseconds since the epoch. */
  endOf(): number
  /**
   * After the cycle under way: calls `take`, which must pass the tracer on or close it as the last it does; then
   * delivers what was counted until then. From then on this receiver is stopped. Rejects with what `take` throws; then
   * it goes on.
   *
   * `take` gives what `endOf` was when it passed the tracer: the last points end then, and what passes on begins no
   * earlier, or a series would begin anew before its own last point.
   */
  yieldTo(take: () => number | Promise<number>): Promise<void>
}

export interface EstateOptions extends Pick<Estate, 'tracer' | 'snapshot' | 'connections' | 'endOf'> {
  readonly cycles: Cycles
  readonly walk: (tracer: Tracer) => Promise<unknown>
  /** The tracer is another's: all else stops, and what was counted is delivered, with this end time. */
  readonly leave: (endMs: number) => Promise<void>
}

export function createEstate({ cycles, walk, leave, ...held }: EstateOptions): Estate {
  return {
    ...held,
    async yieldTo(take) {
      let failure: unknown
      await cycles.inTurn(async () => {
        // What live connections did until now is told here. If it fails it is told there.
        await walk(held.tracer).catch(() => {})
        let endMs: number
        try {
          endMs = await take()
        } catch (error) {
          failure = error
          return
        }
        await leave(endMs)
      })
      if (failure !== undefined) throw failure
    },
  }
}

/** Whoever comes after. */
export interface Heir {
  readonly kernel: KernelSettings
  readonly user: TracerUser
  readonly containers: Containers
  readonly connections: Connections
  readonly cycles: Cycles
  readonly walk: (tracer: Tracer) => Promise<unknown>
  /** The tracer is the heir's from here on. */
  readonly own: (tracer: SharedTracer, state?: SnapshotState) => SharedTracer
  /** Its series begin then: before the first record. */
  readonly beginAt: (ms: number) => void
  /** With a tracer that has seen nothing yet. */
  readonly begin: (tracer: SharedTracer) => Promise<void>
}

/** Rejects with nothing taken: then whose the estate is goes on. */
export async function takeOver(estate: Estate, heir: Heir): Promise<void> {
  if (estate.tracer.fits(heir.kernel)) await inherit(estate, heir)
  else await attachAnew(estate, heir)
}

/** The programs stay attached: not a record falls between. */
async function inherit({ tracer, ...inherited }: Estate, heir: Heir): Promise<void> {
  const { user, containers, connections, cycles, walk, own, beginAt } = heir
  const unlisten = tracer.listen(user.onRecord)
  try {
    await containers.start()
    await inherited.yieldTo(() => {
      connections.inherit(inherited.connections)
      const endMs = inherited.endOf()
      beginAt(endMs)
      tracer.pass(user)
      own(tracer, inherited.snapshot)
      return endMs
    })
  } catch (error) {
    unlisten()
    throw error
  }
  await cycles.inTurn(async () => {
    // Each shows every live connection, unless it missed one: a walk is not atomic.
    for (let walks = 0; walks < 2; walks++) await walk(tracer)
    connections.inherit(undefined)
  })
  cycles.schedule()
}

async function attachAnew({ tracer: attached, ...rest }: Estate, heir: Heir): Promise<void> {
  const { kernel, user, own, begin, beginAt } = heir
  let fresh: SharedTracer | undefined
  await rest.yieldTo(async () => {
    // While both are attached each event is in both rings: those of the old one count, until it is closed.
    fresh = createSharedTracer(kernel, { ...user, onRecord() {} })
    try {
      await Promise.all([attached.flush(), fresh.flush()])
    } catch (error) {
      fresh.close()
      throw error
    }
    const endMs = rest.endOf()
    beginAt(endMs)
    own(fresh).pass(user)
    attached.close()
    return endMs
  })
  await begin(fresh!)
}
