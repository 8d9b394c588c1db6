import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'

/**
 * A kernel may run no program while a certain task is interrupted (there are hosts that exempt their init so), and a
 * timer's softirq interrupts whichever task it finds. Where timers make the events, an interval with a lost one is
 * repeated; a fault of the receiver's own is there every time.
 *
 * @returns how often it was repeated
 */
export async function untilExact(t: TestContext, attempts: number, run: () => Promise<void>): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      await run()
      return attempt - 1
    } catch (error) {
      if (attempt === attempts || !(error instanceof assert.AssertionError)) throw error
      t.diagnostic(`repeated: ${error.message}`)
    }
  }
}
