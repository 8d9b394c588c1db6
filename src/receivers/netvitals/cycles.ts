import { reasonOf } from '../../errors.ts'

/** What takes turns: cycles at their times, and whatever must not fall into one. */
export interface Cycles {
  /** A cycle now, after what is under way. `last`: what waits for a name is told without it. */
  collect(last?: boolean): Promise<void>
  /** After the cycle under way, and before the next. Never rejects: a failure is reported. */
  inTurn(work: () => Promise<void>): Promise<void>
  /** From here on a cycle at each multiple of the interval. */
  schedule(): void
  /** None is begun by time any more. */
  stop(): void
}

export interface CyclesOptions {
  readonly intervalMs: number
  readonly run: (last: boolean) => Promise<void>
  readonly report: (status: 'ok' | 'down', detail?: string) => void
}

export function createCycles({ intervalMs, run, report }: CyclesOptions): Cycles {
  let turn: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function inTurn(work: () => Promise<void>): Promise<void> {
    turn = turn.then(work).then(
      () => report('ok'),
      (error) => report('down', reasonOf(error)),
    )
    return turn
  }

  function collect(last = false): Promise<void> {
    return inTurn(() => run(last))
  }

  /** On multiples of the interval, so that a slow cycle does not shift those after it. */
  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => collect().then(schedule), intervalMs - (performance.now() % intervalMs))
  }

  return {
    collect,
    inTurn,
    schedule,
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
