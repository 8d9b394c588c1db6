import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from '../e2e/program.ts'
import { librariesOf, writeImage } from './image.ts'

export const BUSYBOX_IMAGE = 'localhost/busybox:1'
export const PAUSE_IMAGE = 'localhost/pause:1'
export const NETVITALS_IMAGE = 'localhost/netvitals:test'
export const COLLECTOR_IMAGE = 'localhost/otelcol:test'
const BUSYBOX = '/bin/busybox'

/** Why there can be no images here, if so. */
export function noImages(): string | undefined {
  if (!existsSync(BUSYBOX)) return 'needs busybox-static'
  try {
    execFileSync('ldd', [BUSYBOX], { stdio: 'ignore' })
    return 'needs busybox-static: the busybox that is here is linked to libraries'
  } catch {
    return undefined
  }
}

/** Busybox under all its names, and the image that holds a pod's namespaces. @returns their files */
export async function writeBasicImages(directory: string): Promise<string[]> {
  const root = makeRoot(join(directory, 'busybox'))
  cpSync(BUSYBOX, join(root, 'bin/busybox'))
  const applets = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet))
  const wait = 'trap "exit 0" TERM INT; while :; do sleep 86400 & wait $!; done'
  return [
    await writeImage(directory, { name: BUSYBOX_IMAGE, root, command: ['/bin/sh'] }),
    await writeImage(directory, { name: PAUSE_IMAGE, root, command: ['/bin/sh', '-c', wait] }),
  ]
}

/** netvitals as it is in this clone, compiled, with the Node that runs the tests. @returns its file */
export async function writeNetvitalsImage(directory: string): Promise<string> {
  const root = makeRoot(join(directory, 'netvitals'))
  const place = (from: string, to = from) => {
    mkdirSync(dirname(join(root, to)), { recursive: true })
    cpSync(from, join(root, to), { recursive: true, dereference: true })
  }
  const addon = join(ROOT, 'build/netvitals.node')
  for (const library of librariesOf([process.execPath, addon])) place(library)
  place(process.execPath, 'usr/bin/node')
  place(addon, 'opt/netvitals/build/netvitals.node')
  place(join(ROOT, 'dist'), 'opt/netvitals/dist')
  place(join(ROOT, 'package.json'), 'opt/netvitals/package.json')
  for (const name of runtimeModules()) place(join(ROOT, 'node_modules', name), join('opt/netvitals/node_modules', name))
  const entrypoint = ['/usr/bin/node', '/opt/netvitals/dist/main.js']
  return writeImage(directory, { name: NETVITALS_IMAGE, root, entrypoint })
}

/** A Collector of one static program. @returns its file */
export async function writeCollectorImage(directory: string, program: string): Promise<string> {
  const root = makeRoot(join(directory, 'otelcol'))
  cpSync(program, join(root, 'bin/otelcol'))
  return writeImage(directory, { name: COLLECTOR_IMAGE, root, entrypoint: ['/bin/otelcol'] })
}

/** Packages that the program loads, with theirs; not Node itself, which is one of them. */
function runtimeModules(): string[] {
  const args = ['ls', '--omit=dev', '--all', '--parseable']
  const lines = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8' }).split('\n')
  return lines
    .map((line) => line.slice(join(ROOT, 'node_modules/').length))
    .filter((name) => name !== '' && !name.startsWith('node-linux-') && !name.includes('/node_modules/'))
}

function makeRoot(root: string): string {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'tmp', 'dev', 'root', 'var'])
    mkdirSync(join(root, name), { recursive: true })
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n')
  return root
}
