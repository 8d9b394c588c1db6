/**
 * `ok`; `degraded`: a part is down and the rest runs; `unusable`: nothing runs; `skipped`: there is nothing to check,
 * or it could not be checked.
 */
export type Status = 'ok' | 'degraded' | 'unusable' | 'skipped'

/** What one check found. No text holds a secret: it is meant for bug reports. */
export interface Finding {
  readonly check: string
  readonly status: Status
  readonly found: string
  /** What is lost as long as it is so. */
  readonly costs?: string
  /** What to do about it. */
  readonly fix?: string
}

export const ok = (check: string, found: string): Finding => ({ check, status: 'ok', found })

export const skipped = (check: string, found: string): Finding => ({ check, status: 'skipped', found })

/** The status of all: the worst. */
export function overall(findings: readonly Finding[]): Exclude<Status, 'skipped'> {
  const worst = (['unusable', 'degraded'] as const).find((status) => findings.some((each) => each.status === status))
  return worst ?? 'ok'
}

export const EXIT_CODES = { ok: 0, unusable: 1, degraded: 2 } as const

/** Messages that say what, then `; ` and what to do. */
export function splitRemedy(message: string): { readonly found: string; readonly fix?: string } {
  const at = message.indexOf('; ')
  return at < 0 ? { found: message } : { found: message.slice(0, at), fix: message.slice(at + 2) }
}
