/**
 * When each target is probed: once in every period, always at its own place in it. Places follow the golden ratio, so
 * that any number of them is spread evenly over the period, and one that comes or goes moves no other. Beyond
 * `maxRate` the period is a multiple of the interval: targets take turns.
 *
 * Times are milliseconds of one clock that only goes forward. A search looks at every target: 20 us for 10,000.
 */
export interface Schedule {
  /** `target` is a small number of the caller's, not in it yet; it is due within one period. */
  add(target: number, nowMs: number): void
  remove(target: number): void
  /**
   * Those due before `untilMs`, in order, each with the time to send it: not before now, and never less than
   * 1/maxRate after another. `take` says whether it will be sent then; if not, it is due again in the next search,
   * until it is half a period late. It may remove targets.
   */
  due(nowMs: number, untilMs: number, take: (target: number, atMs: number) => boolean): void
  /** The effective interval. */
  readonly periodMs: number
  readonly size: number
}

export interface ScheduleOptions {
  readonly intervalMs: number
  /** Probes a second. */
  readonly maxRate: number
}

const FREE = -1
const GOLDEN = (Math.sqrt(5) - 1) / 2
/** The period shrinks only when so much of the shorter one would do: a changed period moves every target. */
const ROOM = 0.9

export function createSchedule({ intervalMs, maxRate }: ScheduleOptions): Schedule {
  const gapMs = 1000 / maxRate
  const perInterval = Math.max(1, Math.floor((maxRate * intervalMs) / 1000))
  /** By place. */
  let targets = new Int32Array(64).fill(FREE)
  let dueMs = new Float64Array(64)
  const placeOf = new Map<number, number>()
  const free: number[] = []
  const found: number[] = []
  let used = 0
  let turns = 1
  let freeFromMs = Number.NEGATIVE_INFINITY

  const period = () => turns * intervalMs

  /** First time after `afterMs` at which a place is due. */
  function next(place: number, afterMs: number): number {
    const at = ((place * GOLDEN) % 1) * period()
    return (Math.floor((afterMs - at) / period()) + 1) * period() + at
  }

  function grow() {
    const longer = new Int32Array(targets.length * 2).fill(FREE)
    longer.set(targets)
    targets = longer
    const times = new Float64Array(longer.length)
    times.set(dueMs)
    dueMs = times
  }

  function setTurns(nowMs: number) {
    const needed = Math.ceil(placeOf.size / perInterval)
    const enough = Math.ceil(placeOf.size / (perInterval * ROOM))
    const wanted = Math.max(1, needed > turns ? needed : Math.min(turns, enough))
    if (wanted === turns) return
    const before = period()
    turns = wanted
    for (let place = 0; place < used; place++)
      if (targets[place] !== FREE)
        dueMs[place] = next(place, Math.max(nowMs, dueMs[place]! - before + Math.min(before, period()) / 2))
  }

  return {
    add(target, nowMs) {
      const place = free.pop() ?? used++
      if (place >= targets.length) grow()
      targets[place] = target
      placeOf.set(target, place)
      dueMs[place] = next(place, nowMs)
      setTurns(nowMs)
    },
    remove(target) {
      const place = placeOf.get(target)
      if (place === undefined) return
      placeOf.delete(target)
      targets[place] = FREE
      free.push(place)
    },
    due(nowMs, untilMs, take) {
      setTurns(nowMs)
      found.length = 0
      for (let place = 0; place < used; place++) {
        if (targets[place] === FREE || dueMs[place]! >= untilMs) continue
        if (dueMs[place]! < nowMs - period() / 2) dueMs[place] = next(place, nowMs)
        if (dueMs[place]! < untilMs) found.push(place)
      }
      found.sort((a, b) => dueMs[a]! - dueMs[b]!)
      for (const place of found) {
        const target = targets[place]!
        if (target === FREE) continue
        const atMs = Math.max(dueMs[place]!, nowMs, freeFromMs + gapMs)
        if (!take(target, atMs)) continue
        freeFromMs = atMs
        dueMs[place]! += period()
      }
    },
    get periodMs() {
      return period()
    },
    get size() {
      return placeOf.size
    },
  }
}
