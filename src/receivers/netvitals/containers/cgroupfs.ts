import { lstatSync, readdirSync, readFileSync, statfsSync } from 'node:fs'

export interface CgroupDirectory {
  /** cgroup id: the inode of its directory. */
  readonly id: bigint
  /** From the root of the hierarchy: '/', '/system.slice', ... */
  readonly path: string
}

export interface CgroupMount {
  readonly root: string
  /** Only a part of the hierarchy is seen there: a cgroup namespace, or a bind mount. */
  readonly partial: boolean
}

/** The root cgroup's id in every hierarchy. @see fs/kernfs/dir.c __kernfs_new_node: the first number it gives */
const ROOT_ID = 1n
/** @see include/uapi/linux/magic.h */
const CGROUP2_SUPER_MAGIC = 0x63677270

/**
 * Where the cgroup2 hierarchy is mounted: `/sys/fs/cgroup`, on hybrid hosts `/sys/fs/cgroup/unified`.
 * Throws an Error that says what is there instead when it is not mounted, or when /proc can't be read.
 */
export function findCgroupMount(mountinfoPath = '/proc/self/mountinfo'): CgroupMount {
  let text: string
  try {
    text = readFileSync(mountinfoPath, 'utf8')
  } catch (error) {
    throw new Error(
      `cannot read ${mountinfoPath} (${codeOf(error)}) to find the cgroup2 mount; mount /proc or set containers::cgroup_root`,
    )
  }
  const v1: string[] = []
  const v2: string[] = []
  for (const line of text.split('\n')) {
    const [left = '', right = ''] = line.split(' - ')
    const mountPoint = unescapeOctal(left.split(' ')[4] ?? '')
    const type = right.split(' ')[0]
    if (type === 'cgroup2') v2.push(mountPoint)
    if (type === 'cgroup') v1.push(mountPoint)
  }
  const mounts = v2.flatMap((root) => checkMount(root) ?? [])
  const best = mounts.find((mount) => !mount.partial) ?? mounts[0]
  if (best !== undefined) return best
  const found =
    v1.length > 0 ? `only cgroup v1 (${v1.slice(0, 3).join(', ')}${v1.length > 3 ? ', ...' : ''})` : 'no cgroup'
  throw new Error(
    `no cgroup2 hierarchy in ${mountinfoPath}, found ${found}; boot with systemd.unified_cgroup_hierarchy=1 or mount cgroup2 (mount -t cgroup2 none DIR) and set containers::cgroup_root`,
  )
}

/** Looks at a directory that a setting or mountinfo names; undefined when it is not in a cgroup2 file system. */
export function checkMount(root: string): CgroupMount | undefined {
  try {
    if (statfsSync(root).type !== CGROUP2_SUPER_MAGIC) return undefined
    return { root, partial: lstatSync(root, { bigint: true }).ino !== ROOT_ID }
  } catch {
    return undefined
  }
}

/**
 * Every cgroup below a mount, parents first; what vanishes meanwhile is left out. A few microseconds a cgroup: a
 * cgroup directory's link count is its children + 2 (fs/kernfs/inode.c), so only those with children are listed.
 */
export function* walkCgroups(root: string): Generator<CgroupDirectory, void, void> {
  const device = lstatSync(root, { bigint: true }).dev
  const pending = ['']
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const stat = lstatSync(root + path, { bigint: true, throwIfNoEntry: false })
    // Another file system: a v1 controller mounted inside, whose inodes are no ids of ours.
    if (stat === undefined || stat.dev !== device) continue
    yield { id: stat.ino, path: path || '/' }
    if (stat.nlink > 2n) for (const name of subdirectories(root + path)) pending.push(`${path}/${name}`)
  }
}

function subdirectories(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENODEV') return []
    throw error
  }
}

/** mountinfo writes space, tab, newline and backslash as `\040` and so on. @see proc_pid_mountinfo(5) */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}
