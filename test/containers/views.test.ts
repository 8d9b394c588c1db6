import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import { agentUnavailable } from '../kernel/agent.ts'
import { CONNECTIONS, HYBRID, isCgroup2, noProcesses, PURE, runIn, UNIFIED } from './processes.ts'

const V1 = '/sys/fs/cgroup/pids'
const unavailable = agentUnavailable() ?? noProcesses()

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
      const scope = `cri-containerd-${randomBytes(32).toString('hex')}.scope`
      await runIn(t, [[UNIFIED, 'system.slice/view-demo.service']], { port: 8081 })
      await runIn(t, [[UNIFIED, `${slice}/${scope}`]], { port: 8082 })
      await runIn(t, [[UNIFIED, `system.slice/docker-${id}.scope`]], { port: 8083 })
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
    const { collect } = await startInView(t, `umount ${UNIFIED}`)
    // There every process is in cgroup2's root, which nobody has mounted; what it does before anybody looks is the host's.
    const run = (path: string, options: { network?: string; port: number }) =>
      runIn(
        t,
        [
          [UNIFIED, ''],
          [V1, path],
        ],
        { idles: 3, ...options },
      )
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
