import { lstatSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type CgroupMount, findCgroupMount } from '../../../../src/receivers/netvitals/containers/cgroupfs.ts'

export interface CgroupTree {
  readonly mount: CgroupMount
  /** The tree's own directory, from the root of the hierarchy. */
  readonly base: string
  /** Makes a cgroup below the base; gives its id. */
  make(path: string): bigint
  remove(path: string): void
}

let trees = 0

/** Why there can be no cgroups of the test's own here; false when there can. */
export function cgroupsMissing(): string | false {
  if (process.getuid?.() !== 0) return 'needs root to make cgroups'
  try {
    return findCgroupMount().partial ? 'sees only a part of the cgroup2 hierarchy' : false
  } catch (error) {
    return (error as Error).message
  }
}

/** Real cgroups in a directory of the test's own, removed after it. */
export function createCgroups(t: TestContext): CgroupTree {
  const mount = findCgroupMount()
  const base = `/netvitals-test-${process.pid}-${trees++}`
  const full = (path: string) => join(mount.root, base, path)
  mkdirSync(full(''))
  t.after(() => removeTree(full('')))
  return {
    mount,
    base,
    make(path) {
      mkdirSync(full(path), { recursive: true })
      return lstatSync(full(path), { bigint: true }).ino
    },
    remove: (path) => removeTree(full(path)),
  }
}

function removeTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(directory, entry.name))
  }
  rmdirSync(directory)
}
