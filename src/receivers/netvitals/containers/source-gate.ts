import type { Identity, IdentitySource } from './identity.ts'
import type { CgroupIdentity } from './parse-path.ts'

/** Asks one source so that neither storms the other: a few questions at once, none while it does not answer. */
export interface SourceGate {
  /** Undefined: it does not know, or can't be asked now. Never rejects. */
  ask(container: CgroupIdentity): Promise<Identity | undefined>
}

export interface SourceGateOptions {
  readonly source: IdentitySource
  /** Once when asking it begins to fail, and when it works again. */
  readonly report: (part: string, status: 'ok' | 'down', detail?: string) => void
  /** It works again. */
  readonly onWorks: () => void
  readonly now: () => number
}

/** Questions under way at once: a thousand containers at the start must not storm a runtime. */
const ASKING_MAX = 8
/** A source that fails is left alone for so long, doubled with each failure. */
const BACK_OFF_MS = 1_000
const BACK_OFF_MAX_MS = 60_000

export function createSourceGate({ source, report, onWorks, now }: SourceGateOptions): SourceGate {
  const part = source.part ?? source.name
  const waiting: (() => void)[] = []
  let asking = 0
  let failures = 0
  let untilMs = Number.NEGATIVE_INFINITY

  async function ask(container: CgroupIdentity): Promise<Identity | undefined> {
    while (asking >= ASKING_MAX) await new Promise<void>((resolve) => waiting.push(resolve))
    // After failures one question shows whether it is there again.
    if (now() < untilMs || (failures > 0 && asking > 0)) {
      waiting.shift()?.()
      return undefined
    }
    asking++
    try {
      const identity = await source.lookup(container)
      works()
      return identity
    } catch (error) {
      failed(error as Error)
      return undefined
    } finally {
      asking--
      waiting.shift()?.()
    }
  }

  function works(): void {
    if (failures === 0) return
    failures = 0
    untilMs = Number.NEGATIVE_INFINITY
    report(part, 'ok')
    onWorks()
  }

  /** Questions that were asked together fail together: that is one failure. */
  function failed({ message }: Error): void {
    if (now() < untilMs) return
    untilMs = now() + Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** failures++)
    if (failures === 1) report(part, 'down', message)
  }

  return { ask }
}
