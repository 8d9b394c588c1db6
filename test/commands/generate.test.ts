import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { generate, withKeys } from '../../src/commands/generate.ts'

describe('the table of keys in every README', () => {
  it('is what the schemas say', async () => {
    assert.deepEqual(await generate({ check: true }), [], 'stale: run npm run generate')
  })

  it('needs a place', () =>
    assert.throws(() => withKeys('# A component\n', '| key |'), /no place for the table of keys/))
})
