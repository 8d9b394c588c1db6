import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { basename, join } from 'node:path'

const cache = join(import.meta.dirname, '../../build/test')

/** Compiles the C files of a folder to a program of its name, unless that is done already. Path of the program. */
export function compileProgram(folder: string): string {
  const files = readdirSync(folder).filter((name) => /\.[ch]$/.test(name))
  const hash = createHash('sha256')
  for (const name of files) hash.update(readFileSync(join(folder, name)))
  const program = join(cache, `${basename(folder)}-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(program)) return program
  mkdirSync(cache, { recursive: true })
  const units = files.filter((name) => name.endsWith('.c')).map((name) => join(folder, name))
  const unfinished = `${program}.${process.pid}`
  execFileSync('clang', ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', unfinished, ...units])
  renameSync(unfinished, program)
  return program
}
