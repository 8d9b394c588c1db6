interface Holding {
  readonly holder: string
  fromMs: number
  /** Infinity while it lasts. */
  untilMs: number
}

/** Kubernetes writes whole seconds: what ended at 12:00:05 may have lasted until 12:00:05.999. */
const RESOLUTION_MS = 1_000
/** Clocks of nodes differ, and a pod may talk before its status says that it runs. */
export const SKEW_MS = 2_000

/**
 * Who held an address when. Times overlap in practice: an address is free again before its last holder's deletion is
 * heard of, so the one who got it last before the moment is meant. All times are milliseconds since the epoch.
 */
export function createHoldings() {
  const byAddress = new Map<string, Holding[]>()
  const current = (address: string, holder: string) =>
    byAddress.get(address)?.find((holding) => holding.holder === holder && holding.untilMs === Number.POSITIVE_INFINITY)

  return {
    /** Holding it again changes nothing but a begin that is now known to be earlier. */
    hold(address: string, holder: string, fromMs: number): void {
      const holding = current(address, holder)
      if (holding) {
        holding.fromMs = Math.min(holding.fromMs, fromMs)
        return
      }
      const fresh = { holder, fromMs, untilMs: Number.POSITIVE_INFINITY }
      const all = byAddress.get(address)
      if (all) all.push(fresh)
      else byAddress.set(address, [fresh])
    },
    release(address: string, holder: string, untilMs: number): void {
      const holding = current(address, holder)
      if (holding) holding.untilMs = untilMs
    },
    /** Takes away what a holder that ended had of it. */
    forget(address: string, holder: string): void {
      const rest = byAddress
        .get(address)
        ?.filter((holding) => holding.holder !== holder || holding.untilMs === Number.POSITIVE_INFINITY)
      if (rest?.length === 0) byAddress.delete(address)
      else if (rest) byAddress.set(address, rest)
    },
    at(address: string, atMs: number): string | undefined {
      const all = byAddress.get(address)
      if (all === undefined) return undefined
      let best: Holding | undefined
      let soon: Holding | undefined
      for (const holding of all) {
        if (atMs > holding.untilMs + RESOLUTION_MS) continue
        if (holding.fromMs <= atMs) best = best && best.fromMs > holding.fromMs ? best : holding
        else if (holding.fromMs <= atMs + SKEW_MS) soon = soon && soon.fromMs < holding.fromMs ? soon : holding
      }
      return (best ?? soon)?.holder
    },
    has: (address: string) =>
      byAddress.get(address)?.some(({ untilMs }) => untilMs === Number.POSITIVE_INFINITY) ?? false,
  }
}
