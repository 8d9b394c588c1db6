import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPageRelease } from '../../src/commands/page-release.ts'
import { createLogger } from '../../src/log.ts'
import { eventually } from '../e2e/child.ts'

const DELAY_MS = 30
/** Long enough for one that should not be. */
const QUIET_MS = 150

function releasing(release: () => Promise<number>) {
  const lines: string[] = []
  let calls = 0
  const pages = createPageRelease({
    release() {
      calls++
      return release()
    },
    log: createLogger({ level: 'debug', write: (line) => lines.push(line) }),
    delayMs: DELAY_MS,
  })
  return { pages, lines, calls: () => calls }
}

describe('the time of a release of pages', () => {
  it('comes once after all that asked for it, and again for who asks later', async () => {
    const { pages, lines, calls } = releasing(async () => 4096)
    for (let i = 0; i < 5; i++) pages.schedule()
    assert.equal(calls(), 0)
    await sleep(QUIET_MS)
    assert.equal(calls(), 1)
    pages.schedule()
    await eventually('the second', () => calls() === 2 || undefined, 5_000)
    await eventually('a line of each', () => lines.length === 2 || undefined, 5_000)
    for (const line of lines) assert.match(line, /debug\tReleased pages of program files\t\{"bytes":4096\}/)
  })

  it('does not come after a stop, which may be before the first and twice', async () => {
    const { pages, calls } = releasing(async () => 0)
    pages.stop()
    pages.schedule()
    pages.stop()
    pages.stop()
    await sleep(QUIET_MS)
    assert.equal(calls(), 0)
  })

  it('is a line at debug, and no more, when it is refused', async () => {
    const { pages, lines } = releasing(() => Promise.reject(new Error('no pagemap')))
    pages.schedule()
    await eventually('its line', () => lines.length === 1 || undefined, 5_000)
    assert.match(lines[0]!, /debug\tPages of program files not released\t\{"reason":"no pagemap"\}/)
  })
})
