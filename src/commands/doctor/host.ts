import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { reasonOf } from '../../errors.ts'
import { checkMount, findCgroupMount } from '../../receivers/netvitals/containers/cgroupfs.ts'
import { type Finding, ok, skipped, splitRemedy } from './finding.ts'

const MOUNTS = '/proc/self/mountinfo'

/** Layout and root of the cgroup hierarchy; `root` is containers::cgroup_root where it is set. */
export function checkCgroups(root?: string): Finding {
  const costs = 'everything counts as of the host'
  try {
    const mount = root === undefined ? findCgroupMount(MOUNTS) : checkMount(root)
    if (mount === undefined) throw new Error(`${root} is no cgroup2 file system; correct containers::cgroup_root`)
    const found = `${layoutOf(readFileSync(MOUNTS, 'utf8'))}, ${mount.root}`
    if (!mount.partial) return ok('cgroups', found)
    return {
      check: 'cgroups',
      status: 'degraded',
      found: `${found}, which shows only a part of the hierarchy`,
      costs: 'containers elsewhere that were there before the start count as of the host',
      fix: "run in the host's cgroup namespace, or mount the host's /sys/fs/cgroup and set containers::cgroup_root",
    }
  } catch (error) {
    return { check: 'cgroups', status: 'degraded', costs, ...splitRemedy(reasonOf(error)) }
  }
}

export function layoutOf(mountinfo: string): string {
  const types = new Set(mountinfo.split('\n').map((line) => line.split(' - ')[1]?.split(' ')[0]))
  if (types.has('cgroup2')) return types.has('cgroup') ? 'hybrid (v1 and v2)' : 'v2'
  return types.has('cgroup') ? 'v1' : 'none'
}

/** Where runtimes listen unless they are told otherwise. */
const SOCKETS: readonly (readonly [runtime: string, path: string])[] = [
  ['docker', '/run/docker.sock'],
  ['podman', '/run/podman/podman.sock'],
  ['containerd', '/run/containerd/containerd.sock'],
  ['containerd (k3s)', '/run/k3s/containerd/containerd.sock'],
  ['containerd (microk8s)', '/var/snap/microk8s/common/run/containerd.sock'],
  ['cri-o', '/run/crio/crio.sock'],
]
const CONNECT_MS = 1000

/** Podman listens once a user too. */
function rootlessPodman(): [string, string][] {
  const users = existsSync('/run/user') ? readdirSync('/run/user') : []
  return users.map((uid) => [`podman (user ${uid})`, `/run/user/${uid}/podman/podman.sock`])
}

export async function checkRuntimes(sockets = [...SOCKETS, ...rootlessPodman()]): Promise<Finding[]> {
  const present = sockets.filter(([, path]) => existsSync(path))
  if (present.length === 0) return [skipped('runtimes', 'none found: containers are told apart by their cgroups')]
  return Promise.all(
    present.map(async ([runtime, path]): Promise<Finding> => {
      const failure = await connectTo(path)
      if (failure === undefined) return ok(`runtime ${runtime}`, path)
      return {
        check: `runtime ${runtime}`,
        status: 'degraded',
        found: `${path}: ${failure}`,
        costs: 'its containers have no names and labels, only ids',
        fix: failure === 'EACCES' ? 'run as root, or as a member of the group of the socket' : 'see that it runs',
      }
    }),
  )
}

function connectTo(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    const end = (failure?: string) => {
      socket.destroy()
      resolve(failure)
    }
    socket.setTimeout(CONNECT_MS, () => end('does not answer'))
    socket.on('connect', () => end())
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? reasonOf(error)))
  })
}
