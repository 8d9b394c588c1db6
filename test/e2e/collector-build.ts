import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Binary, buildGoProgram } from './go-build.ts'

const SOURCE = join(import.meta.dirname, 'collector')
const BUILD = `CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false -ldflags='-s -w' -o "$1.part" .`

let built: Promise<Binary> | undefined

/**
 * The tests' Collector: what NETVITALS_TEST_OTELCOL names, else built from `collector/` into the user's cache.
 * `skip` says why there is none: no Go, one too old, or no way to the modules. A build that fails otherwise throws.
 */
export function buildCollector(): Promise<Binary> {
  built ??= build(process.env)
  return built
}

/** As buildCollector, with an environment of the caller's and without its memory. */
export async function build(env: NodeJS.ProcessEnv): Promise<Binary> {
  const [, major, minor] = (await readFile(join(SOURCE, 'go.mod'), 'utf8')).match(/^go (\d+)\.(\d+)/m)!
  const program = {
    name: 'OpenTelemetry Collector',
    variable: 'NETVITALS_TEST_OTELCOL',
    cacheName: `otelcol-${await sourceHash()}`,
    needs: { major: Number(major), minor: Number(minor) },
    directory: SOURCE,
    script: BUILD,
  }
  return buildGoProgram(program, env)
}

/** Of everything that goes into the binary: another source, another file in the cache. */
async function sourceHash(): Promise<string> {
  const names = (await readdir(SOURCE, { recursive: true })).filter((name) => /\.(go|mod|sum)$/.test(name)).sort()
  const hash = createHash('sha256').update(process.arch)
  for (const name of names) hash.update(`\0${name}\0`).update(await readFile(join(SOURCE, name)))
  return hash.digest('hex').slice(0, 16)
}
