import { readFileSync } from 'node:fs'
import { type CgroupIdentity, HOST } from './parse-path.ts'

/**
 * Who makes sockets for others to use. `manager`: in such a cgroup is nothing but a service manager (systemd's init.scope,
 * and a .socket unit's, from within which it makes that unit's listeners); `init`: the init process' cgroup, where others
 * are too.
 */
export type SocketMaker = 'manager' | 'init' | 'none'

export function socketMakerOf(path: string, identity: CgroupIdentity, initPath: string | undefined): SocketMaker {
  const { key, runtime, unit } = identity
  if (runtime === 'systemd') return unit?.endsWith('.socket') ? 'manager' : 'none'
  // A container's init serves that container.
  if (key !== HOST.key) return 'none'
  if (path.endsWith('/init.scope')) return 'manager'
  return path === initPath ? 'init' : 'none'
}

/** Of the init process, from the root of the cgroup2 hierarchy; undefined where that is not to be seen. */
export function initCgroup(procPath = '/proc'): string | undefined {
  try {
    const path = /^0::(.+)$/m.exec(readFileSync(`${procPath}/1/cgroup`, 'utf8'))?.[1]
    return path?.startsWith('/..') ? undefined : path
  } catch {
    return undefined
  }
}
