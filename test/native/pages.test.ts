import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { run } from './script.ts'

const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
const PREPARED = `
  import { releasePages } from ${url('../../src/receivers/netvitals/kernel/pages.ts')}
  import { mappingsOf, peek, poke, resident } from ${url('mappings.ts')}
`

/** What the script prints, as JSON. */
async function told<T>(script: string): Promise<T> {
  const { code, signal, out } = await run(`${PREPARED}${script}`)
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, out)
  return JSON.parse(out) as T
}

interface Released {
  readonly bytes: number
  readonly before: { file: number; anonymous: number }
  readonly after: { file: number; anonymous: number }
}

describe('the release of pages of program files', () => {
  it('lets go of most of what a start had read, and of nothing that is the process’ own', async () => {
    const { bytes, before, after } = await told<Released>(`
      globalThis.gc?.()
      const before = resident()
      const bytes = await releasePages()
      console.log(JSON.stringify({ bytes, before, after: resident() }))
    `)
    const text = JSON.stringify({ bytes, before, after })
    assert.ok(bytes > before.file / 2 && bytes <= before.file, text)
    assert.ok(after.file < before.file * 0.75, text)
    assert.ok(after.anonymous >= before.anonymous, text)
  })

  it('leaves a page that was written into', async () => {
    const FILES = '/\\/(node|libm\\.so\\.6|libstdc\\+\\+\\.so\\.6[.\\d]*|netvitals\\.node)$/'
    const { written, read, mappings } = await told<{
      written: string[]
      read: number[]
      mappings: { path: string; before: number[]; after: number[] }[]
    }>(`
      const first = (all) => all.filter(({ path }, index) => all.findIndex((each) => each.path === path) === index)
      await releasePages() // the addon is loaded
      const headers = first(mappingsOf(${FILES}))
      // Bytes of padding in the ELF header: nobody reads them.
      const at = ({ begin }) => begin + 9
      for (const each of headers) poke(at(each), 0x5a)
      const of = (path) => mappingsOf(${FILES}).filter((each) => each.path === path)
      const before = headers.map(({ path }) => of(path))
      for (let i = 0; i < 3; i++) await releasePages()
      const mappings = headers.map(({ path }, i) => ({
        path,
        before: before[i].map(({ anonymous }) => anonymous),
        after: of(path).map(({ anonymous }) => anonymous),
      }))
      console.log(JSON.stringify({ written: headers.map(({ path }) => path), read: headers.map((each) => peek(at(each))), mappings }))
    `)
    assert.equal(written.length, 4, written.join())
    assert.deepEqual(
      read,
      written.map(() => 0x5a),
    )
    for (const { path, before, after } of mappings) {
      assert.ok(before[0]! > 0, path)
      assert.deepEqual(
        after.map((bytes, i) => bytes >= before[i]!),
        after.map(() => true),
        path,
      )
    }
  })

  it('changes nothing of what the program then does', async () => {
    const work = `
      import { createHash } from 'node:crypto'
      import { brotliCompressSync, gunzipSync, gzipSync } from 'node:zlib'
      import { Worker } from 'node:worker_threads'
      async function work() {
        const text = Array.from({ length: 5_000 }, (_, i) => new Intl.NumberFormat('de').format(i * 1234.5)).join()
        const worker = new Worker('(await import("node:worker_threads")).parentPort.postMessage([..."äöü"].length)', { eval: true })
        const [length] = await (await import('node:events')).once(worker, 'message')
        globalThis.gc?.()
        const hash = createHash('sha256').update(gunzipSync(gzipSync(text))).update(brotliCompressSync(text)).digest('hex')
        return [hash, length, text.normalize('NFD').length, new Date(0).toLocaleString('ja', { timeZone: 'Asia/Tokyo' })].join()
      }
    `
    const { before, after } = await told<{ before: string; after: string[] }>(`${work}
      const before = await work()
      const after = []
      for (let i = 0; i < 5; i++) {
        await releasePages()
        // In the midst of it, too.
        const [result] = await Promise.all([work(), releasePages()])
        after.push(result)
      }
      console.log(JSON.stringify({ before, after }))
    `)
    assert.deepEqual(after, Array(5).fill(before))
  })

  it('may be asked for by many at once', async () => {
    const all = await told<number[]>(
      'console.log(JSON.stringify(await Promise.all(Array.from({ length: 50 }, releasePages))))',
    )
    assert.ok(all.every(Number.isFinite))
  })

  for (const [how, end] of [
    ['ends by process.exit()', 'process.exit(0)'],
    ['ends by itself', ''],
  ] as const)
    it(`is no matter to a process that ${how} meanwhile`, async () => {
      const script = `${PREPARED}
        for (let i = 0; i < 20; i++) void releasePages()
        ${end}
      `
      assert.deepEqual(await run(script), { code: 0, signal: null, out: '' })
    })

  it('is no matter to a worker that is terminated meanwhile', async () => {
    const program = `
      const { loadAddon } = await import(${url('../../src/receivers/netvitals/kernel/tracer.ts')})
      const { parentPort } = await import('node:worker_threads')
      parentPort.postMessage('begins')
      for (;;) await loadAddon().releasePages()
    `
    const codes = await told<number[]>(`
      import { once } from 'node:events'
      import { Worker } from 'node:worker_threads'
      const codes = []
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(${JSON.stringify(`(async () => {${program}})()`)}, { eval: true })
        await once(worker, 'message')
        codes.push(await worker.terminate())
      }
      console.log(JSON.stringify(codes))
    `)
    assert.deepEqual(codes, Array(5).fill(1))
  })

  it('is refused with a reason where the process cannot look at its own pages', {
    skip: process.getuid?.() !== 0 && 'needs root (mounts over /proc)',
  }, () => {
    const script = `${PREPARED}
      await releasePages().catch(({ code, message }) => console.log(code, message))
    `
    const argv = [process.execPath, '--input-type=module-typescript', '-e', script]
    const hidden = ['--mount', 'sh', '-ec', 'mount -t tmpfs none /proc; exec "$@"', 'sh', ...argv]
    const { stdout, stderr } = spawnSync('unshare', hidden, { encoding: 'utf8' })
    assert.equal(stdout, 'ERR_PAGES releasing pages: No such file or directory\n', stderr)
  })
})
