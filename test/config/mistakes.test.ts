import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { cli, ROOT } from '../support/cli.ts'

/** Those that are no YAML end in .txt, so that a formatter of YAML leaves them alone. */
const FOLDER = 'test/config/testdata'

/** What the file says that netvitals must print: the comment at its top. */
function expectedOf(file: string): string {
  const lines = readFileSync(join(ROOT, FOLDER, file), 'utf8').split('\n')
  const end = lines.findIndex((line) => !line.startsWith('#'))
  const comment = lines.slice(0, end < 0 ? undefined : end)
  return comment.map((line) => `${line.slice(2)}\n`).join('')
}

describe('each kind of mistake in a configuration', { concurrency: 2 }, () => {
  const files = readdirSync(join(ROOT, FOLDER)).filter((file) => file !== 'valid.yaml')

  it('has a fixture', () => {
    assert.ok(files.length >= 40)
  })

  for (const file of files) {
    it(`is told before anything starts: ${file.replace(/\.\w+$/, '')}`, async () => {
      const expected = expectedOf(file)
      assert.match(expected, /^Error: /, 'the fixture says what to expect')
      const result = await cli(['validate', '--config', `${FOLDER}/${file}`], {
        env: { NETVITALS_TEST_LOOP: `\${env:NETVITALS_TEST_LOOP}` },
      })
      assert.equal(result.stderr, expected)
      assert.equal(result.stdout, '')
      assert.equal(result.code, 1)
    })
  }
})
