import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const addon = `${repository}/build/asan/netvitals.node`
const arch = process.arch === 'x64' ? 'x86_64' : 'aarch64'
const found = spawnSync('clang', [`-print-file-name=libclang_rt.asan-${arch}.so`], { encoding: 'utf8' })
const runtime = found.status === 0 ? found.stdout.trim() : ''

function missing(): string | false {
  if (process.getuid?.() !== 0) return 'needs root (loads eBPF programs)'
  if (!existsSync(addon)) return 'needs build/asan/netvitals.node: npm run test:asan builds it'
  return existsSync(runtime) ? false : "needs clang's AddressSanitizer runtime (Debian: libclang-rt-dev)"
}

/** Node under the runtime of AddressSanitizer, with the addon that was built for it. */
async function run(argv: readonly string[]) {
  const env = {
    ...process.env,
    NODE_TEST_CONTEXT: undefined,
    NETVITALS_ADDON: addon,
    LD_PRELOAD: runtime,
    // Node itself frees little when it ends: leaks would be its own.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:handle_segv=1:detect_stack_use_after_return=1',
  }
  const child = spawn(process.execPath, argv, { cwd: repository, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      output += data
    })
  const [code, signal] = await once(child, 'close')
  return { code, signal, output }
}

describe('the addon under AddressSanitizer', { skip: missing() }, () => {
  it('reports what it is there to report', async () => {
    const script = `
      import { loadAddon } from './src/receivers/netvitals/kernel/tracer.ts'
      loadAddon()
      console.log(process.report.getReport().sharedObjects.filter((each) => /asan/.test(each)).length)`
    const { code, output } = await run(['--input-type=module-typescript', '-e', script])
    assert.equal(code, 0, output)
    assert.match(output, /^2$/m, 'the runtime and the addon that was built for it')
  })

  for (const file of readdirSync(`${repository}/test/native`).filter((name) => name.endsWith('.test.ts')))
    it(`passes test/native/${file}`, async () => {
      const { code, signal, output } = await run(['--test', '--test-reporter=spec', `test/native/${file}`])
      assert.doesNotMatch(output, /AddressSanitizer/, output)
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, output)
      assert.match(output, /pass [1-9]/, output)
    })
})
