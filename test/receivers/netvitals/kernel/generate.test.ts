import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import {
  generateLayout,
  layoutFile,
  layoutObject,
  readBtf,
} from '../../../../src/receivers/netvitals/kernel/generate.ts'

type Types = Parameters<typeof generateLayout>[0]
type Type = Types[number]

describe('the layout of records', { skip: existsSync(layoutObject) ? false : 'needs build/bpf: npm run setup' }, () => {
  it('is generated from bpf/events.h, and the copy in the source is fresh', () => {
    assert.equal(readFileSync(layoutFile, 'utf8'), generateLayout(readBtf(layoutObject)))
  })

  it('changes with the records', () => {
    const types = readBtf(layoutObject)
    const conn = types.find((type) => type.name === 'nv_conn')!
    const [first, second] = conn.members!
    ;[first!.name, second!.name] = [second!.name, first!.name]
    assert.notEqual(readFileSync(layoutFile, 'utf8'), generateLayout(types))
  })
})

/** A list of BTF types with a record of these members: name, id of its type, place in bytes. */
function btf(members: [string, number, number][], size: number): Types {
  const integer = (id: number, bytes: number): Type => ({ id, kind: 'INT', name: `u${bytes * 8}`, size: bytes })
  return [
    integer(1, 1),
    integer(2, 2),
    integer(4, 4),
    integer(8, 8),
    { id: 9, kind: 'TYPEDEF', name: '__u32', type_id: 4 },
    { id: 10, kind: 'ARRAY', name: '(anon)', type_id: 1, nr_elems: 16 },
    {
      id: 11,
      kind: 'STRUCT',
      name: 'nv_conn',
      size,
      members: members.map(([name, type_id, at]) => ({ name, type_id, bits_offset: at * 8 })),
    },
    { id: 12, kind: 'STRUCT', name: 'nv_cgroup', size: 4, members: [{ name: 'kind', type_id: 4, bits_offset: 0 }] },
    { id: 17, kind: 'STRUCT', name: 'nv_ends', size: 4, members: [{ name: 'with_srtt', type_id: 4, bits_offset: 0 }] },
    { id: 18, kind: 'STRUCT', name: 'nv_ended', size: size, members: [{ name: 'r', type_id: 11, bits_offset: 0 }] },
    { id: 13, kind: 'ENUM', name: 'nv_kind', values: [{ name: 'NV_CGROUP_MKDIR', val: 8 }] },
    { id: 14, kind: 'ENUM', name: 'nv_direction', values: [{ name: 'NV_INBOUND', val: 2 }] },
    { id: 15, kind: 'ENUM', name: 'nv_flags', values: [{ name: 'NV_NO_SYN', val: 8 }] },
    { id: 16, kind: 'ENUM64', name: 'nv_counter', values: [{ name: 'NV_COUNT_LOST', val: 0 }] },
  ]
}

describe('the generator', () => {
  it('writes names as TypeScript has them, with their places', () => {
    const text = generateLayout(
      btf(
        [
          ['cgroup_id', 8, 0],
          ['netns', 9, 8],
          ['bytes_of_16', 10, 12],
        ],
        28,
      ),
    )
    for (const line of [
      '  size: 28,',
      '  cgroupId: 0,',
      '  netns: 8,',
      '  bytesOf16: 12,',
      '  withSrtt: 0,',
      '  cgroupMkdir: 8,',
      '  inbound: 2,',
      '  noSyn: 8,',
      '  lost: 0,',
    ])
      assert.ok(text.includes(`${line}\n`), line)
  })

  it('refuses padding between two members', () => {
    const members: [string, number, number][] = [
      ['kind', 4, 0],
      ['id', 8, 8],
    ]
    assert.throws(() => generateLayout(btf(members, 16)), new Error('struct nv_conn: padding before id, bytes 4 to 8'))
  })

  it('refuses padding at the end', () => {
    const members: [string, number, number][] = [
      ['id', 8, 0],
      ['family', 1, 8],
    ]
    assert.throws(
      () => generateLayout(btf(members, 16)),
      new Error('struct nv_conn: padding at its end, bytes 9 to 16'),
    )
  })

  for (const name of ['nv_conn', 'nv_cgroup', 'nv_kind', 'nv_counter'])
    it(`says where ${name} is to be defined when it is missing`, () => {
      const types = btf([['kind', 4, 0]], 4).filter((type) => type.name !== name)
      assert.throws(() => generateLayout(types), new RegExp(`^Error: bpf/layout.bpf.c: ${name} is not in its BTF`))
    })
})
