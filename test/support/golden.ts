import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'

/** With UPDATE_GOLDEN=1 the file is written anew: look at the difference before it is committed. */
export function assertGolden(file: URL, text: string): void {
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, text)
  assert.equal(text, readFileSync(file, 'utf8'))
}
