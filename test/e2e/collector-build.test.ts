import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { build } from './collector-build.ts'

// A stand-in for the compiler, to see when and how often it is called; the other tests here use what Go really builds.
const COMPILER = `#!/bin/sh
if [ "$1" = version ]; then echo "go version go$GO_VERSION linux/amd64"; exit; fi
echo built >> "$GO_CALLS"
[ -z "$GO_FAILS" ] || { echo "$GO_FAILS" >&2; exit 1; }
while [ "$1" != -o ]; do shift; done
sleep 0.3
printf '#!/bin/sh\\n' > "$2"; chmod +x "$2"
`

describe('building the Collector', () => {
  let directory: string
  let env: NodeJS.ProcessEnv

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'netvitals-build-'))
    await mkdir(join(directory, 'bin'))
    await writeFile(join(directory, 'bin', 'go'), COMPILER)
    await chmod(join(directory, 'bin', 'go'), 0o755)
  })
  after(() => rm(directory, { recursive: true, force: true }))

  function fresh(name: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    env = {
      PATH: `${join(directory, 'bin')}:/usr/bin:/bin`,
      XDG_CACHE_HOME: join(directory, name),
      GO_CALLS: join(directory, `${name}.calls`),
      GO_VERSION: '1.26.3',
      ...more,
    }
    return env
  }

  it('takes the program that NETVITALS_TEST_OTELCOL names, and says when it names none', async () => {
    assert.deepEqual(await build({ NETVITALS_TEST_OTELCOL: '/bin/sh' }), { path: '/bin/sh' })
    await assert.rejects(
      build({ NETVITALS_TEST_OTELCOL: '/nowhere/otelcol' }),
      /NETVITALS_TEST_OTELCOL.*\/nowhere\/otelcol/,
    )
  })

  it('is skipped with the reason where Go is absent, or too old', async () => {
    assert.match(
      (await build(fresh('absent', { PATH: join(directory, 'none') }))).skip!,
      /Go 1\.26 or newer is not installed/,
    )
    assert.match((await build(fresh('old', { GO_VERSION: '1.19.8' }))).skip!, /Go 1\.26 or newer is needed.*go1\.19\.8/)
    assert.ok((await build(fresh('newer', { GO_VERSION: '1.30' }))).path)
    assert.ok((await build(fresh('major', { GO_VERSION: '2.0' }))).path)
  })

  it('is skipped with the reason where the modules cannot be reached, and fails where the source is wrong', async () => {
    const offline = 'go: example.org/x: Get "https://modules.example/": dial tcp: lookup modules.example: no such host'
    assert.match((await build(fresh('offline', { GO_FAILS: offline }))).skip!, /no such host/)
    await assert.rejects(build(fresh('wrong', { GO_FAILS: './main.go:9:2: undefined: x' })), /undefined: x/)
  })

  it('happens once, whoever asks at the same time, and again only in another cache', async () => {
    const first = fresh('once')
    const paths = await Promise.all([build(first), build(first), build(first)])
    assert.equal(new Set(paths.map(({ path }) => path)).size, 1)
    await build(first)
    assert.equal(await readFile(first.GO_CALLS!, 'utf8'), 'built\n')
  })
})
