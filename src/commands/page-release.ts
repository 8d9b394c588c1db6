import { reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'

/** Time for the first cycles to be exported, so that little of what is let go comes back at once. */
const DELAY_MS = 15_000

export interface PageReleaseOptions {
  /** @see NativeAddon.releasePages */
  readonly release: () => Promise<number>
  readonly log: Logger
  readonly delayMs?: number
}

/**
 * Lets go of what was read of program files for a start or a reload alone (Node's snapshot, ICU, the loading of
 * modules): some 25 MB. Where that fails, the program runs with them as before.
 */
export function createPageRelease({ release, log, delayMs = DELAY_MS }: PageReleaseOptions) {
  let timer: NodeJS.Timeout | undefined

  async function letGo(): Promise<void> {
    try {
      log.debug({ bytes: await release() }, 'Released pages of program files')
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'Pages of program files not released')
    }
  }

  return {
    /** Some time from now, once for all calls until then. */
    schedule(): void {
      clearTimeout(timer)
      timer = setTimeout(letGo, delayMs).unref()
    },
    stop(): void {
      clearTimeout(timer)
    },
  }
}
