import { readdirSync } from 'node:fs'
import { cgroupPathOf } from '../containers/sandbox.ts'

/**
 * The container's one process, by the host's number. (Not its number 1: it may share the node's process namespace.)
 *
 * @param id the last element of its cgroup's path
 */
export function processOf(id: string): string {
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && cgroupPathOf(name)?.endsWith(`/${id}`))
  if (pid === undefined) throw new Error(`no process of ${id}`)
  return pid
}
