import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { batchOf } from '../support/components.ts'
import { serviceOf } from '../support/service.ts'

const TWO_PIPELINES = `
receivers: {script: {deliver: web}, script/idle: , script/unused: {start: throw}}
processors: {pass: , pass/2: }
exporters: {memory: , memory/2: }
extensions: {lamp: }
service:
  extensions: [lamp]
  pipelines:
    metrics: {receivers: [script], processors: [pass, pass/2], exporters: [memory]}
    metrics/b: {receivers: [script, script/idle], processors: [pass], exporters: [memory, memory/2]}
`

describe('a service', () => {
  it('starts from the back to the front and stops from the front to the back', async () => {
    const { service, journal } = await serviceOf(TWO_PIPELINES)
    await service.start()
    const started = journal.filter((line) => line.startsWith('start'))
    assert.deepEqual(started, [
      'start lamp',
      'start memory',
      'start memory/2',
      'start pass',
      'start pass/2',
      'start pass',
      'start script',
      'start script/idle',
    ])
    await service.stop()
    assert.deepEqual(
      journal.filter((line) => line.startsWith('stop')),
      [
        'stop script',
        'stop script/idle',
        'stop pass',
        'stop pass/2',
        'stop pass',
        'stop memory',
        'stop memory/2',
        'stop lamp',
      ],
    )
  })

  it('gives the data of a receiver to each of its pipelines, through its processors, to each exporter', async () => {
    const { service, journal, received } = await serviceOf(TWO_PIPELINES)
    await service.start()
    await service.stop()
    assert.deepEqual(received.get('memory'), [batchOf('web', [1, 2, 3]), batchOf('web', [1, 2, 3])])
    assert.deepEqual(received.get('memory/2'), [batchOf('web', [1, 2, 3])])
    assert.equal(journal.filter((line) => line === 'pass passes').length, 2)
    assert.equal(journal.filter((line) => line === 'pass/2 passes').length, 1)
  })

  it('gives all pipelines the same objects, so that exporters share what they keep by identity', async () => {
    const { service, received } = await serviceOf(TWO_PIPELINES)
    await service.start()
    await service.stop()
    assert.equal(received.get('memory')![0]![0], received.get('memory/2')![0]![0])
  })

  it('has one exporter and one receiver an id, and one processor an id and pipeline', async () => {
    const { journal } = await serviceOf(TWO_PIPELINES)
    assert.deepEqual(
      journal.filter((line) => line.startsWith('create')),
      ['create pass/2', 'create pass', 'create pass'],
    )
  })

  it('does not create what no pipeline uses', async () => {
    const { service, journal } = await serviceOf(TWO_PIPELINES)
    await service.start()
    assert.ok(!journal.some((line) => line.includes('unused')))
    await service.stop()
  })

  it('still delivers what a receiver hands over while it stops', async () => {
    const { service, received } = await serviceOf(`
receivers: {script: {start: deliver at stop}}
processors: {pass: }
exporters: {memory: }
service: {pipelines: {metrics: {receivers: [script], processors: [pass], exporters: [memory]}}}`)
    await service.start()
    await service.stop()
    assert.deepEqual(received.get('memory'), [batchOf('last', [1])])
  })

  it('gives the other exporters their data when one refuses it, and tells the receiver', async () => {
    const { service, received } = await serviceOf(`
receivers: {script: {deliver: web}}
exporters: {memory: , memory/full: {fail: true}}
service: {pipelines: {metrics: {receivers: [script], exporters: [memory/full, memory]}}}`)
    await assert.rejects(service.start(), /failed to start "script" receiver: memory is full/)
    assert.deepEqual(received.get('memory'), [batchOf('web', [1, 2, 3])])
  })

  it('stops what had started when a component cannot start', async () => {
    const { service, journal } = await serviceOf(`
receivers: {script: {start: throw}}
exporters: {memory: }
service: {pipelines: {metrics: {receivers: [script], exporters: [memory]}}}`)
    await assert.rejects(service.start(), {
      code: 'NETVITALS_COMPONENT_START',
      message: 'failed to start "script" receiver: no device',
    })
    assert.deepEqual(journal, ['start memory', 'start script', 'stop script', 'stop memory'])
  })

  it('stops once, however often it is told, and before its start too', async () => {
    const { service, journal } = await serviceOf(TWO_PIPELINES)
    await service.stop()
    await Promise.all([service.stop(), service.stop()])
    assert.ok(!journal.some((line) => line.startsWith('stop')))
  })

  it('does not let an exporter that hangs keep the others from stopping', async () => {
    const { service, journal, lines } = await serviceOf(`
receivers: {script: }
exporters: {memory: , memory/hangs: {stop_after: 1h}}
service: {pipelines: {metrics: {receivers: [script], exporters: [memory, memory/hangs]}}}`)
    await service.start()
    const begin = performance.now()
    await service.stop()
    assert.ok(performance.now() - begin < 4800)
    assert.ok(journal.includes('stop memory'))
    assert.ok(lines.some((line) => line.includes('Not waiting any longer') && line.includes('memory/hangs')))
  })

  it('passes on the first fatal error of a component', async () => {
    const { service, fatal } = await serviceOf(`
receivers: {script: {start: fatal}, script/2: {start: fatal}}
exporters: {memory: }
service: {pipelines: {metrics: {receivers: [script, script/2], exporters: [memory]}}}`)
    await service.start()
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(fatal.map(String), ['Error: device gone'])
    await service.stop()
  })

  it('tells when nobody reads any of its exporters any more, and not before', async () => {
    const { service, readersGo, unread } = await serviceOf(TWO_PIPELINES)
    await service.start()
    readersGo.get('memory')!()
    await new Promise(setImmediate)
    assert.equal(unread.length, 0)
    readersGo.get('memory/2')!()
    await new Promise(setImmediate)
    assert.equal(unread.length, 1)
    await service.stop()
  })
})
