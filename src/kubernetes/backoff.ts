export interface BackoffOptions {
  /** First wait; each later one is twice as long. */
  readonly initialMs: number
  readonly maxMs: number
  readonly random?: () => number
}

/** Waits between attempts that fail: exponential, each made up to twice as long by chance, so that nodes part. */
export function createBackoff({ initialMs, maxMs, random = Math.random }: BackoffOptions) {
  let failures = 0
  return {
    /** @param atLeastMs what the server asks for (Retry-After) @returns milliseconds */
    next(atLeastMs = 0): number {
      const waitMs = Math.min(initialMs * 2 ** failures, maxMs)
      failures = Math.min(failures + 1, 30)
      return Math.max(waitMs, atLeastMs) * (1 + random())
    },
    /** An attempt has succeeded. */
    reset(): void {
      failures = 0
    },
    failing: () => failures > 0,
  }
}

export type Backoff = ReturnType<typeof createBackoff>
