import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { run } from './script.ts'
import { unavailable } from './tracing.ts'

describe('a tracer in a process that ends', { skip: unavailable }, () => {
  const addonUrl = new URL('../../src/receivers/netvitals/kernel/tracer.ts', import.meta.url).href
  const tracingUrl = new URL('tracing.ts', import.meta.url).href
  const opening = `
    import { loadAddon } from ${JSON.stringify(addonUrl)}
    import { options } from ${JSON.stringify(tracingUrl)}
    import net from 'node:net'
    const open = (more) => new (loadAddon().Tracer)(options(more))
    const connect = () => net.connect(1, '127.0.0.1').on('error', () => {})
    const pump = setInterval(connect, 5)
  `

  it('takes a throw of onError for an uncaught exception', async () => {
    const { code, out } = await run(`${opening}
      process.on('uncaughtException', (error) => {
        console.log('uncaught', error.message)
        process.exit(3)
      })
      open({ onRecords() { throw new Error('one') }, onError(error) { throw new Error('two after ' + error.message) } })
    `)
    assert.deepEqual({ code, out }, { code: 3, out: 'uncaught two after one\n' })
  })

  for (const [how, ending] of [
    ['by process.exit()', 'process.exit(0)'],
    ['by process.exit() in the midst of a walk', 'tracer.sample(); tracer.snapshot(-1); process.exit(0)'],
    ['by itself, the tracer closed', 'clearInterval(pump); tracer.close()'],
  ] as const)
    it(`lets it end ${how}`, async () => {
      const result = await run(`${opening}
        let ended = false
        const tracer = open({ onRecords() {
          if (ended) return
          ended = true
          console.log('records')
          ${ending}
        } })
      `)
      assert.deepEqual(result, { code: 0, signal: null, out: 'records\n' })
    })

  it('keeps it from ending while it is open', async () => {
    const script = `${opening}
      clearInterval(pump)
      const tracer = open({})
      setTimeout(() => { console.log('still here'); tracer.close() }, 300).unref()
    `
    assert.deepEqual(await run(script), { code: 0, signal: null, out: 'still here\n' })
  })
})
