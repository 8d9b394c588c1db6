import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { cgroup2Mount } from '../kernel/lab.ts'
import { eventually, startChild } from './child.ts'

const run = promisify(execFile)
const SYSTEMD = '/lib/systemd/systemd'

/**
 * A systemd of the test's own as process 1 of its own pid, mount, ipc, uts and cgroup namespaces, with nothing to
 * start but the units it is given: the machine's services and its /run stay as they are. The network is the machine's.
 */
const BOOT = `
  echo 0 > "$2/cgroup.procs"
  exec unshare --mount --pid --ipc --uts --cgroup --fork --kill-child --propagation private sh -ec '
    mount -t proc proc /proc
    umount -R /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
    mount -t tmpfs tmpfs /run
    mkdir -p /run/systemd
    cp -r "$1" /run/systemd/system
    exec env -i container=netvitals-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
      SYSTEMD_UNIT_PATH=/run/systemd/system "$0" --system --unit=empty.target --log-target=console --show-status=no
  ' "$0" "$1"
`
const EMPTY_TARGET = '[Unit]\nDefaultDependencies=no\n'

export interface Systemd extends AsyncDisposable {
  /** Resolves with its exit code and output; never rejects for a code. */
  systemctl(...args: string[]): Promise<{ readonly code: number; readonly output: string }>
  /** A property as `systemctl show` gives it, e.g. MainPID. */
  property(unit: string, name: string): Promise<string>
}

/** Why there can be none here, if so. */
export async function noSystemd(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root, to run systemd in namespaces of its own'
  if (!(await exists(SYSTEMD))) return `needs systemd (${SYSTEMD} is not there)`
  if (!cgroup2Mount()) return 'needs cgroup v2, at least beside v1'
  return undefined
}

/** Boots with these unit files, by path relative to the unit directory: `name.service`, `name.service.d/test.conf`. */
export async function startSystemd(units: Readonly<Record<string, string>>): Promise<Systemd> {
  const directory = await mkdtemp(join(tmpdir(), 'netvitals-units-'))
  const cgroup = join(cgroup2Mount()!, basename(directory))
  for (const [name, text] of Object.entries({ 'empty.target': EMPTY_TARGET, ...units })) {
    await mkdir(join(directory, name, '..'), { recursive: true })
    await writeFile(join(directory, name), text)
  }
  await mkdir(cgroup)
  const boot = startChild('sh', ['-ec', BOOT, SYSTEMD, directory, cgroup])

  async function dispose() {
    await boot.stop(0)
    await removeCgroup(cgroup)
    await rm(directory, { recursive: true, force: true })
  }

  try {
    const init = await eventually('systemd is running', async () => {
      if (!boot.running()) throw new Error(boot.stderr())
      const children = await readFile(`/proc/${boot.pid}/task/${boot.pid}/children`, 'utf8')
      const pid = Number(children)
      return pid > 0 && (await readFile(`/proc/${pid}/comm`, 'utf8')) === 'systemd\n' ? pid : undefined
    })
    const enter = ['--target', String(init), '--mount', '--pid', '--ipc', '--uts', '--cgroup']
    const inside = async (...command: string[]) =>
      run('nsenter', [...enter, ...command], { timeout: 60_000, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } }).then(
        ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
        ({ code, stdout, stderr }) => ({ code: Number(code ?? 1), output: `${stdout}${stderr}` }),
      )
    await eventually('systemd has started its target', async () => {
      const { code } = await inside('systemctl', 'is-active', 'empty.target')
      return code === 0 || undefined
    })
    const services = Object.keys(units).filter((name) => name.endsWith('.service'))
    return {
      systemctl: (...args) => inside('systemctl', ...args),
      property: async (unit, name) => (await inside('systemctl', 'show', '--value', '-p', name, unit)).output.trim(),
      [Symbol.asyncDispose]: async () => {
        // Stopped services leave nothing; killed with their systemd, they leave their PrivateTmp= directories.
        await inside('systemctl', 'stop', ...services)
        await dispose()
      },
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** Deepest first; the kernel takes a moment to let go of the processes that were killed. */
async function removeCgroup(path: string): Promise<void> {
  const below = await readdir(path, { recursive: true, withFileTypes: true })
  const groups = below.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
  for (const group of [...groups.sort().reverse(), path]) {
    await eventually(`${group} is empty`, () => rmdir(group).then(() => true), 5_000)
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
