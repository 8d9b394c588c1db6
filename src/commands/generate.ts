/**
 * Writes the table of keys into the README of every component, from its schema. With --check only compares.
 *
 *   node src/commands/generate.ts [--check]
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { COMPONENTS, type ComponentEntry } from '../component/components.ts'
import { documentKeys } from '../config/document.ts'

const SOURCE = join(import.meta.dirname, '..')
const BEGIN = '<!-- keys: generated from config.ts by npm run generate -->'
const END = '<!-- end of keys -->'

/** Path of a component's README, from the repository's root. */
export function readmeOf({ kind, type }: Pick<ComponentEntry, 'kind' | 'type'>): string {
  return `src/${kind}s/${type}/README.md`
}

/**
 * A README with its table as the schema has it now.
 * @throws Error when it has no place for one
 */
export function withKeys(readme: string, table: string): string {
  const begin = readme.indexOf(BEGIN)
  const end = readme.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`no place for the table of keys: add the lines\n${BEGIN}\n${END}`)
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${readme.slice(end)}`
}

/** READMEs that are not as their schemas are; written unless it is only a check. */
export async function generate(options: { check: boolean }): Promise<string[]> {
  const stale: string[] = []
  for (const entry of COMPONENTS) {
    const path = readmeOf(entry)
    const file = join(SOURCE, '..', path)
    if (!existsSync(file))
      throw new Error(`${path} is missing: every component has one, with the lines\n${BEGIN}\n${END}`)
    const before = readFileSync(file, 'utf8')
    const { factory } = await entry.load()
    const after = withKeys(before, documentKeys(factory.config))
    if (after === before) continue
    stale.push(path)
    if (!options.check) writeFileSync(file, after)
  }
  return stale
}

if (import.meta.main) {
  const check = process.argv.includes('--check')
  const stale = await generate({ check })
  for (const path of stale) console.log(`${check ? 'stale' : 'written'}: ${path}`)
  process.exitCode = check && stale.length > 0 ? 1 : 0
}
