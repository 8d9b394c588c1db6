import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
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

/** A cgroup in a hierarchy that is mounted at `root`, of the test's own. */
export function makeCgroup(t: TestContext, root: string, path: string): string {
  const base = `netvitals-view-${randomBytes(4).toString('hex')}`
  const directory = join(root, base, path)
  mkdirSync(directory, { recursive: true })
  t.after(() => {
    for (let tries = 0; tries < 40 && !removeCgroup(join(root, base)); tries++)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
  })
  return directory
}

/**
 * A process that is in these cgroups and in a network of its own, or another's; it serves there, has dialled itself after
 * `idles` seconds, and stays.
 */
export async function runIn(t: TestContext, cgroups: readonly string[], { network = '', port = 8080, idles = 0 } = {}) {
  const enter = cgroups.map((cgroup) => `echo $$ >${cgroup}/cgroup.procs`).join('; ')
  const dial = `busybox wget -q -O /dev/null http://127.0.0.1:${port}/nothing || true`
  const script = `ip link set lo up; busybox httpd -p ${port}; sleep ${idles}; i=0; while [ $i -lt ${CONNECTIONS} ]; do ${dial}; i=$((i+1)); done; echo done; read end`
  const into = network === '' ? ['unshare', '--net'] : ['nsenter', `--net=${network}`, 'unshare']
  const argv = [...into, '--pid', '--fork', '--kill-child', 'sh', '-c', script]
  const child = spawn('sh', ['-ec', `${enter}; exec "$@"`, 'sh', ...argv], { stdio: ['pipe', 'pipe', 'ignore'] })
  t.after(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  assert.equal(line, 'done')
  return { network: `/proc/${child.pid}/ns/net` }
}
