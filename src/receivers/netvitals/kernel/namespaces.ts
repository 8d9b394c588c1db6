import { readlinkSync } from 'node:fs'
import { open, readdir, readlink, stat } from 'node:fs/promises'

/** Number of the initial pid namespace. @see include/linux/proc_ns.h PROC_PID_INIT_INO */
const INIT_PID = 'pid:[4026531836]'

/** Whether this process is in the pid namespace of the host: what walks processes shows all of them. */
export function seesAllProcesses(procPath = '/proc'): boolean {
  try {
    return readlinkSync(`${procPath}/self/ns/pid`) === INIT_PID
  } catch {
    return false
  }
}

/** Where named network namespaces are kept: iproute2, Docker, CNI plug-ins (the same folder as iproute2's). */
const namedFolders = ['/run/netns', '/run/docker/netns']

export interface NamespaceVisit {
  /** Namespaces that `visit` went through. */
  visited: number
  /** Errors by code, e.g. EACCES of a process of another user. One that vanished meanwhile is none. */
  failed: Map<string, number>
}

/**
 * Calls `visit` with a descriptor of each network namespace of this host: those of its processes, and the named
 * ones that no process is in. The descriptor is closed after `visit`.
 */
export async function eachNamespace(
  visit: (fd: number) => Promise<unknown>,
  procPath = '/proc',
): Promise<NamespaceVisit> {
  const result: NamespaceVisit = { visited: 0, failed: new Map() }
  const seen = new Set<string>()
  for (const [key, path] of await namespacePaths(procPath, result)) {
    if (seen.has(key)) continue
    try {
      const handle = await open(path)
      try {
        await visit(handle.fd)
      } finally {
        await handle.close()
      }
      seen.add(key)
      result.visited++
    } catch (error) {
      fail(result, error)
    }
  }
  return result
}

/** Inode and path of namespaces, several paths each: the first may vanish. */
export async function namespacePaths(procPath: string, result: NamespaceVisit): Promise<[string, string][]> {
  const paths: [string, string][] = []
  const perNamespace = new Map<string, number>()
  for (const name of await list(procPath, result)) {
    if (!/^\d+$/.test(name)) continue
    const path = `${procPath}/${name}/ns/net`
    try {
      const inode = (await readlink(path)).replace(/\D+/g, '')
      const known = perNamespace.get(inode) ?? 0
      if (known < 3) paths.push([inode, path])
      perNamespace.set(inode, known + 1)
    } catch (error) {
      fail(result, error)
    }
  }
  for (const folder of namedFolders)
    for (const name of await list(folder, undefined)) {
      try {
        paths.push([String((await stat(`${folder}/${name}`)).ino), `${folder}/${name}`])
      } catch (error) {
        fail(result, error)
      }
    }
  return paths
}

async function list(folder: string, result: NamespaceVisit | undefined): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (result) fail(result, error)
    return []
  }
}

function fail(result: NamespaceVisit, error: unknown) {
  const code = (error as NodeJS.ErrnoException).code ?? String(error)
  if (code === 'ENOENT' || code === 'ESRCH') return
  result.failed.set(code, (result.failed.get(code) ?? 0) + 1)
}
