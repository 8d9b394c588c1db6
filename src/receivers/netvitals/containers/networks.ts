import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { CgroupDirectory } from './cgroupfs.ts'
import { HOST, parsePath } from './parse-path.ts'

/** Upper half of an id that is a network namespace's: inodes of cgroups never get there. */
export const NETWORK = 0xffff_ffff

export const networkId = (inode: number): bigint => (BigInt(NETWORK) << 32n) | BigInt(inode)
export const isNetworkId = (id: bigint): boolean => Number(id >> 32n) === NETWORK

/** Processes between two times at which the walk may be put off. */
const PROCESSES_PER_STEP = 16

interface Owner {
  readonly path: string
  readonly podUid: string | undefined
  /** What holds a pod's namespaces, and opens no sockets. */
  readonly pauses: boolean
}

/**
 * Network namespaces, each under the path of the container that it belongs to: what a host without cgroup2 has instead,
 * where every socket is in the root cgroup. Told by the cgroups (of v1, where containers are) of the processes in them:
 *
 * - one container: that one; a pod's `pause` does not count;
 * - several of a pod: the pod; others that share one: the container whose process is the oldest, which made it;
 * - the namespace of the host's init: the host, also for the containers on it.
 *
 * All are yielded at the end; until then `undefined` now and then.
 */
export function* walkNetworks(procPath: string): Generator<CgroupDirectory | undefined, void, void> {
  const host = networkOf(`${procPath}/1`)
  /** By inode, then by container, the oldest first. */
  const networks = new Map<number, Map<string, Owner>>()
  const pids = readdirSync(procPath).filter((name) => /^\d+$/.test(name))
  for (const [index, pid] of pids.sort((a, b) => Number(a) - Number(b)).entries()) {
    if (index % PROCESSES_PER_STEP === 0) yield undefined
    const process = `${procPath}/${pid}`
    const inode = networkOf(process)
    if (inode === undefined || inode === host) continue
    const owners = networks.get(inode) ?? new Map<string, Owner>()
    networks.set(inode, owners)
    const path = cgroupOf(process)
    const { key, podUid } = parsePath(path)
    if (key === HOST.key || owners.has(key)) continue
    owners.set(key, { path, podUid, pauses: podUid !== undefined && textOf(`${process}/comm`) === 'pause\n' })
  }
  if (host !== undefined) yield { id: networkId(host), path: '/' }
  for (const [inode, owners] of networks) yield { id: networkId(inode), path: ownerOf([...owners.values()]) }
}

function ownerOf(owners: readonly Owner[]): string {
  const [first, second] = owners.filter(({ pauses }) => !pauses)
  if (first === undefined) return owners[0] === undefined ? '/' : podOf(owners[0].path)
  return second !== undefined && first.podUid !== undefined && first.podUid === second.podUid
    ? podOf(first.path)
    : first.path
}

/** The part of a pod's container's path that is the pod's own. */
function podOf(path: string): string {
  const parts = path.split('/')
  for (let length = 2; length <= parts.length; length++) {
    // `<slice>:cri-containerd:<id>` is one name.
    const prefix = parts.slice(0, length).join('/').replace(/:.*$/, '')
    if (parsePath(prefix).podUid !== undefined) return prefix
  }
  return path
}

function networkOf(process: string): number | undefined {
  try {
    return Number(/\d+/.exec(readlinkSync(`${process}/ns/net`))?.[0])
  } catch {
    // It ended, or is not for us to see.
    return undefined
  }
}

/** Of all hierarchies the path that names a container, else a unit. @see cgroups(7), /proc/pid/cgroup */
function cgroupOf(process: string): string {
  let unit = '/'
  for (const line of textOf(`${process}/cgroup`).split('\n')) {
    // Seen from within a cgroup namespace, others begin with `/..`.
    const path = line.replace(/^[^:]*:[^:]*:/, '').replace(/^(?:\/\.\.)+(?=\/|$)/, '')
    const { runtime } = parsePath(path)
    if (runtime === 'systemd') unit = path
    else if (runtime !== 'host') return path
  }
  return unit
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
