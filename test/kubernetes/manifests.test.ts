import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { startChild } from '../e2e/child.ts'
import { buildCollector } from '../e2e/collector.ts'
import { ROOT, startProgram } from '../e2e/program.ts'
import { PATHS } from './recorded.ts'

const DIRECTORY = join(ROOT, 'deploy/kubernetes')
const CAPABILITIES = ['BPF', 'PERFMON', 'SYS_ADMIN', 'SYS_PTRACE', 'NET_RAW', 'NET_ADMIN']

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}
interface Container {
  readonly name: string
  readonly securityContext: { readonly [key: string]: unknown }
  readonly volumeMounts: readonly { readonly name: string; readonly readOnly?: boolean }[]
}
interface Manifest {
  readonly kind: string
  readonly rules?: readonly Rule[]
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly Container[]
        readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[]
      }
    }
  }
}

function read(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(join(DIRECTORY, file), 'utf8')).map((document) => {
    assert.deepEqual(document.errors, [], file)
    return document.toJS()
  })
}

const only = (file: string, kind: string) => read(file).find((manifest) => manifest.kind === kind)!
const podSpec = (file: string) => only(file, 'DaemonSet').spec.template.spec

describe('deploy/kubernetes', () => {
  it('gives netvitals these capabilities and no others, and does not make it privileged', () => {
    const [container] = podSpec('base/daemonset.yaml').containers
    assert.deepEqual(container!.securityContext.capabilities, { drop: ['ALL'], add: CAPABILITIES })
    assert.equal(container!.securityContext.privileged, false)
    assert.equal(container!.securityContext.readOnlyRootFilesystem, true)
  })

  it('gives the Collector none', () => {
    const collector = podSpec('overlays/collector/sidecar.yaml').containers.find(
      ({ name }) => name === 'otel-collector',
    )
    assert.deepEqual(collector!.securityContext.capabilities, { drop: ['ALL'] })
    assert.equal(collector!.securityContext.runAsNonRoot, true)
  })

  it('mounts nothing of the node but its cgroups, and everything read-only', () => {
    for (const file of ['base/daemonset.yaml', 'overlays/collector/sidecar.yaml']) {
      const { containers, volumes } = podSpec(file)
      const paths = volumes.flatMap(({ hostPath }) => hostPath?.path ?? [])
      assert.deepEqual(paths, file.startsWith('base') ? ['/sys/fs/cgroup'] : [])
      const mounts = containers.flatMap(({ volumeMounts = [] }) => volumeMounts)
      assert.ok(mounts.length > 0)
      for (const { name, readOnly } of mounts) assert.equal(readOnly, true, name)
    }
  })

  it('allows to list and watch what the client asks for, and no more', () => {
    const rules = only('base/rbac.yaml', 'ClusterRole').rules!
    const allowed = rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.map((resource) => [`${group === '' ? '/api/v1' : `/apis/${group}/v1`}/${resource}`, verbs] as const),
      ),
    )
    assert.deepEqual(new Set(allowed.map(([path]) => path)), new Set(Object.values(PATHS)))
    for (const [path, verbs] of allowed) {
      // Single ReplicaSets and Jobs are asked for in mode node.
      const get = path === PATHS.replicasets || path === PATHS.jobs ? ['get'] : []
      assert.deepEqual(verbs, [...get, 'list', 'watch'], path)
    }
  })

  it('has in each kustomization the files that stand beside it', () => {
    for (const folder of ['base', 'overlays/collector']) {
      const [kustomization] = read(`${folder}/kustomization.yaml`) as never as Record<string, unknown>[]
      const named = JSON.stringify(kustomization)
      for (const file of readdirSync(join(DIRECTORY, folder))) {
        if (file !== 'kustomization.yaml') assert.ok(named.includes(`"${file}"`), `${folder}/${file}`)
      }
    }
  })

  it('has a configuration that netvitals takes', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317', NODE_NAME: 'n1' }
    await using program = startProgram(['validate', '--config', join(DIRECTORY, 'base/netvitals.yaml')], { env })
    const { code } = await program.exit
    assert.deepEqual({ code, stderr: program.stderr() }, { code: 0, stderr: '' })
  })

  it('has a configuration that the Collector takes', async (t) => {
    const { path, skip } = await buildCollector()
    if (path === undefined) return t.skip(skip)
    await using collector = startChild(path, [
      'validate',
      '--config',
      join(DIRECTORY, 'overlays/collector/collector.yaml'),
    ])
    const { code } = await collector.exit
    assert.deepEqual({ code, stderr: collector.stderr() }, { code: 0, stderr: '' })
  })
})
