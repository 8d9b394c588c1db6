import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import { agentUnavailable } from '../kernel/agent.ts'
import { removeCgroup } from './sandbox.ts'

const V1 = '/sys/fs/cgroup/pids'
const HYBRID = '/sys/fs/cgroup/unified'
const PURE = '/sys/fs/cgroup'
const CONNECTIONS = 10

const isCgroup2 = (root: string) => existsSync(join(root, 'cgroup.controllers'))
const unified = isCgroup2(HYBRID) ? HYBRID : PURE
const unavailable = agentUnavailable() ?? (existsSync('/bin/busybox') ? undefined : 'needs busybox-static')

interface Collected {
  readonly connects: readonly { resource: Attributes; attributes: Attributes; value: number }[]
  readonly downs: readonly string[]
}

/** The receiver, behind mounts that a script changes for it alone. */
async function startInView(t: TestContext, script: string) {
  const agent = join(import.meta.dirname, 'view-agent.ts')
  const argv = ['--mount', '--propagation', 'private', 'sh', '-ec', `${script}\nexec "$@"`, 'sh']
  const child = spawn('unshare', [...argv, process.execPath, agent], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(async () => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await lines.next()
    assert.ok(!done, 'the receiver ended')
    return JSON.parse(value) as Collected
  }
  await answer()
  return {
    collect() {
      child.stdin.write('\n')
      return answer()
    },
  }
}

/** A cgroup in a hierarchy that is mounted at `root`, of the test's own. */
function makeCgroup(t: TestContext, root: string, path: string): string {
  const base = `netvitals-view-${randomBytes(4).toString('hex')}`
  const directory = join(root, base, path)
  mkdirSync(directory, { recursive: true })
  t.after(() => {
    for (let tries = 0; tries < 40 && !removeCgroup(join(root, base)); tries++)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
  })
  return directory
}

/** A process that is in these cgroups and in a network of its own, or another's; it serves there, has dialled itself, and stays. */
async function runIn(t: TestContext, cgroups: readonly string[], { network = '', port = 8080 } = {}) {
  const enter = cgroups.map((cgroup) => `echo $$ >${cgroup}/cgroup.procs`).join('; ')
  const dial = `busybox wget -q -O /dev/null http://127.0.0.1:${port}/nothing || true`
  const script = `ip link set lo up; busybox httpd -p ${port}; i=0; while [ $i -lt ${CONNECTIONS} ]; do ${dial}; i=$((i+1)); done; echo done; read end`
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

/** Connections dialled and accepted at a port, by an attribute of whose they are. */
function counted({ connects }: Collected, port: number, attribute: string): Record<string, Record<string, number>> {
  const found: Record<string, Record<string, number>> = {}
  for (const { resource, attributes, value } of connects) {
    if (attributes['destination.port'] !== port) continue
    const who = String(resource[attribute] ?? resource['service.name'])
    const direction = String(attributes.direction)
    found[who] = { ...found[who], [direction]: (found[who]?.[direction] ?? 0) + value }
  }
  return found
}

const both = { outbound: CONNECTIONS, inbound: CONNECTIONS }

for (const [view, script, why] of [
  ['a hybrid host', ':', isCgroup2(HYBRID) ? undefined : 'this is no hybrid host'],
  ['a host with cgroup2 alone', `umount -R ${PURE}; mount -t cgroup2 none ${PURE}`, undefined],
] as const) {
  describe(`the view of ${view}`, { skip: unavailable ?? why, timeout: 120_000 }, () => {
    test('shows services, pods and containers by their cgroups', async (t) => {
      const { collect } = await startInView(t, script)
      const id = randomBytes(32).toString('hex')
      const uid = randomUUID()
      const slice = `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`
      const [service, pod, docker] = [
        makeCgroup(t, unified, 'system.slice/view-demo.service'),
        makeCgroup(t, unified, `${slice}/cri-containerd-${randomBytes(32).toString('hex')}.scope`),
        makeCgroup(t, unified, `system.slice/docker-${id}.scope`),
      ]
      await runIn(t, [service], { port: 8081 })
      await runIn(t, [pod], { port: 8082 })
      await runIn(t, [docker], { port: 8083 })
      const collected = await collect()
      assert.deepEqual(counted(collected, 8081, 'systemd.unit'), { 'view-demo.service': both })
      assert.deepEqual(counted(collected, 8082, 'k8s.pod.uid'), { [uid]: both })
      assert.deepEqual(counted(collected, 8083, 'container.id'), { [id]: both })
      assert.deepEqual(
        collected.downs.filter((line) => line.startsWith('containers')),
        [],
      )
    })
  })
}

describe('the view of a host with cgroup v1 alone', {
  skip: unavailable ?? (existsSync(join(V1, 'cgroup.procs')) ? undefined : 'there is no cgroup v1 here'),
  timeout: 120_000,
}, () => {
  test('shows containers and pods by their networks, and says what it lacks', async (t) => {
    const { collect } = await startInView(t, `umount ${unified}`)
    // There every process is in cgroup2's root, which nobody has mounted.
    const run = (path: string, options: { network?: string; port: number }) =>
      runIn(t, [unified, makeCgroup(t, V1, path)], options)
    const id = randomBytes(32).toString('hex')
    await run(`docker/${id}`, { port: 8081 })
    const uid = randomUUID()
    const [first, second] = [0, 1].map(() => `kubepods/burstable/pod${uid}/${randomBytes(32).toString('hex')}`)
    const { network } = await run(first!, { port: 8082 })
    await run(second!, { port: 8083, network })
    const collected = await collect()
    assert.deepEqual(counted(collected, 8081, 'container.id'), { [id]: both })
    // Before the second container came it was the first one's, which is in the pod too.
    assert.deepEqual(counted(collected, 8082, 'k8s.pod.uid'), { [uid]: both })
    assert.deepEqual(counted(collected, 8083, 'k8s.pod.uid'), { [uid]: both })
    assert.match(collected.downs.join('\n'), /^containers: .*only cgroup v1.*by their network namespaces/m)
  })
})
