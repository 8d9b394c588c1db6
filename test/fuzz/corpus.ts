import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FOLDER, SKIP } from '../conformance/cases.ts'
import { ROOT } from '../support/cli.ts'

/** Every configuration that is at hand: the repository's own, and the conformance cases where they are. */
export function readCorpus(): string[] {
  const folders = ['test/config/testdata', 'test/commands/testdata', 'otel-config'].map((path) => join(ROOT, path))
  if (!SKIP) folders.push(join(FOLDER, 'input'), join(FOLDER, 'upstream'), join(FOLDER, 'testdata'))
  const files = folders.filter(existsSync).flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(?:ya?ml|txt)$/.test(entry.name))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
  )
  return [...files, ...HOSTILE]
}

const levels = (count: number, line: (level: number) => string): string =>
  Array.from({ length: count }, (_, level) => line(level)).join('\n')

/** What grows when it is read. */
const HOSTILE = [
  `a0: &a0 [x, x]\n${levels(30, (level) => `a${level + 1}: &a${level + 1} [*a${level}, *a${level}]`)}`,
  `a0: &a0 {k: 1}\n${levels(30, (level) => `a${level + 1}: &a${level + 1} {<<: [*a${level}, *a${level}], k${level}: 1}`)}`,
  `a: &a ${'x'.repeat(10_000)}\nb: [${Array(200).fill('*a').join(', ')}]`,
  `a: ${'['.repeat(99)}${']'.repeat(99)}`,
  `${levels(99, (level) => `${' '.repeat(level)}k:`)}`,
  `${'a::'.repeat(90)}b: 1`,
  `a: "\${yaml:\${yaml:\${yaml:[1, 2]}}}"\nb: "${`\${HOME}`.repeat(200)}"`,
  `exporters: {debug: {}, ${Array.from({ length: 500 }, (_, n) => `debug/${n}: {nonsense: ${n}}`).join(', ')}}`,
]
