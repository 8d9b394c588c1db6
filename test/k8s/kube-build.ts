import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Binary, buildGoProgram, programOf } from '../e2e/go-build.ts'

const SOURCE = join(import.meta.dirname, 'kube')
/** Kubernetes refuses to start without knowing its own version. */
const VERSION_PACKAGES = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']

let built: Promise<Binary> | undefined

/** The tests' Kubernetes: `kube` of the folder that NETVITALS_TEST_KUBE names, else built from `kube/` into the user's cache. */
export function buildKube(): Promise<Binary> {
  built ??= build(process.env)
  return built
}

/** As buildKube, with an environment of the caller's and without its memory. */
export async function build(env: NodeJS.ProcessEnv): Promise<Binary> {
  const options = { name: 'Kubernetes', cacheName: 'kube', directory: SOURCE, linkFlags: await linkFlags() }
  return buildGoProgram(
    {
      ...(await programOf(options)),
      ...{ variable: 'NETVITALS_TEST_KUBE', file: 'kube' },
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
