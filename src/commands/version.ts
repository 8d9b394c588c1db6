import { readFileSync } from 'node:fs'

/** The version of package.json, which stands at the top of the clone as of the package. */
export function readVersion(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
