import { lacking } from './capabilities.ts'
import { eachNamespace } from './namespaces.ts'
import type { Tracer } from './tracer.ts'

type Report = (part: string, status: 'ok' | 'down', detail?: string) => void

export interface SnapshotOptions {
  readonly tracer: Tracer
  readonly maxSockets: number
  readonly report: Report
  /** Of the snapshot that was kept for this tracer before. */
  readonly state?: SnapshotState
}

/** What is known of the bound on sockets. */
export interface SnapshotState {
  readonly fullBefore: number
  readonly missed: boolean
  readonly takenMs: number
}

/** Room below the bound that makes another snapshot worth it, and the least time between two. */
const ROOM = 0.9
const PAUSE_MS = 60_000

/** What was there before the programs were attached; again after the bound on sockets was reached and there is room. */
export function createSnapshot({ tracer, maxSockets, report, state }: SnapshotOptions) {
  let { fullBefore, missed, takenMs } = state ?? { fullBefore: 0, missed: false, takenMs: 0 }

  async function take(): Promise<void> {
    takenMs = performance.now()
    missed = false
    const { visited, failed } = await eachNamespace((fd) => tracer.snapshot(fd))
    if (visited === 0) await tracer.snapshot(-1).catch((error) => failed.set(error.code, 1))
    if (failed.size === 0) return report('snapshot', 'ok')
    const reasons = [...failed].map(([code, count]) => `${code} (${count})`).join(', ')
    const missing = lacking(['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'])
    // A process that a security module hides is nothing a user can act on; others are in the same namespaces.
    if (missing.length === 0 && visited > 0) return report('snapshot', 'ok')
    const remedy = missing.length > 0 ? `; entering them takes ${missing.join(' and ')}` : ''
    report(
      'snapshot',
      'down',
      `network namespaces of /proc could not be read, their connections from before the start are not known: ${reasons}${remedy}`,
    )
  }

  async function afterCycle(): Promise<void> {
    const { socketsFull } = tracer.counters()
    if (socketsFull > fullBefore) {
      fullBefore = socketsFull
      missed = true
      report(
        'sockets',
        'down',
        `the bound of ${maxSockets} live sockets is reached: new ones are not tracked; raise kernel::max_sockets`,
      )
      return
    }
    if (!missed || tracer.usage().sockets > maxSockets * ROOM || performance.now() - takenMs < PAUSE_MS) return
    await take()
    report('sockets', 'ok')
  }

  return { take, afterCycle, state: (): SnapshotState => ({ fullBefore, missed, takenMs }) }
}
