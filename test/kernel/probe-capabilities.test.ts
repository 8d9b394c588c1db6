import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { agentUnavailable } from './agent.ts'
import { createLab, labUnavailable, type Namespace } from './lab.ts'
import { startProgram } from './programs.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? noSetpriv() ?? false
const PORT = 8_000

interface Watched {
  readonly down: Readonly<Record<string, string>>
  readonly latency: Readonly<Record<string, number>>
  readonly active: Readonly<Record<string, number>>
}

function noSetpriv(): string | undefined {
  try {
    execFileSync('setpriv', ['--version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'needs the program setpriv'
  }
}

/** The receiver without some capabilities; asked each second until its answer holds. */
function watcher(t: TestContext, without: readonly string[]) {
  const drop = without.map((name) => `-${name}`).join(',')
  const program = [process.execPath, join(import.meta.dirname, 'watch-probes.ts')]
  const child = spawn('setpriv', [`--bounding-set=${drop}`, `--inh-caps=${drop}`, ...program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  t.after(async () => {
    child.stdin.end()
    await ended
  })
  return async (holds: (watched: Watched) => boolean): Promise<Watched> => {
    for (let tries = 0; ; tries++) {
      child.stdin.write('\n')
      const { value, done } = await answers.next()
      assert.ok(!done, 'the receiver ended')
      const watched: Watched = JSON.parse(value)
      if (holds(watched)) return watched
      assert.ok(tries < 20, JSON.stringify(watched))
      await sleep(1_000)
    }
  }
}

/** A container in the namespace with a connection to an address where something listens. */
async function connected(lab: ReturnType<typeof createLab>, from: Namespace, address: string) {
  const container = lab.container('docker')
  const program = startProgram(lab, from, container, 'drive')
  await program.command(`connect to=${address}:${PORT} n=1 end=more`)
  return `${container.id} ${address}`
}

describe('without a capability', { skip, timeout: 120_000 }, () => {
  test('CAP_NET_RAW nothing is pinged, which is said, and connections are told all the same', async (t) => {
    const lab = createLab({ namespaces: 2 })
    t.after(() => lab.close())
    const [client, server] = lab.namespaces as [Namespace, Namespace]
    await startProgram(lab, server, lab.container('docker'), 'serve').listen(`port=${PORT} family=4`)
    const link = await connected(lab, client, server.ipv4)
    const watched = await watcher(t, ['net_raw'])(({ active }) => active[link] === 1)
    assert.match(watched.down.probes ?? '', /takes CAP_NET_RAW/)
    assert.deepEqual(watched.latency, {})
  })

  test("CAP_SYS_ADMIN and CAP_SYS_PTRACE the program's own namespace is pinged from, and the others are said not to be", async (t) => {
    const lab = createLab({ namespaces: 2 })
    t.after(() => lab.close())
    const [client, server] = lab.namespaces as [Namespace, Namespace]
    const veth = `nvc${process.pid % 100_000}`
    execFileSync('ip', ['link', 'add', veth, 'type', 'veth', 'peer', 'name', 'eth9', 'netns', server.name])
    execFileSync('ip', ['addr', 'add', '10.213.9.5/30', 'dev', veth])
    execFileSync('ip', ['link', 'set', veth, 'up'])
    server.run(['ip', 'addr', 'add', '10.213.9.6/30', 'dev', 'eth9'])
    server.run(['ip', 'link', 'set', 'eth9', 'up'])
    await startProgram(lab, server, lab.container('docker'), 'serve').listen(`port=${PORT} family=4`)
    const watch = watcher(t, ['sys_admin', 'sys_ptrace'])
    await watch(() => true)
    // After its start: what was there before in other namespaces takes the same capabilities to see.
    const inside = await connected(lab, client, server.ipv4)
    const own = await connected(lab, lab.host, '10.213.9.6')
    const watched = await watch(
      ({ down, latency, active }) => down.probes !== undefined && latency[own]! > 0 && active[inside] === 1,
    )
    assert.match(watched.down.probes!, /entering it takes CAP_SYS_ADMIN and CAP_SYS_PTRACE/)
    assert.ok(!(inside in watched.latency))
  })
})
