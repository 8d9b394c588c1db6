// Makes layout.gen.ts: sizes and offsets of the records of bpf/events.h, from the BTF that the compiler wrote.
// Run by `npm run generate`; a test compares.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

interface BtfType {
  id: number
  kind: string
  name: string
  size?: number
  type_id?: number
  nr_elems?: number
  members?: { name: string; type_id: number; bits_offset: number }[]
  values?: { name: string; val: number }[]
}

const structs = { nv_conn: 'Conn', nv_cgroup: 'Cgroup', nv_ends: 'Ends', nv_ended: 'Ended' }
const enums = { nv_kind: 'Kind', nv_direction: 'Direction', nv_flags: 'Flag', nv_counter: 'Counter' }

const camel = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
const pascal = (name: string) => camel(`_${name.toLowerCase()}`)

/** @throws {Error} when a record has padding: bytes whose content nobody defines. */
export function generateLayout(types: readonly BtfType[]): string {
  const byId = new Map(types.map((type) => [type.id, type]))
  const sizeOf = (id: number): number => {
    const type = byId.get(id)!
    if (type.kind === 'ARRAY') return type.nr_elems! * sizeOf(type.type_id!)
    return type.size ?? sizeOf(type.type_id!)
  }
  const find = (kinds: string[], name: string) => {
    const type = types.find((each) => kinds.includes(each.kind) && each.name === name)
    if (!type) throw new Error(`bpf/layout.bpf.c: ${name} is not in its BTF; define a variable of it there`)
    return type
  }
  const lines = ['// Made by kernel/generate.ts from bpf/events.h. Do not edit: npm run generate.']
  for (const [name, title] of Object.entries(structs)) {
    const type = find(['STRUCT'], name)
    lines.push(
      '',
      `/** struct ${name}: bytes from its beginning. */`,
      `export const ${title}Layout = {`,
      `  size: ${type.size},`,
    )
    let end = 0
    for (const member of type.members!) {
      const offset = member.bits_offset / 8
      if (offset !== end) throw new Error(`struct ${name}: padding before ${member.name}, bytes ${end} to ${offset}`)
      end = offset + sizeOf(member.type_id)
      lines.push(`  ${camel(member.name)}: ${offset},`)
    }
    if (end !== type.size) throw new Error(`struct ${name}: padding at its end, bytes ${end} to ${type.size}`)
    lines.push('} as const')
  }
  for (const [name, title] of Object.entries(enums)) {
    const type = find(['ENUM', 'ENUM64'], name)
    lines.push('', `/** enum ${name} */`, `export const ${title} = {`)
    for (const value of type.values!)
      lines.push(
        `  ${camel(pascal(value.name.replace(/^NV_(COUNT_)?/, '')).replace(/^./, (c) => c.toLowerCase()))}: ${value.val},`,
      )
    lines.push('} as const')
  }
  return `${lines.join('\n')}\n`
}

export function readBtf(object: string): BtfType[] {
  const path = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`
  const json = execFileSync('bpftool', ['btf', 'dump', '-j', 'file', object], {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  })
  return JSON.parse(json).types
}

export const layoutFile = fileURLToPath(new URL('./layout.gen.ts', import.meta.url))
export const layoutObject = fileURLToPath(new URL('../../../../build/bpf/layout.o', import.meta.url))

if (import.meta.main) writeFileSync(layoutFile, generateLayout(readBtf(layoutObject)))
