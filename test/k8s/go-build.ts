import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, constants, mkdir, readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const UNREACHABLE = /dial tcp|no such host|i\/o timeout|connection refused|TLS handshake timeout|network is unreachable/

/** Builds once between all processes: the lock goes with its holder, and a binary appears whole or not at all. */
const BUILD = `[ -x "$1" ] || {
  CGO_ENABLED=0 nice go build -mod=readonly -trimpath -buildvcs=false -ldflags="$2" -o "$1.part" . && mv "$1.part" "$1"
}`

export type GoBinary =
  | { readonly path: string; readonly skip?: never }
  | { readonly skip: string; readonly path?: never }

export interface GoProgram {
  /** For people: `Kubernetes`. */
  readonly what: string
  /** Its file in the cache, before a hash of its source. */
  readonly name: string
  /** Folder with its go.mod. */
  readonly source: string
  readonly linkFlags?: string
  readonly timeoutMs: number
  /** Called when it has to be built. */
  readonly onBuild?: (path: string) => void
}

/**
 * A Go program, built from `source` into the user's cache. `skip` says why there is none: no Go, one too old, or no way
 * to the modules. A build that fails otherwise throws.
 */
export async function buildGo(program: GoProgram, env: NodeJS.ProcessEnv): Promise<GoBinary> {
  const { what, name, source, linkFlags = '-s -w', timeoutMs, onBuild } = program
  const cache = join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'netvitals')
  const path = join(cache, `${name}-${await sourceHash(source)}`)
  if (await executable(path)) return { path }
  const unfit = await goUnfit(source, env)
  if (unfit) return { skip: `no ${what} to test against: ${unfit}` }
  await mkdir(cache, { recursive: true })
  onBuild?.(path)
  try {
    const options = { cwd: source, env, timeout: timeoutMs, maxBuffer: 64 << 20 }
    await run('flock', [`${path}.lock`, 'sh', '-ec', BUILD, 'sh', path, linkFlags], options)
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? String(error)
    const lines = said.split('\n').filter((line) => line && !line.startsWith('go: downloading'))
    if (UNREACHABLE.test(said)) return { skip: `no way to the Go modules of ${what}: ${lines.at(-1)}` }
    throw new Error(`building ${what} in ${source} failed:\n${lines.join('\n')}`, { cause: error })
  }
  return { path }
}

/** Of everything that goes into the binary: another source, another file in the cache. */
async function sourceHash(source: string): Promise<string> {
  const names = (await readdir(source, { recursive: true })).filter((name) => /\.(go|mod|sum)$/.test(name)).sort()
  const hash = createHash('sha256').update(process.arch)
  for (const name of names) hash.update(`\0${name}\0`).update(await readFile(join(source, name)))
  return hash.digest('hex').slice(0, 16)
}

/** Why this machine's Go can't build it, if it can't. One from 1.21 on fetches the version it needs by itself. */
async function goUnfit(source: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const needed = (await readFile(join(source, 'go.mod'), 'utf8')).match(/^go (\d+)\.(\d+)/m)!
  const wanted = `Go ${needed[1]}.${needed[2]} or newer`
  try {
    const { stdout } = await run('go', ['version'], { cwd: source, env })
    const found = stdout.match(/go(\d+)\.(\d+)/)
    const enough = found && (Number(found[1]) - Number(needed[1]) || Number(found[2]) - Number(needed[2])) >= 0
    return enough ? undefined : `${wanted} is needed, this is ${stdout.trim()}`
  } catch (error) {
    const { code, stderr } = error as { code?: string | number; stderr?: string }
    return code === 'ENOENT' ? `${wanted} is not installed` : `${wanted} is needed: ${stderr?.trim() || error}`
  }
}

export async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
