import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cli } from '../support/cli.ts'
import { assertGolden } from '../support/golden.ts'

describe('netvitals components', () => {
  it('prints all there is, as the Collector lays it out', async () => {
    const { code, stdout, stderr } = await cli(['components'])
    assert.equal(code, 0, stderr)
    const text = stdout.replace(/^( {4}version: ).*$/m, '$1VERSION')
    assertGolden(new URL('testdata/components.yaml.txt', import.meta.url), text)
  })
})
