import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findCgroupMount } from '../../src/receivers/netvitals/containers/cgroupfs.ts'
import { cgroupPathOf, createCgroupCleaner, createSandbox, initOfContainer, type Sandbox } from './sandbox.ts'

/** A real container that runs. */
export interface LabContainer {
  /** 64 hexadecimal digits. */
  readonly id: string
  /** Its first process, by the host's number: its namespaces are /proc/<pid>/ns. */
  readonly pid: number
  /** From the root of the cgroup2 hierarchy. */
  readonly cgroupPath: string
  /** Inode of that directory. */
  readonly cgroupId: bigint
}

export interface RunOptions {
  /** Options of `run`: `['--name', 'web', '--network', 'none']`. */
  readonly options?: readonly string[]
  /** In the image: busybox, as every command that it has. Sleeps when absent. */
  readonly command?: readonly string[]
}

/** An engine of the test's own, in namespaces of its own, with storage of its own. */
export interface Engine {
  readonly runtime: 'docker' | 'podman'
  readonly sandbox: Sandbox
  /** Its API, as this process sees it. */
  readonly socket: string
  run(options?: RunOptions): Promise<LabContainer>
  exec(container: LabContainer, command: readonly string[]): Promise<string>
  /** Kills and removes it. */
  remove(container: LabContainer): Promise<void>
  /** Any command of the engine's, e.g. `['inspect', id]`; gives its output. */
  command(args: readonly string[]): Promise<string>
  /** Ends containers, engine and namespaces, and removes what they made. Twice is fine. */
  stop(): Promise<void>
}

export const IMAGE = 'netvitals/busybox:test'

/** Why an engine can't be had here; false when it can. */
export function missing(runtime: 'docker' | 'podman'): string | false {
  if (process.getuid?.() !== 0) return 'needs root'
  const programs = [
    'unshare',
    'nsenter',
    'ip',
    ...(runtime === 'docker' ? ['dockerd', 'docker', 'containerd'] : ['podman', 'conmon']),
    'runc',
  ]
  const absent = programs.filter((program) => programPath(program) === undefined)
  if (busyboxPath() === undefined) absent.push('a static busybox')
  return absent.length === 0 ? false : `needs ${absent.join(', ')} (npm run test:containers installs them)`
}

/**
 * dockerd with containerd, storage, socket and bridge of its own. `daemon` are more of dockerd's options. The cgroupfs
 * driver, because the other would have the host's systemd make units; no firewall rules unless asked for.
 */
export async function createDocker({
  daemon = ['--iptables=false'],
}: {
  daemon?: readonly string[]
} = {}): Promise<Engine> {
  // 20.10 writes a key to /etc/docker, wherever its configuration is.
  const sandbox = await createSandbox('docker', 'if [ -d /etc/docker ]; then mount -t tmpfs none /etc/docker; fi')
  const at = (name: string) => join(sandbox.directory, name)
  const socket = at('docker.sock')
  writeFileSync(at('daemon.json'), '{}')
  const { log } = sandbox.start([
    'dockerd',
    ...['--config-file', at('daemon.json'), '--data-root', at('data'), '--exec-root', at('exec')],
    ...['--pidfile', at('docker.pid'), '--host', `unix://${socket}`, '--group', '0', '--bip', '10.77.2.1/24'],
    ...['--exec-opt', 'native.cgroupdriver=cgroupfs', '--userland-proxy=false', ...daemon],
  ])
  const cli = ['docker', '--host', `unix://${socket}`]
  const engine = createEngine({ runtime: 'docker', sandbox, socket, cli, cgroupParent: 'docker' })
  try {
    await until(
      () => engine.command(['version']),
      30_000,
      () => `dockerd does not answer:\n${log()}`,
    )
    await engine.command(['import', makeRootfs(sandbox.directory), IMAGE])
  } catch (error) {
    await engine.stop()
    throw error
  }
  return engine
}

/** Podman with storage and locks of its own; containers share the sandbox' network unless `run` says otherwise. */
export async function createPodman(): Promise<Engine> {
  const sandbox = await createSandbox('podman', 'mount -t tmpfs none /dev/shm')
  const at = (name: string) => join(sandbox.directory, name)
  const podman = [
    'podman',
    ...['--root', at('storage'), '--runroot', at('run'), '--tmpdir', at('tmp'), '--network-config-dir', at('networks')],
    ...['--cgroup-manager', 'cgroupfs', '--runtime', 'runc', '--events-backend', 'none'],
  ]
  const engine = createEngine({
    ...{ runtime: 'podman', sandbox, socket: at('podman.sock'), cli: podman, cgroupParent: 'libpod_parent' },
    runDefaults: ['--network', 'host'],
  })
  try {
    await engine.command(['import', makeRootfs(sandbox.directory), IMAGE])
    sandbox.start([...podman, 'system', 'service', '--time', '0', `unix://${engine.socket}`])
  } catch (error) {
    await engine.stop()
    throw error
  }
  return engine
}

interface EngineParts extends Pick<Engine, 'runtime' | 'sandbox' | 'socket'> {
  /** The command, with options that every command of the engine has. */
  readonly cli: readonly string[]
  readonly cgroupParent: string
  /** Of `run`, where it says nothing of a network. */
  readonly runDefaults?: readonly string[]
}

function createEngine({ runtime, sandbox, socket, cli, cgroupParent, runDefaults = [] }: EngineParts): Engine {
  const cgroups = createCgroupCleaner(cgroupParent)
  const mount = findCgroupMount()
  const running = new Set<string>()
  if (runtime === 'podman') cgroups.own(`/${cgroupParent}/conmon`)
  let stopped: Promise<void> | undefined

  async function end(): Promise<void> {
    try {
      // So that the runtime removes their cgroups; what it leaves is removed below.
      if (running.size > 0) await command([...remove, ...running])
    } finally {
      await sandbox.stop()
      cgroups.clean()
    }
  }

  const command = (args: readonly string[]) => sandbox.run([...cli, ...args])
  // Podman asks first, and `sleep` as a first process does not listen: ten seconds each.
  const remove = ['rm', '--force', ...(runtime === 'podman' ? ['--time', '0'] : [])]

  return {
    runtime,
    sandbox,
    socket,
    command,
    async run({ options = [], command: inside = ['sleep', '3600'] } = {}) {
      const network = options.includes('--network') ? [] : runDefaults
      const output = await command(['run', '--detach', ...network, ...options, IMAGE, ...inside])
      const id = output.split('\n').at(-1)!
      running.add(id)
      const pid = initOfContainer(id)
      cgroups.own(`/${cgroupParent}/${runtime === 'podman' ? 'libpod-' : ''}${id}`)
      const cgroupPath = pid === undefined ? undefined : cgroupPathOf(pid)
      if (pid === undefined || cgroupPath === undefined) throw new Error(`${runtime} container ${id} has no process`)
      return { id, pid, cgroupPath, cgroupId: lstatSync(mount.root + cgroupPath, { bigint: true }).ino }
    },
    exec: ({ id }, inside) => command(['exec', id, ...inside]),
    async remove({ id }) {
      await command([...remove, id])
      running.delete(id)
    },
    stop: () => (stopped ??= end()),
  }
}

/** The root file system of an image made by hand, as a tar file: busybox alone. */
function makeRootfs(directory: string): string {
  const root = join(directory, 'rootfs')
  for (const name of ['bin', 'etc', 'proc', 'sys', 'tmp', 'dev']) mkdirSync(join(root, name), { recursive: true })
  const busybox = join(root, 'bin/busybox')
  copyFileSync(busyboxPath()!, busybox)
  chmodSync(busybox, 0o755)
  const tar = join(directory, 'rootfs.tar')
  const script = `"$1" --list | while read applet; do [ "$applet" = busybox ] || ln -s busybox "$2/bin/$applet"; done && tar -C "$2" -cf "$3" .`
  const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', busybox, root, tar], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`cannot make the image: ${stderr}`)
  return tar
}

export function programPath(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path))
}

/** A dynamically linked one would find no libraries in the image. */
function busyboxPath(): string | undefined {
  const path = programPath('busybox')
  if (path === undefined) return undefined
  return spawnSync('ldd', [path], { encoding: 'utf8' }).status === 0 ? undefined : path
}

async function until<T>(attempt: () => Promise<T>, timeoutMs: number, explain: () => string): Promise<T> {
  const giveUpMs = Date.now() + timeoutMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() > giveUpMs) throw new Error(explain(), { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
