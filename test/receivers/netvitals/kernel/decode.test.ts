import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  Cgroup,
  Conn,
  createRecords,
  eachRecord,
  type Records,
} from '../../../../src/receivers/netvitals/kernel/decode.ts'
import { ConnLayout, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'

const repository = fileURLToPath(new URL('../../../..', import.meta.url))
const source = fileURLToPath(new URL('records.c', import.meta.url))

/** The first of a compiler that is there. */
function compiler(): string | undefined {
  return ['clang', 'cc', 'gcc'].find((each) => spawnSync(each, ['--version']).status === 0)
}

type Decoded = Record<string, number | string | number[]>

function decode(r: Records, kind: number): Decoded {
  if (kind >= Kind.cgroupMkdir) return { kind, id: String(Cgroup.id(r)), path: Cgroup.path(r) }
  const fields = Object.entries(Conn).map(([name, read]) => [name, read(r)])
  const exact = new Set(['id', 'cgroupId', 'connectNs', 'bytesSent', 'bytesReceived'])
  const conn = Object.fromEntries(
    fields.map(([name, value]) => [name, exact.has(name as string) ? String(value) : value]),
  )
  const address = (at: number) => [...r.bytes.subarray(r.offset + at, r.offset + at + 16)]
  return { kind, ...conn, local: address(ConnLayout.local), remote: address(ConnLayout.remote) }
}

describe('records that a C program wrote', { skip: compiler() ? false : 'needs a C compiler' }, () => {
  let bytes: Buffer
  let written: Decoded[]

  before(() => {
    const folder = mkdtempSync(join(tmpdir(), 'netvitals-records-'))
    try {
      const program = join(folder, 'records')
      execFileSync(compiler()!, ['-Wall', '-Werror', '-I', repository, '-o', program, source])
      const { stdout, stderr, status } = spawnSync(program)
      assert.equal(status, 0)
      bytes = stdout
      written = JSON.parse(stderr.toString())
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  /** In a buffer of its own, the records `at` bytes from its beginning. */
  function records(at = 0): Records {
    const buffer = new ArrayBuffer(bytes.length + at)
    const view = new Uint8Array(buffer, at)
    view.set(bytes)
    return createRecords(view)
  }

  it('are read field by field', () => {
    const read: Decoded[] = []
    assert.equal(
      eachRecord(records(), bytes.length, (r, kind) => read.push(decode(r, kind))),
      written.length,
    )
    assert.equal(written.length, 20)
    assert.deepEqual(read, written)
  })

  it('are read from the midst of a buffer', () => {
    const read: Decoded[] = []
    eachRecord(records(4096), bytes.length, (r, kind) => read.push(decode(r, kind)))
    assert.deepEqual(read, written)
  })

  it('end where the batch ends, whatever an earlier batch left behind', () => {
    const read: Decoded[] = []
    assert.equal(
      eachRecord(records(), ConnLayout.size * 2, (r, kind) => read.push(decode(r, kind))),
      2,
    )
    assert.deepEqual(read, written.slice(0, 2))
    assert.equal(
      eachRecord(records(), 0, () => assert.fail('no record')),
      0,
    )
  })

  it('cover every kind of record and both families', () => {
    const kinds = new Set(written.map(({ kind }) => kind))
    for (const [name, kind] of Object.entries(Kind))
      assert.equal(kinds.has(kind), kind !== Kind.none && kind !== Kind.kinds, name)
    assert.deepEqual(new Set(written.map(({ family }) => family)), new Set([4, 6, undefined]))
    const paths = written.flatMap(({ path }) => (path === undefined ? [] : [(path as string).length]))
    assert.deepEqual(paths, [0, 44, 26, 511])
  })

  for (const [name, kind] of [
    ['none', Kind.none],
    ['that is past the last', Kind.kinds],
    ['of no sense', 0xffffffff],
  ] as const)
    it(`of a kind ${name} stop the reading, with their place`, () => {
      const all = records()
      all.u32[ConnLayout.size >>> 2] = kind
      let read = 0
      assert.throws(
        () => eachRecord(all, bytes.length, () => read++),
        new Error(`record of unknown kind ${kind} at byte 112 of ${bytes.length}`),
      )
      assert.equal(read, 1)
    })
})
