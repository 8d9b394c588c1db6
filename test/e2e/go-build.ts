import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, constants, mkdir, readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const UNREACHABLE = /dial tcp|no such host|i\/o timeout|connection refused|TLS handshake timeout|network is unreachable/

/** A program to test against, or why there is none. */
export type Binary = { readonly path: string; readonly skip?: never } | { readonly skip: string; readonly path?: never }

export interface GoProgram {
  /** For messages: `OpenTelemetry Collector`. */
  readonly name: string
  /** The variable that names a ready one, or the folder that has it. */
  readonly variable: string
  /** In that folder. */
  readonly file?: string
  /** Of the file in the cache: another source, another name. */
  readonly cacheName: string
  /** The oldest Go that can build it. One from 1.21 on fetches the version it needs by itself. */
  readonly needs: { readonly major: number; readonly minor: number }
  readonly directory: string
  /** Shell that leaves the program at "$1.part". */
  readonly script: string
  readonly timeoutMs: number
  /** Called when it has to be built. */
  readonly onBuild?: (path: string) => void
}

/** A program from a folder with its go.mod: what it needs, and a name in the cache that changes with its source. */
export async function programOf(options: {
  readonly name: string
  readonly cacheName: string
  readonly directory: string
  readonly linkFlags?: string
}): Promise<Pick<GoProgram, 'name' | 'cacheName' | 'needs' | 'directory' | 'script'>> {
  const { name, cacheName, directory, linkFlags = '-s -w' } = options
  const goMod = await readFile(join(directory, 'go.mod'), 'utf8')
  const [, major, minor] = goMod.match(/^go (\d+)\.(\d+)/m)!
  return {
    name,
    cacheName: `${cacheName}-${await sourceHash(directory)}`,
    needs: { major: Number(major), minor: Number(minor) },
    directory,
    script: `CGO_ENABLED=0 nice go build -mod=readonly -trimpath -buildvcs=false -ldflags='${linkFlags}' -o "$1.part" .`,
  }
}

/** Of everything that goes into the binary: another source, another file in the cache. */
async function sourceHash(directory: string): Promise<string> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => /\.(go|mod|sum)$/.test(name)).sort()
  const hash = createHash('sha256').update(process.arch)
  for (const name of names) hash.update(`\0${name}\0`).update(await readFile(join(directory, name)))
  return hash.digest('hex').slice(0, 16)
}

/**
 * What the variable names, else built into the user's cache, once between all processes. `skip` says why there is
 * none: no Go, one too old, or no way to the modules. A build that fails otherwise throws.
 */
export async function buildGoProgram(program: GoProgram, env: NodeJS.ProcessEnv): Promise<Binary> {
  const given = env[program.variable]
  if (given) {
    const ready = program.file === undefined ? given : join(given, program.file)
    if (await executable(ready)) return { path: ready }
    const what = program.file === undefined ? 'no program' : `a folder without a program "${program.file}"`
    throw new Error(`${program.variable} names ${what}: ${given}`)
  }
  const path = join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'netvitals', program.cacheName)
  if (await executable(path)) return { path }
  const unfit = await goUnfit(program, env)
  if (unfit) return { skip: `no ${program.name} to test against: ${unfit}` }
  await mkdir(dirname(path), { recursive: true })
  program.onBuild?.(path)
  try {
    // The lock goes with its holder, and a binary appears whole or not at all.
    const once = `[ -x "$1" ] || { ${program.script} && mv "$1.part" "$1"; }`
    await run('flock', [`${path}.lock`, 'sh', '-ec', once, 'sh', path], {
      cwd: program.directory,
      env,
      timeout: program.timeoutMs,
      maxBuffer: 64 << 20,
    })
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? String(error)
    const lines = said.split('\n').filter((line) => line && !line.startsWith('go: downloading'))
    if (UNREACHABLE.test(said)) return { skip: `no way to the Go modules of the ${program.name}: ${lines.at(-1)}` }
    throw new Error(`building the ${program.name} in ${program.directory} failed:\n${lines.join('\n')}`, {
      cause: error,
    })
  }
  return { path }
}

/** Why this machine's Go can't build it, if it can't. */
async function goUnfit({ needs, directory }: GoProgram, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const wanted = `Go ${needs.major}.${needs.minor} or newer`
  try {
    const { stdout } = await run('go', ['version'], { cwd: directory, env })
    const found = stdout.match(/go(\d+)\.(\d+)/)
    const enough = found && (Number(found[1]) - needs.major || Number(found[2]) - needs.minor) >= 0
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
