/** The bench's own C programs, compiled into build/bench when they are older than their sources. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')
const sources = import.meta.dirname
const output = join(root, 'build', 'bench')
const headers = [join(root, 'bpf', 'events.h'), join(root, 'bpf', 'kernel.h'), join(sources, 'yardstick.h')]

const processors: Partial<Record<NodeJS.Architecture, { target: string; multiarch: string }>> = {
  x64: { target: 'x86', multiarch: 'x86_64-linux-gnu' },
  arm64: { target: 'arm64', multiarch: 'aarch64-linux-gnu' },
}

const changedMs = (path: string) => (existsSync(path) ? statSync(path).mtimeMs : 0)

function compile(source: string, target: string, args: readonly string[]): string {
  const from = join(sources, source)
  const to = join(output, target)
  if (changedMs(to) > Math.max(...[from, ...headers].map(changedMs))) return to
  mkdirSync(output, { recursive: true })
  execFileSync('clang', ['-O2', '-Wall', '-Werror', `-I${root}`, from, '-o', to, ...args], { stdio: 'inherit' })
  return to
}

/** @returns the program's path @throws when clang fails */
export function buildProgram(name: string): string {
  return compile(`${name}.c`, name, ['-lbpf', '-lelf', '-lz'])
}

/** @returns the object's path @throws when clang fails */
export function buildObject(name: string): string {
  const { target, multiarch } = processors[process.arch]!
  const flags = [`-D__TARGET_ARCH_${target}`, `-I/usr/include/${multiarch}`]
  return compile(`${name}.bpf.c`, `${name}.bpf.o`, ['-g', '-target', 'bpf', '-mcpu=v3', '-c', ...flags])
}
