import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildGo, executable, type GoBinary } from './go-build.ts'

const SOURCE = join(import.meta.dirname, 'kube')
/** Kubernetes refuses to start without knowing its own version. */
const VERSION_PACKAGES = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']

let built: Promise<GoBinary> | undefined

/** The tests' Kubernetes: `kube` of the folder that NETVITALS_TEST_KUBE names, else built from `kube/` into the user's cache. */
export function buildKube(): Promise<GoBinary> {
  built ??= build(process.env)
  return built
}

/** As buildKube, with an environment of the caller's and without its memory. */
export async function build(env: NodeJS.ProcessEnv): Promise<GoBinary> {
  const folder = env.NETVITALS_TEST_KUBE
  if (folder) {
    const path = join(folder, 'kube')
    if (await executable(path)) return { path }
    throw new Error(`NETVITALS_TEST_KUBE names a folder without a program "kube": ${folder}`)
  }
  return buildGo(
    {
      ...{ what: 'Kubernetes', name: 'kube', source: SOURCE, linkFlags: await linkFlags() },
      // 11 minutes of one processor, and 0.8 GiB to download before.
      timeoutMs: 60 * 60_000,
      onBuild: (path) => console.error(`building Kubernetes into ${path}: 11 minutes of one processor, once`),
    },
    env,
  )
}

async function linkFlags(): Promise<string> {
  const goMod = await readFile(join(SOURCE, 'go.mod'), 'utf8')
  const [, version, major, minor] = /k8s\.io\/kubernetes (v(\d+)\.(\d+)\.\d+)/.exec(goMod)!
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' }
  const settings = VERSION_PACKAGES.flatMap((name) =>
    Object.entries(values).map(([key, value]) => `-X ${name}.${key}=${value}`),
  )
  return ['-s', '-w', ...settings].join(' ')
}
