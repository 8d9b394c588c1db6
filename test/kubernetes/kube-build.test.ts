import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { build } from '../k8s/kube-build.ts'

const directory = mkdtempSync(join(tmpdir(), 'netvitals-kube-build-'))
after(() => rmSync(directory, { recursive: true }))

/** A stand-in for the compiler: the real one takes 11 minutes. */
const COMPILER = `#!/bin/sh
if [ "$1" = version ]; then echo "go version go1.26.3 linux/amd64"; exit; fi
echo "$@" >> "$GO_CALLS"
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n' > "$2"; chmod +x "$2"
`

describe('the Kubernetes to test against', () => {
  it('is that of the folder which NETVITALS_TEST_KUBE names, and it is said when that has none', async () => {
    writeFileSync(join(directory, 'kube'), '')
    chmodSync(join(directory, 'kube'), 0o755)
    assert.deepEqual(await build({ NETVITALS_TEST_KUBE: directory }), { path: join(directory, 'kube') })
    await assert.rejects(build({ NETVITALS_TEST_KUBE: '/nowhere' }), /without a program "kube": \/nowhere/)
  })

  it('is skipped with the reason where there is no Go', async () => {
    const { skip } = await build({ PATH: join(directory, 'none'), XDG_CACHE_HOME: join(directory, 'empty') })
    assert.match(skip!, /^no Kubernetes to test against: Go 1\.\d+ or newer is not installed$/)
  })

  it('is built once, and knows its own version', async () => {
    writeFileSync(join(directory, 'go'), COMPILER)
    chmodSync(join(directory, 'go'), 0o755)
    const calls = join(directory, 'calls')
    const env = { PATH: `${directory}:/usr/bin:/bin`, XDG_CACHE_HOME: join(directory, 'cache'), GO_CALLS: calls }
    const [first, second] = [await build(env), await build(env)]
    assert.equal(first.path, second.path)
    const lines = readFileSync(calls, 'utf8').trim().split('\n')
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /-X k8s\.io\/component-base\/version\.gitVersion=v1\.\d+\.\d+ /)
    assert.match(lines[0]!, /version\.gitMinor=\d+ /)
  })
})
