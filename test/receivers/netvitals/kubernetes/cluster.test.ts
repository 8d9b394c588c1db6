import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { config } from '../../../../src/receivers/netvitals/config.ts'
import { type ClusterOptions, startCluster } from '../../../../src/receivers/netvitals/kubernetes/index.ts'
import { noCertificates } from '../../../e2e/certificates.ts'
import { eventually } from '../../../e2e/child.ts'
import { type ApiServer, createApiServer, refuse } from '../../../kubernetes/api-server.ts'
import { kubeconfigOf, PATHS } from '../../../kubernetes/recorded.ts'
import { pod } from '../../../kubernetes/small-cluster.ts'

const parse = (kubernetes: object) => config.parse({ kubernetes }).kubernetes

function start(t: TestContext, kubernetes: object, more: Partial<ClusterOptions> = {}) {
  const reports: string[] = []
  const cluster = startCluster({
    ...{ config: parse(kubernetes), nodeName: 'n1', waitMs: 5_000, env: {} },
    keep: { keepLabel: () => true, keepAnnotation: () => true },
    report: (status, detail) => reports.push(detail === undefined ? status : `${status}: ${detail}`),
    log: { debug() {} } as never,
    ...more,
  })
  t.after(async () => (await cluster.catch(() => undefined))?.close())
  return { cluster, reports }
}

describe('kubernetes:', () => {
  it('is off outside of pods unless it is asked for, and says nothing', async (t) => {
    for (const kubernetes of [{}, { enabled: 'auto' }, { enabled: false }]) {
      const { cluster, reports } = start(t, kubernetes, { env: { KUBECONFIG: '/nowhere' } })
      assert.equal(await cluster, undefined)
      assert.deepEqual(reports, [])
    }
    const inPod = start(t, { enabled: false }, { env: { KUBERNETES_SERVICE_HOST: '192.0.2.1' } })
    assert.equal(await inPod.cluster, undefined)
  })

  it('says what to set where it is on and there is no cluster', async (t) => {
    const { cluster, reports } = start(t, { enabled: true })
    assert.equal(await cluster, undefined)
    assert.match(reports.join(), /^down: kubernetes::enabled is true and nothing says where .* write auto$/)
  })

  it('is down in a pod without a service account, and the rest goes on', async (t) => {
    const { cluster, reports } = start(t, {}, { env: { KUBERNETES_SERVICE_HOST: '192.0.2.1' } })
    assert.equal(await cluster, undefined)
    assert.match(reports.join(), /^down: pods and Services are not named: .*automountServiceAccountToken/)
  })

  it('ends the start with a kubeconfig that can not be used: that is a mistake of the configuration', async (t) => {
    await assert.rejects(start(t, { kubeconfig: '/nowhere/config' }).cluster, {
      code: 'NETVITALS_KUBERNETES_ACCESS',
      message: /kubeconfig \/nowhere\/config: ENOENT/,
    })
  })

  it('refuses a context of no kubeconfig', () => {
    assert.throws(() => parse({ context: 'lab' }), /names a context of no kubeconfig/)
    assert.deepEqual(parse({ context: 'lab', enabled: true }).enabled, 'true')
  })
})

describe('the cluster that is watched', { skip: (await noCertificates()) ?? false }, () => {
  let server: ApiServer
  let directory: string
  let kubeconfig: string
  before(async () => {
    server = await createApiServer()
    directory = mkdtempSync(join(tmpdir(), 'netvitals-cluster-'))
    kubeconfig = join(directory, 'config')
    writeFileSync(kubeconfig, JSON.stringify(kubeconfigOf(server)))
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  })

  it('is listed before anything is counted', async (t) => {
    server.set(PATHS.pods, [pod({ name: 'a', address: '10.244.1.2', containerId: 'c'.repeat(64) })])
    const { cluster, reports } = start(t, { kubeconfig })
    assert.equal((await cluster)?.index.byAddress('10.244.1.2')?.name, 'a')
    assert.deepEqual(reports, ['ok'])
  })

  it('is told once to be down, with what is not heard of, and once to be heard again', async (t) => {
    const { cluster, reports } = start(t, { kubeconfig })
    const { index, check } = (await cluster)!
    const broken = () => index.status().some(({ problem }) => problem !== undefined)
    server.gate = (asked, response) => {
      if (asked.path !== PATHS.pods) return false
      refuse(403, 'pods is forbidden')(asked, response)
      return true
    }
    server.endWatches(PATHS.pods)
    await eventually('pods are not heard of', () => broken() || undefined)
    check()
    check()
    assert.equal(reports.length, 2)
    assert.match(reports[1]!, /^down: names are as old as this: pods as of 20.*: .*forbidden/)
    server.gate = undefined
    await eventually('they are again', () => !broken() || undefined, 20_000)
    check()
    assert.deepEqual(reports[2], 'ok')
  })

  it('is not waited for longer than is allowed', async (t) => {
    server.gate = () => true
    t.after(() => server.reset())
    const { cluster } = start(t, { kubeconfig }, { waitMs: 200 })
    assert.deepEqual((await cluster)?.index.podCidrs(), [])
  })

  it('takes the name of this node where only its pods are watched', async (t) => {
    const { cluster } = start(t, { kubeconfig, mode: 'node' }, { nodeName: undefined })
    await assert.rejects(cluster, /kubernetes::mode: "node" takes the name of this node; set .* NODE_NAME/)
  })
})
