import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createTranslatedNamespaces } from '../../src/receivers/netvitals/destinations/translated-namespaces.ts'
import { createConntrack } from '../../src/receivers/netvitals/kernel/conntrack.ts'
import { createNamespaceFinder } from '../../src/receivers/netvitals/kernel/namespace-finder.ts'
import { arrived } from '../native/probing.ts'
import { start } from '../native/programs.ts'
import { eventually } from '../native/traffic.ts'
import { agentUnavailable } from './agent.ts'
import { createLab, labUnavailable, type Namespace } from './lab.ts'
import { startProgram } from './programs.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false
const inodeOf = ({ path }: Pick<Namespace, 'path'>) => statSync(path).ino

/** With real connection tracking; the clock is the test's. */
function open(t: TestContext, nodes: readonly string[]) {
  const conntrack = createConntrack({ onAnswers() {}, onError: (error) => assert.fail(error) })
  const real = createNamespaceFinder({ cgroupRoot: undefined })
  const reports: string[] = []
  const finds = { hidden: false }
  let nowMs = 0
  const report = (source: string) => (status: string, detail?: string) =>
    void reports.push(`${source} ${status}${detail === undefined ? '' : ` ${detail}`}`)
  const namespaces = createTranslatedNamespaces({
    conntrack,
    finder: { open: async (inode) => (finds.hidden ? undefined : real.open(inode)), denied: [] },
    nodes,
    reportNodes: report('nodes'),
    reportContainers: report('containers'),
    now: () => nowMs,
  })
  t.after(() => {
    namespaces.close()
    conntrack.close()
  })
  // An answer that is waited for keeps no process alive.
  const alive = setInterval(() => {}, 1_000)
  t.after(() => clearInterval(alive))

  async function tables(netns: number): Promise<readonly number[]> {
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const found = namespaces.tables(netns, '', resolve)
      if (found) return found
      await promise
    }
  }
  return {
    namespaces,
    conntrack,
    reports,
    finds,
    tables,
    passes(ms: number) {
      nowMs += ms
    },
  }
}

function lab(t: TestContext, namespaces: number): Namespace[] {
  const made = createLab({ namespaces })
  t.after(() => made.close())
  return [...made.namespaces]
}

describe('the tables of connection tracking that are asked', { skip, timeout: 60_000 }, () => {
  it("are the container's own and then its node's; a node's own is asked once", async (t) => {
    const [pod, node] = lab(t, 2) as [Namespace, Namespace]
    const { tables, reports } = open(t, [node.path, `/run/../${node.path}`])
    const [own, ofNode, ...more] = await tables(inodeOf(pod))
    assert.ok(own! > 0 && ofNode! > 0 && own !== ofNode)
    assert.deepEqual(more, [], 'two paths of one namespace')
    assert.deepEqual(await tables(inodeOf(node)), [ofNode])
    assert.deepEqual(await tables(inodeOf(pod)), [own, ofNode], 'kept')
    assert.deepEqual(reports, ['nodes ok'])
  })

  it('let a namespace go that nobody asked of for a minute', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const [pod, peer] = lab(t, 2) as [Namespace, Namespace]
    const links = () => peer.run(['ip', '-o', 'link'])
    const { tables, passes } = open(t, [])
    assert.equal((await tables(inodeOf(pod))).length, 1)
    execFileSync('ip', ['netns', 'del', pod.name])
    passes(59_000)
    t.mock.timers.tick(20_000)
    await new Promise((resolve) => setTimeout(resolve, 200))
    assert.match(links(), /eth0/, 'the namespace and the far end of its link are there for as long as it is entered')
    passes(2_000)
    t.mock.timers.tick(10_000)
    await arrived(() => !/eth0/.test(links()), 20)
  })

  it('are tried again where they could not be entered, though they are asked all the time', async (t) => {
    const [pod] = lab(t, 1) as [Namespace]
    const { tables, passes, finds } = open(t, [])
    finds.hidden = true
    assert.deepEqual(await tables(inodeOf(pod)), [])
    finds.hidden = false
    for (let i = 0; i < 9; i++) {
      passes(1_000)
      assert.deepEqual(await tables(inodeOf(pod)), [], 'not at once')
    }
    passes(1_000)
    assert.equal((await tables(inodeOf(pod))).length, 1)
  })

  it("follow a node's path to the namespace that it leads to now", async (t) => {
    const [pod, node] = lab(t, 2) as [Namespace, Namespace]
    const { tables, passes, reports } = open(t, [node.path])
    const [own, before] = await tables(inodeOf(pod))
    const recreate = () => {
      execFileSync('ip', ['netns', 'del', node.name])
      execFileSync('ip', ['netns', 'add', node.name])
    }
    recreate()
    assert.deepEqual(await tables(inodeOf(pod)), [own, before])
    passes(60_000)
    assert.ok(await eventually(async () => (await tables(inodeOf(pod)))[1] !== before))
    assert.deepEqual(await tables(inodeOf(node)), [(await tables(inodeOf(pod)))[1]])
    assert.deepEqual(reports, ['nodes ok'])
  })

  it('are without a node that is not there, which is said, until it is', async (t) => {
    const [pod] = lab(t, 1) as [Namespace]
    const name = `${pod.name}-node`
    const { tables, passes, reports } = open(t, [`/run/netns/${name}`])
    assert.equal((await tables(inodeOf(pod))).length, 1)
    assert.match(reports.join(), /^nodes down address translation of these .*\/run\/netns\/\S+-node: ENOENT/)
    execFileSync('ip', ['netns', 'add', name])
    t.after(() => execFileSync('ip', ['netns', 'del', name]))
    passes(10_000)
    assert.ok(await eventually(async () => (await tables(inodeOf(pod))).length === 2))
    assert.equal(reports.at(-1), 'nodes ok')
    assert.equal(reports.length, 2)
  })

  it('are entered anew when they could not be asked, at most every ten seconds', async (t) => {
    const [pod, node] = lab(t, 2) as [Namespace, Namespace]
    const { tables, passes, namespaces } = open(t, [node.path])
    const before = await tables(inodeOf(pod))
    namespaces.failed()
    assert.ok(await eventually(async () => (await tables(inodeOf(pod))).every((handle) => !before.includes(handle))))
    const after = await tables(inodeOf(pod))
    namespaces.failed()
    assert.deepEqual(await tables(inodeOf(pod)), after)
    passes(10_000)
    namespaces.failed()
    assert.ok(await eventually(async () => (await tables(inodeOf(pod))).every((handle) => !after.includes(handle))))
  })

  it('report nothing when all ends while they are being entered', async (t) => {
    const [pod] = lab(t, 1) as [Namespace]
    const { namespaces, conntrack, reports } = open(t, ['/proc/1/ns/net'])
    const { promise, resolve } = Promise.withResolvers<void>()
    assert.equal(namespaces.tables(inodeOf(pod), '', resolve), undefined)
    namespaces.close()
    conntrack.close()
    await promise
    assert.deepEqual(reports, [])
  })
})

describe('who answers, without a capability', { skip, timeout: 120_000 }, () => {
  function watch(t: TestContext, ...names: string[]) {
    const drop = names.map((name) => `-${name}`).join(',')
    const setpriv = ['setpriv', `--bounding-set=${drop}`, `--inh-caps=${drop}`]
    const helper = start(t, [...setpriv, process.execPath, join(import.meta.dirname, 'watch-probes.ts')])
    return async (): Promise<string> => {
      const before = helper.lines.length
      helper.say('')
      await arrived(() => helper.lines.length > before, 60)
      return JSON.parse(helper.lines.at(-1)!).down.translation ?? ''
    }
  }

  it('is not known without CAP_NET_ADMIN, which is said', async (t) => {
    assert.match(await watch(t, 'net_admin')(), /takes CAP_NET_ADMIN; set destinations::translation::enabled to false/)
  })

  it("is not asked in containers' namespaces without CAP_SYS_ADMIN and CAP_SYS_PTRACE, which is said", async (t) => {
    const made = createLab({ namespaces: 2 })
    t.after(() => made.close())
    const [client, server] = made.namespaces as [Namespace, Namespace]
    const down = watch(t, 'sys_admin', 'sys_ptrace')
    await down()
    const port = await startProgram(made, server, made.container('docker'), 'serve').listen('port=0 family=4')
    const drive = startProgram(made, client, made.container('docker'), 'drive')
    await drive.command(`connect to=${server.ipv4}:${port} n=5 end=more`)
    assert.ok(await eventually(async () => (await down()) !== ''))
    assert.match(await down(), /in network namespaces of containers is not seen.*CAP_SYS_ADMIN and CAP_SYS_PTRACE/)
  })
})
