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
  /**
   * With the tracer's passing: when the last points end, milliseconds since the epoch. What passes on begins no earlier,
   * or a series would begin anew before its own last point.
   */
  end(): number
  /**
   * After the cycle under way: calls `take`, which must pass the tracer on or close it as the last it does; then
   * delivers what was counted until then. From then on this receiver is stopped. Rejects with what `take` throws; then
   * it goes on.
   */
  yieldTo(take: () => void | Promise<void>): Promise<void>
}

export interface EstateOptions extends Pick<Estate, 'tracer' | 'snapshot' | 'connections'> {
  readonly cycles: Cycles
  readonly walk: (tracer: Tracer) => Promise<unknown>
  /** The end time of points that are told now. */
  readonly endOf: () => number
  /** The tracer is another's: all else stops, and what was counted is delivered, with this end time. */
  readonly leave: (endMs: number) => Promise<void>
}

export function createEstate({ cycles, walk, endOf, leave, ...held }: EstateOptions): Estate {
  let endMs: number | undefined
  return {
    ...held,
    end() {
      endMs = endOf()
      return endMs
    },
    async yieldTo(take) {
      let failure: unknown
      await cycles.inTurn(async () => {
        // What live connections did until now is told here. If it fails it is told there.
        await walk(held.tracer).catch(() => {})
        try {
          await take()
        } catch (error) {
          failure = error
          return
        }
        await leave(endMs ?? endOf())
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
      beginAt(inherited.end())
      tracer.pass(user)
      own(tracer, inherited.snapshot)
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
    beginAt(rest.end())
    own(fresh).pass(user)
    attached.close()
  })
  await begin(fresh!)
}
