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
  Ends,
  eachEnd,
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
  let joined: { bytes: Buffer; written: Decoded[] }

  before(() => {
    const folder = mkdtempSync(join(tmpdir(), 'netvitals-records-'))
    try {
      const program = join(folder, 'records')
      execFileSync(compiler()!, ['-Wall', '-Werror', '-I', repository, '-o', program, source])
      const run = (...args: string[]) => {
        const { stdout, stderr, status } = spawnSync(program, args)
        assert.equal(status, 0)
        return { bytes: stdout, written: JSON.parse(stderr.toString()) as Decoded[] }
      }
      joined = run('joined')
      ;({ bytes, written } = run())
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  /** In a buffer of its own, the records `at` bytes from its beginning. */
  function records(at = 0, content = bytes): Records {
    const buffer = new ArrayBuffer(content.length + at)
    const view = new Uint8Array(buffer, at)
    view.set(content)
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

  it('that were joined are read together, and one by one in their order', () => {
    const read: Decoded[] = []
    const kinds: number[] = []
    const all = records(4096, joined.bytes)
    const count = eachRecord(all, ConnLayout.size * 3, (r, kind) => {
      kinds.push(kind)
      if (kind !== Kind.ends) return void read.push(decode(r, kind))
      assert.deepEqual(
        [Ends.kind(r), Ends.count(r), Ends.srttUs(r), Ends.withSrtt(r)],
        [Kind.fail, 3, 2 ** 53 - 1, 0x7ffffff2],
      )
      eachEnd(r, (one, of) => read.push(decode(one, of)))
    })
    assert.deepEqual(kinds, [written[0]!.kind, Kind.ends, written[2]!.kind])
    assert.equal(count, 5)
    assert.deepEqual(read, joined.written)
  })

  it('stay where they are when one of the joined ones is not taken', () => {
    const all = records(0, joined.bytes)
    all.offset = ConnLayout.size
    const refusal = new Error('not this one')
    assert.throws(
      () =>
        eachEnd(all, () => {
          throw refusal
        }),
      refusal,
    )
    assert.equal(all.offset, ConnLayout.size)
  })

  it('cover every kind of record and both families', () => {
    const kinds = new Set(written.map(({ kind }) => kind))
    for (const [name, kind] of Object.entries(Kind))
      assert.equal(kinds.has(kind), kind !== Kind.none && kind !== Kind.ends && kind !== Kind.kinds, name)
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
