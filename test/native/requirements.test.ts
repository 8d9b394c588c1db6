import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { unavailable } from './tracing.ts'

/** What attempt.ts says. */
interface Tried {
  readonly code: string
  readonly message: string
  readonly codes: string[]
  readonly left: number
}

describe('without what the tracer needs', { skip: unavailable }, () => {
  const attempt = fileURLToPath(new URL('attempt.ts', import.meta.url))
  async function tried(command: string, ...argv: string[]): Promise<Tried> {
    const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (data) => {
      out += data
    })
    await once(child, 'close')
    return JSON.parse(out)
  }

  it('says that it lacks permission when not root', async () => {
    const { code, message } = await tried(process.execPath, attempt, 'nobody')
    assert.equal(code, 'ERR_BPF_PERMISSION')
    assert.match(message, /^the kernel refused to load eBPF programs: Operation not permitted$/)
  })

  it('says that there is no BTF where there is none', async (t) => {
    const hidden = 'mount -t tmpfs none /sys/kernel/btf && exec "$@"'
    const { code, message } = await tried('unshare', '--mount', 'sh', '-c', hidden, 'sh', process.execPath, attempt)
    if (code === 'loaded') return t.skip('this machine has BTF in another place too')
    assert.equal(code, 'ERR_NO_BTF')
    assert.match(message, /^no BTF of the running kernel at \/sys\/kernel\/btf\/vmlinux: No such file or directory$/)
  })

  it('says what failed when descriptors run out, and leaves none open', async () => {
    const script = `ulimit -n 100 && exec "$@"`
    const result = await tried('sh', '-c', script, 'sh', process.execPath, attempt, 'crowded')
    assert.equal(result.code, 'ERR_BPF_LOAD')
    assert.match(result.message, /Too many open files/)
    for (const code of result.codes) assert.match(code, /^ERR_(BPF_LOAD|BPF_ATTACH|RING)$/)
    assert.equal(result.left, 0, 'descriptors left open')
  })
})
