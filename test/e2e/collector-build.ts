import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, constants, mkdir, readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SOURCE = join(import.meta.dirname, 'collector')
// Cold, with nothing downloaded yet, the build takes 2.5 minutes on two cores.
const BUILD_TIMEOUT_MS = 15 * 60_000
const UNREACHABLE = /dial tcp|no such host|i\/o timeout|connection refused|TLS handshake timeout|network is unreachable/

/** Builds once between all processes: the lock goes with its holder, and a binary appears whole or not at all. */
const BUILD = `[ -x "$1" ] || {
  CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false -ldflags='-s -w' -o "$1.part" . && mv "$1.part" "$1"
}`

export type CollectorBinary =
  | { readonly path: string; readonly skip?: never }
  | { readonly skip: string; readonly path?: never }

let built: Promise<CollectorBinary> | undefined

/**
 * The tests' Collector: what NETVITALS_TEST_OTELCOL names, else built from `collector/` into the user's cache.
 * `skip` says why there is none: no Go, one too old, or no way to the modules. A build that fails otherwise throws.
 */
export function buildCollector(): Promise<CollectorBinary> {
  built ??= build(process.env)
  return built
}

/** As buildCollector, with an environment of the caller's and without its memory. */
export async function build(env: NodeJS.ProcessEnv): Promise<CollectorBinary> {
  const ready = env.NETVITALS_TEST_OTELCOL
  if (ready) {
    if (!(await executable(ready))) throw new Error(`NETVITALS_TEST_OTELCOL names no program: ${ready}`)
    return { path: ready }
  }
  const cache = join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'netvitals')
  const path = join(cache, `otelcol-${await sourceHash()}`)
  if (await executable(path)) return { path }
  const unfit = await goUnfit(env)
  if (unfit) return { skip: `no OpenTelemetry Collector to test against: ${unfit}` }
  await mkdir(cache, { recursive: true })
  try {
    await run('flock', [`${path}.lock`, 'sh', '-ec', BUILD, 'sh', path], {
      cwd: SOURCE,
      env,
      timeout: BUILD_TIMEOUT_MS,
      maxBuffer: 64 << 20,
    })
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? String(error)
    const lines = said.split('\n').filter((line) => line && !line.startsWith('go: downloading'))
    if (UNREACHABLE.test(said)) return { skip: `no way to the Collector's Go modules: ${lines.at(-1)}` }
    throw new Error(`building the Collector in ${SOURCE} failed:\n${lines.join('\n')}`, { cause: error })
  }
  return { path }
}

/** Of everything that goes into the binary: another source, another file in the cache. */
async function sourceHash(): Promise<string> {
  const names = (await readdir(SOURCE, { recursive: true })).filter((name) => /\.(go|mod|sum)$/.test(name)).sort()
  const hash = createHash('sha256').update(process.arch)
  for (const name of names) hash.update(`\0${name}\0`).update(await readFile(join(SOURCE, name)))
  return hash.digest('hex').slice(0, 16)
}

/** Why this machine's Go can't build it, if it can't. One from 1.21 on fetches the version it needs by itself. */
async function goUnfit(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const needed = (await readFile(join(SOURCE, 'go.mod'), 'utf8')).match(/^go (\d+)\.(\d+)/m)!
  const wanted = `Go ${needed[1]}.${needed[2]} or newer`
  try {
    const { stdout } = await run('go', ['version'], { cwd: SOURCE, env })
    const found = stdout.match(/go(\d+)\.(\d+)/)
    const enough = found && (Number(found[1]) - Number(needed[1]) || Number(found[2]) - Number(needed[2])) >= 0
    return enough ? undefined : `${wanted} is needed, this is ${stdout.trim()}`
  } catch (error) {
    const { code, stderr } = error as { code?: string | number; stderr?: string }
    return code === 'ENOENT' ? `${wanted} is not installed` : `${wanted} is needed: ${stderr?.trim() || error}`
  }
}

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
