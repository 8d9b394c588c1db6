import { type FileHandle, open, readdir, readFile, readlink } from 'node:fs/promises'
import { type NamespaceVisit, namespacePaths } from './namespaces.ts'

export interface OpenedNamespace {
  /** For setns(2); the caller closes it. */
  readonly handle: FileHandle
  /** `/proc/<pid>/net` of a process in it; absent for a named one that was found by its name. */
  readonly net?: string
}

export interface NamespaceFinder {
  /** Opens the network namespace with this inode; undefined: not found, or not for us to enter (see `denied`). */
  open(inode: number, cgroup?: string): Promise<OpenedNamespace | undefined>
  /** Codes of what kept it from namespaces at its last look through /proc, e.g. EACCES. */
  readonly denied: readonly string[]
}

export interface NamespaceFinderOptions {
  /** Mount point of the cgroup2 hierarchy; undefined: processes are not looked for by their cgroup. */
  readonly cgroupRoot: string | undefined
  readonly procPath?: string
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

/** Of a container, so many cgroups and processes are looked at. */
const CGROUPS_MAX = 32
const PROCESSES_MAX = 32
/** /proc is looked through no more often, and for no more than a tenth of the time. */
const PAUSE_MS = 1_000
const PAUSE_FACTOR = 10

/** Finds network namespaces by inode: through the processes of a cgroup, else those of the host and the named ones. */
export function createNamespaceFinder(options: NamespaceFinderOptions): NamespaceFinder {
  const { cgroupRoot, procPath = '/proc', now = () => performance.now() } = options
  let paths = new Map<string, string[]>()
  let denied: readonly string[] = []
  let nextScanMs = Number.NEGATIVE_INFINITY
  let scanning: Promise<void> | undefined

  async function tryOpen(inode: number, path: string): Promise<OpenedNamespace | undefined> {
    try {
      const handle = await open(path)
      // A pid may be another process' by now.
      if ((await handle.stat()).ino === inode) return { handle, ...netOf(path) }
      await handle.close()
    } catch {}
    return undefined
  }

  function netOf(path: string): { net: string } | undefined {
    return path.endsWith('/ns/net') ? { net: path.replace(/ns\/net$/, 'net') } : undefined
  }

  async function openFirst(inode: number, candidates: Iterable<string>): Promise<OpenedNamespace | undefined> {
    for (const path of candidates) {
      const opened = await tryOpen(inode, path)
      if (opened) return opened
    }
    return undefined
  }

  async function ofCgroup(inode: number, cgroup: string): Promise<OpenedNamespace | undefined> {
    const pending = [`${cgroupRoot}${cgroup}`]
    let processes = 0
    for (let visited = 0; visited < CGROUPS_MAX && pending.length > 0; visited++) {
      const directory = pending.shift()!
      try {
        for (const pid of (await readFile(`${directory}/cgroup.procs`, 'latin1')).split('\n')) {
          // 0: a process of another pid namespace.
          if (!(Number(pid) > 0) || ++processes > PROCESSES_MAX) continue
          const path = `${procPath}/${pid}/ns/net`
          if ((await inodeOf(path)) !== String(inode)) continue
          const opened = await tryOpen(inode, path)
          if (opened) return opened
        }
        for (const entry of await readdir(directory, { withFileTypes: true }))
          if (entry.isDirectory()) pending.push(`${directory}/${entry.name}`)
      } catch {}
    }
    return undefined
  }

  async function inodeOf(path: string): Promise<string | undefined> {
    try {
      return (await readlink(path)).replace(/\D+/g, '')
    } catch {
      return undefined
    }
  }

  async function scan(): Promise<void> {
    const began = now()
    const result: NamespaceVisit = { visited: 0, failed: new Map() }
    const found = new Map<string, string[]>()
    for (const [inode, path] of await namespacePaths(procPath, result))
      found.set(inode, [...(found.get(inode) ?? []), path])
    paths = found
    denied = [...result.failed.keys()]
    nextScanMs = now() + Math.max(PAUSE_MS, (now() - began) * PAUSE_FACTOR)
  }

  return {
    async open(inode, cgroup) {
      if (cgroupRoot !== undefined && cgroup?.startsWith('/')) {
        const opened = await ofCgroup(inode, cgroup)
        if (opened) return opened
      }
      const known = await openFirst(inode, paths.get(String(inode)) ?? [])
      if (known) return known
      if (scanning === undefined && now() < nextScanMs) return undefined
      scanning ??= scan().finally(() => {
        scanning = undefined
      })
      await scanning
      return openFirst(inode, paths.get(String(inode)) ?? [])
    },
    get denied() {
      return denied
    },
  }
}
