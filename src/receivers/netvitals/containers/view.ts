import { type CgroupDirectory, type CgroupMount, checkMount, findCgroupMount, walkCgroups } from './cgroupfs.ts'
import { walkNetworks } from './networks.ts'

/** What is walked to find containers. */
export interface View {
  readonly what: string
  /** There may be more containers than it shows. */
  readonly partial: boolean
  /** Network namespaces in place of cgroups. */
  readonly networks: boolean
  readonly walk: () => Iterable<CgroupDirectory | undefined>
}

export interface ViewOptions {
  /** Mount point of the cgroup2 hierarchy; found in /proc/self/mountinfo when absent. */
  readonly cgroupRoot?: string | undefined
  /** Where this process' mounts are listed. */
  readonly mountinfoPath?: string
  /** Where processes are listed. */
  readonly procPath?: string
}

/** The view that there is; without one, or with one that shows less than cgroups would, the reason and what follows. */
export interface FoundView {
  readonly view?: View
  readonly problem?: string
}

/** The cgroup2 hierarchy; network namespaces on a host that has none. A setting that names none is not put right. */
export function findView({ cgroupRoot, mountinfoPath, procPath = '/proc' }: ViewOptions): FoundView {
  try {
    const { root, partial } = cgroupRoot === undefined ? findCgroupMount(mountinfoPath) : namedMount(cgroupRoot)
    return { view: { what: root, partial, networks: false, walk: () => walkCgroups(root) } }
  } catch (error) {
    const { message } = error as Error
    if (cgroupRoot !== undefined) return { problem: `${message}: until then everything is counted as host` }
    return {
      view: { what: procPath, partial: false, networks: true, walk: () => walkNetworks(procPath) },
      problem: `${message}: until then containers are told by their network namespaces, and those on the host's are host`,
    }
  }
}

function namedMount(cgroupRoot: string): CgroupMount {
  const found = checkMount(cgroupRoot.replace(/(?<=.)\/+$/, ''))
  if (found !== undefined) return found
  throw new Error(
    `containers::cgroup_root: "${cgroupRoot}" is no cgroup2 file system; write its mount point, such as /sys/fs/cgroup, or leave the key out`,
  )
}
