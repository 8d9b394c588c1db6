import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { eventually } from '../e2e/child.ts'
import { removeCgroup } from './sandbox.ts'

export const HYBRID = '/sys/fs/cgroup/unified'
export const PURE = '/sys/fs/cgroup'
export const isCgroup2 = (root: string) => existsSync(join(root, 'cgroup.controllers'))
/** Where the cgroup2 hierarchy is mounted. */
export const UNIFIED = isCgroup2(HYBRID) ? HYBRID : PURE
/** That each process of `runIn` makes. */
export const CONNECTIONS = 10

/** Why `runIn` can't be, or undefined. */
export const noProcesses = () => (existsSync('/bin/busybox') ? undefined : 'needs busybox-static')

/** Where a hierarchy is mounted, and a path below a cgroup of the test's own in it; '' is the hierarchy's root. */
export type Place = readonly [root: string, path: string]

export interface RunInOptions {
  readonly port: number
  /** A network namespace to be in, `/proc/<pid>/ns/net`; a new one when absent. */
  readonly network?: string
  /** Seconds before it dials. */
  readonly idles?: number
}

/** A process in cgroups that go with it; it serves in its network, has dialled itself there CONNECTIONS times, and stays. */
export async function runIn(t: TestContext, places: readonly Place[], { port, network, idles = 0 }: RunInOptions) {
  const base = `netvitals-view-${randomBytes(4).toString('hex')}`
  const cgroups = places.map(([root, path]) => (path === '' ? root : join(root, base, path)))
  for (const cgroup of cgroups) mkdirSync(cgroup, { recursive: true })
  const enter = cgroups.map((cgroup) => `echo $$ >${cgroup}/cgroup.procs`).join('; ')
  const dial = `busybox wget -q -O /dev/null http://127.0.0.1:${port}/nothing || true`
  const script = `ip link set lo up; busybox httpd -p ${port}; sleep ${idles}; i=0; while [ $i -lt ${CONNECTIONS} ]; do ${dial}; i=$((i+1)); done; echo done; read end`
  const into = network === undefined ? ['unshare', '--net'] : ['nsenter', `--net=${network}`, 'unshare']
  const argv = [...into, '--pid', '--fork', '--kill-child', 'sh', '-c', script]
  const child = spawn('sh', ['-ec', `${enter}; exec "$@"`, 'sh', ...argv], { stdio: ['pipe', 'pipe', 'ignore'] })
  t.after(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    // What it leaves in its cgroup dies a moment later.
    await eventually('its cgroups are gone', () => {
      const gone = places.map(([root]) => removeCgroup(join(root, base)))
      return gone.every(Boolean) || undefined
    })
  })
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  assert.equal(line, 'done')
  return { network: `/proc/${child.pid}/ns/net` }
}
