import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HOST, parsePath, unescapeUnit } from '../../../../src/receivers/netvitals/containers/parse-path.ts'
import { PATHS } from './paths.ts'

for (const [family, cases] of Object.entries(PATHS)) {
  describe(`a cgroup path of ${family}`, () => {
    for (const { path, source, is } of cases) {
      test(`${path} (${source})`, () => {
        assert.deepEqual(parsePath(path), is === 'host' ? HOST : { key: path, ...is })
      })
    }
  })
}

test('the table has the 60 shapes that it must have, each once', () => {
  const paths = Object.values(PATHS)
    .flat()
    .map(({ path }) => path)
  assert.ok(paths.length >= 60, `${paths.length} paths`)
  assert.equal(new Set(paths).size, paths.length)
})

test('a path that is cut in an id names no such container', () => {
  const id = 'a'.repeat(64)
  for (const cut of [1, 20, 63]) {
    assert.equal(parsePath(`/docker/${id.slice(0, cut)}`).key, 'host')
    assert.equal(parsePath(`/system.slice/docker-${id.slice(0, cut)}`).key, 'host')
  }
})

test('unit names are unescaped as systemd-escape -u does', () => {
  assert.equal(unescapeUnit('a\\x2db\\x40c'), 'a-b@c')
  assert.equal(unescapeUnit('plain-name'), 'plain-name')
})
