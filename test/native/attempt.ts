// Opens a tracer and says how that went, as JSON: {code, message, codes, left}. An argument makes it harder.
import { closeSync, openSync } from 'node:fs'
import { loadAddon } from '../../src/receivers/netvitals/kernel/tracer.ts'
import { descriptors, options } from './tracing.ts'

const { Tracer } = loadAddon()
const how = process.argv[2]

function attempt(): { code: string; message: string } {
  try {
    new Tracer(options()).close()
    return { code: 'loaded', message: '' }
  } catch (error) {
    const { code = 'none', message } = error as NodeJS.ErrnoException
    return { code, message }
  }
}

if (how === 'nobody') {
  process.setgroups?.([])
  process.setgid?.(65534)
  process.setuid?.(65534)
}
const before = descriptors().all
const taken: number[] = []
try {
  while (how === 'crowded') taken.push(openSync('/dev/null', 'r'))
} catch {} // all descriptors are taken
const first = attempt()
// One more is free each time: opening fails at every place where it takes one. (It does not succeed in the end:
// libbpf remembers for the whole process what it could not find out about the kernel.)
const codes = new Set([first.code])
for (let i = 0; i < 30 && taken.length > 0; i++) {
  closeSync(taken.pop()!)
  codes.add(attempt().code)
}
for (const fd of taken) closeSync(fd)
console.log(JSON.stringify({ ...first, codes: [...codes], left: descriptors().all - before }))
