import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { batchOf } from '../support/components.ts'
import { serviceOf } from '../support/service.ts'

const BASE = `
receivers: {script: }
processors: {pass: }
exporters: {memory: , memory/2: }
service: {pipelines: {metrics: {receivers: [script], processors: [pass], exporters: [memory]}}}`

function pipeline(yaml: string, parts: { processors?: string; exporters?: string; receivers?: string }): string {
  const { receivers = '[script]', processors = '[pass]', exporters = '[memory]' } = parts
  const line = `service: {pipelines: {metrics: {receivers: ${receivers}, processors: ${processors}, exporters: ${exporters}}}}`
  return yaml.replace(/service: .*/, line)
}

describe('a reload', () => {
  it('touches nothing when the configuration is the same', async () => {
    const { service, journal, configOf } = await serviceOf(BASE)
    await service.start()
    journal.length = 0
    assert.deepEqual(await service.reload(await configOf(BASE)), { kept: 3, started: 0, stopped: 0 })
    assert.deepEqual(journal, [])
    await service.stop()
  })

  it('lets what is the same run on, and its data flow to what is new at once', async () => {
    const { service, journal, received, deliver, configOf } = await serviceOf(BASE)
    await service.start()
    await deliver('script', batchOf('a', [1]))
    journal.length = 0
    const result = await service.reload(await configOf(pipeline(BASE, { exporters: '[memory/2]' })))
    assert.deepEqual(result, { kept: 2, started: 1, stopped: 1 })
    assert.deepEqual(journal, ['start memory/2', 'stop memory'])
    await deliver('script', batchOf('b', [1]))
    assert.deepEqual(received.get('memory'), [batchOf('a', [1])])
    assert.deepEqual(received.get('memory/2'), [batchOf('b', [1])])
    await service.stop()
    assert.deepEqual(
      journal.slice(2).filter((line) => line.startsWith('stop')),
      ['stop script', 'stop pass', 'stop memory/2'],
    )
  })

  it('that takes the last exporter away that somebody reads tells so', async () => {
    const both = pipeline(BASE, { exporters: '[memory, memory/2]' })
    const { service, readersGo, unread, configOf } = await serviceOf(both)
    await service.start()
    readersGo.get('memory')!()
    await service.reload(await configOf(pipeline(BASE, { exporters: '[memory/2]' })))
    assert.equal(unread.length, 0)
    await service.reload(await configOf(both))
    readersGo.get('memory')!()
    await new Promise(setImmediate)
    assert.equal(unread.length, 0)
    await service.reload(await configOf(BASE))
    assert.equal(unread.length, 1)
    await service.stop()
  })

  it('takes a processor into the path, and out of it, while the rest runs', async () => {
    const { service, journal, deliver, configOf } = await serviceOf(BASE)
    await service.start()
    await service.reload(
      await configOf(pipeline(BASE, { processors: '[pass, pass/2]' }).replace('{pass: }', '{pass: , pass/2: }')),
    )
    journal.length = 0
    await deliver('script', batchOf('a', [1]))
    assert.deepEqual(journal, ['pass passes', 'pass/2 passes'])
    journal.length = 0
    await service.reload(await configOf(pipeline(BASE, { processors: '[]' })))
    assert.deepEqual(journal, ['stop pass', 'stop pass/2'])
    journal.length = 0
    await deliver('script', batchOf('b', [1]))
    assert.deepEqual(journal, [])
    await service.stop()
  })

  it('starts a changed exporter before it stops the one before, which keeps what it has', async () => {
    const { service, journal, received, deliver, configOf } = await serviceOf(BASE)
    await service.start()
    journal.length = 0
    await service.reload(await configOf(BASE.replace('memory: ,', 'memory: {stop_after: 10ms},')))
    assert.deepEqual(journal, ['start memory', 'stop memory'])
    await deliver('script', batchOf('b', [1]))
    assert.deepEqual(received.get('memory'), [batchOf('b', [1])])
    await service.stop()
  })

  it('makes an exporter anew when a file that its settings name has changed', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'netvitals-'))
    const token = join(directory, 'token')
    try {
      writeFileSync(token, 'a')
      const yaml = BASE.replace('memory: ,', `memory: {token_file: ${token}},`)
      const { service, journal, configOf } = await serviceOf(yaml)
      await service.start()
      journal.length = 0
      await service.reload(await configOf(yaml))
      assert.deepEqual(journal, [])
      writeFileSync(token, 'longer')
      await service.reload(await configOf(yaml))
      assert.deepEqual(journal, ['start memory', 'stop memory'])
      await service.stop()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  for (const [what, change, reason] of [
    ['be created', ['memory: ,', 'memory: {create: throw},'], /failed to create "memory" exporter: no memory/],
    ['start', ['script: ', 'script: {start: throw}'], /failed to start "script" receiver: no device/],
  ] as const) {
    it(`goes back to how it was when a new component cannot ${what}`, async () => {
      const { service, journal, received, deliver, configOf } = await serviceOf(BASE)
      await service.start()
      const kept = received.get('memory')
      journal.length = 0
      const changed = pipeline(BASE.replace(change[0], change[1]), { exporters: '[memory, memory/2]' })
      await assert.rejects(service.reload(await configOf(changed)), reason)
      assert.ok(!journal.includes('stop memory') && !journal.includes('stop pass'), journal.join())
      await deliver('script', batchOf('b', [1]))
      assert.deepEqual(kept, [batchOf('b', [1])])
      assert.deepEqual(received.get('memory/2') ?? [], [])
      // And the next one is as if nothing had been tried.
      assert.deepEqual(await service.reload(await configOf(BASE)), { kept: 3, started: 0, stopped: 0 })
      await service.stop()
    })
  }

  it('hands a receiver what the one before holds, and both are told in the right order', async () => {
    const { service, journal, configOf } = await serviceOf(BASE.replace('script: ', 'script: {heir: 1}'))
    await service.start()
    journal.length = 0
    await service.reload(await configOf(BASE.replace('script: ', 'script: {heir: 2}')))
    assert.deepEqual(journal, ['script/2 takes over from script/1'])
    await service.stop()
    assert.deepEqual(journal.slice(1), ['stop script', 'stop pass', 'stop memory'])
  })

  it('hands it to a receiver of another name too, when that is the one that goes', async () => {
    const yaml = BASE.replace('script: ', 'script: {heir: 1}')
    const { service, journal, configOf } = await serviceOf(yaml)
    await service.start()
    journal.length = 0
    const renamed = pipeline(BASE.replace('script: ', 'script/x: {heir: 2}'), { receivers: '[script/x]' })
    await service.reload(await configOf(renamed))
    assert.deepEqual(journal, ['script/2 takes over from script/1'])
    await service.stop()
  })

  it('gives back what a receiver took over when another cannot start', async () => {
    const yaml = BASE.replace('script: ', 'script: {heir: 1}')
    const { service, journal, received, deliver, configOf } = await serviceOf(yaml)
    await service.start()
    journal.length = 0
    const changed = pipeline(BASE.replace('script: ', 'script: {heir: 2}, script/b: {start: throw}'), {
      receivers: '[script, script/b]',
    })
    await assert.rejects(service.reload(await configOf(changed)), /failed to start "script\/b"/)
    assert.deepEqual(
      journal.filter((line) => line.includes('takes over')),
      ['script/2 takes over from script/1', 'script/1 takes over from script/2'],
    )
    await deliver('script', batchOf('b', [1]))
    assert.deepEqual(received.get('memory'), [batchOf('b', [1])])
    assert.deepEqual(await service.reload(await configOf(yaml)), { kept: 3, started: 0, stopped: 0 })
    await service.stop()
  })

  it('is one after the other, and none after a stop', async () => {
    const { service, journal, configOf } = await serviceOf(BASE)
    await service.start()
    journal.length = 0
    const slow = await configOf(BASE.replace('memory: ,', 'memory: {stop_after: 30ms},'))
    await Promise.all([service.reload(slow), service.reload(await configOf(BASE))])
    assert.deepEqual(journal, ['start memory', 'stop memory', 'start memory', 'stop memory'])
    await service.stop()
    await assert.rejects(service.reload(slow), /stopping/)
  })

  it('changes level, fields and encoding of the log, for those too that have their logger already', async () => {
    const { service, lines, logOf, configOf } = await serviceOf(BASE)
    await service.start()
    lines.length = 0
    logOf('script').debug('hidden')
    const logs = (text: string) =>
      `${BASE}\n  telemetry: {logs: ${text}}`.replace('service: {', 'service:\n  ').replace('}}}\n', '}}\n')
    await service.reload(await configOf(logs('{level: debug, initial_fields: {site: north}}')))
    logOf('script').debug('shown')
    assert.match(lines.join(''), /debug\tshown\t.*"site":"north"/)
    assert.doesNotMatch(lines.join(''), /hidden/)
    await service.stop()
  })
})
