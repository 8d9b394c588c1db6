import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ROOT } from '../support/cli.ts'

/** Runs netvitals in a shell; `$nv` there is the command. */
function shell(script: string): { readonly stdout: string; readonly stderr: string } {
  const command = `nv="'${process.execPath}' --disable-warning=ExperimentalWarning src/main.ts"; ${script}`
  const { stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: ROOT, encoding: 'utf8', timeout: 60_000 })
  return { stdout, stderr }
}

describe('the output of a command', () => {
  it('may be left unread, as of any Unix tool', () => {
    // More than a pipe holds: head has gone before the last of it is written.
    const { stdout, stderr } = shell('{ eval "$nv print-schema"; echo "exit $?" >&2; } | head -n 2')
    assert.equal(stdout.split('\n')[0], '{')
    assert.equal(stderr, 'exit 0\n')
  })

  for (const args of [
    '--help',
    '--version',
    'components',
    'featuregate',
    'print-config --config test/config/testdata/valid.yaml',
  ])
    it(`may be left unread from the first byte: ${args}`, () => {
      const { stderr } = shell(`{ sleep 0.2; eval "$nv ${args}"; echo "exit $?" >&2; } | true`)
      assert.match(stderr, /^exit 0\n$/)
    })

  it('may be left unread, whatever doctor finds', () => {
    const { stderr } = shell('{ eval "$nv doctor"; echo "exit $?" >&2; } | true')
    assert.match(stderr, /^exit [012]\n$/)
  })

  it('is read to its end by a reader that takes its time', () => {
    const { stdout } = shell('eval "$nv print-schema" | { sleep 1; tail -n 1; }')
    assert.equal(stdout, '}\n')
  })

  it('that finds no room is an error', { skip: existsSync('/dev/full') ? false : 'needs /dev/full' }, () => {
    const { stderr } = shell('eval "$nv components" >/dev/full; echo "exit $?" >&2')
    assert.match(stderr, /^Error: writing to stdout: ENOSPC[^\n]*\nexit 1\n$/)
  })
})
