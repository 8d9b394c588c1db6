import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createLogger, type LogOptions } from '../src/log.ts'

function logged(options: LogOptions, use: (log: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = []
  use(createLogger({ ...options, write: (line) => lines.push(line) }))
  return lines
}

describe('the log', () => {
  it('is one line a record: time, level, message, fields', () => {
    const [line] = logged({}, (log) => log.child({ part: 'x' }).warn({ n: 1, text: 'two\nlines' }, 'Something changed'))
    assert.match(
      line!,
      /^\d{4}-\d\d-\d\dT[\d:.]+Z\twarn\tSomething changed\t\{"part":"x","n":1,"text":"two\\nlines"\}\n$/,
    )
  })

  it('is JSON where asked for', () => {
    const [line] = logged({ encoding: 'json', initialFields: { site: 'north' } }, (log) => log.info({ n: 1 }, 'Hello'))
    const { ts, ...rest } = JSON.parse(line!)
    assert.ok(Math.abs(Date.parse(ts) - Date.now()) < 60_000)
    assert.deepEqual(rest, { level: 'info', site: 'north', n: 1, msg: 'Hello' })
  })

  it('leaves out what is below its level', () => {
    const lines = logged({ level: 'warn' }, (log) => {
      log.debug('no')
      log.info('no')
      log.warn('yes')
      log.error('yes')
    })
    assert.equal(lines.length, 2)
  })

  it('shows the reason of an error, and its stack only at debug', () => {
    const error = new Error('disk full')
    const [at] = logged({}, (log) => log.error({ error }, 'Cannot write'))
    assert.match(at!, /\{"error":"disk full"\}/)
    const [atDebug] = logged({ level: 'debug' }, (log) => log.error({ error }, 'Cannot write'))
    assert.match(atDebug!, /Error: disk full\\n +at /)
  })

  it('appends to every output', () => {
    const folder = mkdtempSync(join(tmpdir(), 'netvitals-log-'))
    const paths = ['a.log', 'b.log'].map((name) => join(folder, name))
    try {
      createLogger({ outputPaths: paths }).info('one')
      createLogger({ outputPaths: paths }).info('two')
      for (const path of paths) assert.match(readFileSync(path, 'utf8'), /\tone\n.*\ttwo\n$/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
