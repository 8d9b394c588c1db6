import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { ContainersOptions } from '../../../../src/receivers/netvitals/containers/index.ts'
import { walkNetworks } from '../../../../src/receivers/netvitals/containers/networks.ts'

export const HOST_NET = 4_026_531_840

interface Process {
  readonly network: number
  /** In the v1 hierarchies; the one of cgroup2 is the root, as on a host that has none mounted. */
  readonly cgroup: string
  readonly comm?: string
}

/** A /proc as the kernel writes it. */
export function createProc(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'netvitals-proc-'))
  t.after(() => rmSync(root, { recursive: true }))
  const proc = {
    root,
    add(pid: number, { network, cgroup, comm = 'app' }: Process) {
      mkdirSync(join(root, `${pid}/ns`), { recursive: true })
      symlinkSync(`net:[${network}]`, join(root, `${pid}/ns/net`))
      const lines = [`12:pids:${cgroup}`, `4:cpu,cpuacct:${cgroup}`, `1:name=systemd:${cgroup}`, '0::/']
      writeFileSync(join(root, `${pid}/cgroup`), `${lines.join('\n')}\n`)
      writeFileSync(join(root, `${pid}/comm`), `${comm}\n`)
    },
    end: (pid: number) => rmSync(join(root, `${pid}`), { recursive: true }),
    networks: () =>
      Object.fromEntries(
        [...walkNetworks(root)].flatMap((each) => (each ? [[Number(each.id & 0xffff_ffffn), each.path]] : [])),
      ),
  }
  proc.add(1, { network: HOST_NET, cgroup: '/init.scope' })
  return proc
}

/** What a host without cgroup2 shows of itself, where that is its /proc. */
export function viewOf(procPath: string): Pick<ContainersOptions, 'mountinfoPath' | 'procPath'> {
  const mountinfoPath = join(procPath, 'mountinfo')
  writeFileSync(mountinfoPath, '32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n')
  return { mountinfoPath, procPath }
}
