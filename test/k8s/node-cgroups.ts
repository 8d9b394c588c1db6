import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Mount points of every hierarchy: cgroup v2's, and v1's beside it on hybrid hosts. */
function hierarchies(): { readonly root: string; readonly v2: boolean }[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return lines
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => ({ root: line.split(' ')[4]!, v2: line.includes(' - cgroup2 ') }))
}

/** The same cgroup in every hierarchy, as a kubelet wants it of its cgroupRoot. */
export function makeCgroups(path: string): void {
  for (const { root, v2 } of hierarchies()) {
    const directory = join(root, path)
    mkdirSync(directory, { recursive: true })
    if (v2) delegate(dirname(directory))
    else if (existsSync(join(directory, 'cpuset.cpus'))) inheritCpuset(root, path)
  }
}

/** A new cpuset of v1 holds nothing, and so can't hold a process. */
function inheritCpuset(root: string, path: string): void {
  let directory = root
  for (const name of path.split('/').filter(Boolean)) {
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (readFileSync(join(directory, name, file), 'utf8').trim() !== '') continue
      writeFileSync(join(directory, name, file), readFileSync(join(directory, file)))
    }
    directory = join(directory, name)
  }
}

/** A cgroup of v2 has the controllers that its parent passes on. */
function delegate(parent: string): void {
  for (const controller of readFileSync(join(parent, 'cgroup.controllers'), 'utf8').split(/\s+/).filter(Boolean)) {
    try {
      writeFileSync(join(parent, 'cgroup.subtree_control'), `+${controller}`)
    } catch {
      // One that the parent can't pass on is none that a kubelet needs here.
    }
  }
}
