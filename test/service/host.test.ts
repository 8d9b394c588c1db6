import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger } from '../../src/log.ts'
import { createHost } from '../../src/service/host.ts'

function hostOf() {
  const lines: string[] = []
  const host = createHost({
    log: createLogger({ write: (line) => lines.push(line.replace(/^\S+\t/, '').trimEnd()) }),
    extension: () => undefined,
    onFatal: () => {},
  })
  return { host, lines }
}

const id = { type: 'netvitals', name: '', toString: () => 'netvitals' }

describe("a part's state", () => {
  it('is one line a change, however often it is reported', () => {
    const { host, lines } = hostOf()
    for (const status of ['ok', 'ok', 'down', 'down', 'ok', 'ok'] as const) host.report(id, 'hook', status, 'EPERM')
    assert.deepEqual(lines, [
      'warn\thook is down\t{"component":"netvitals","part":"hook","detail":"EPERM"}',
      'info\thook works again\t{"component":"netvitals","part":"hook","detail":"EPERM"}',
    ])
  })

  it('is told again when it is down for another reason', () => {
    const { host, lines } = hostOf()
    host.report(id, 'hook', 'down', 'EPERM')
    host.report(id, 'hook', 'down', 'ENOENT')
    assert.equal(lines.length, 2)
  })

  it('is kept apart for each part', () => {
    const { host, lines } = hostOf()
    host.report(id, 'a', 'down')
    host.report(id, 'b', 'down')
    assert.equal(lines.length, 2)
  })
})
