import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { config } from '../../../../src/receivers/netvitals/config.ts'
import {
  type ContainerMatch,
  createContainerFilter,
  filterOf,
} from '../../../../src/receivers/netvitals/containers/filter.ts'
import type { Identity } from '../../../../src/receivers/netvitals/containers/identity.ts'
import { parsePath } from '../../../../src/receivers/netvitals/containers/parse-path.ts'

const ID = 'a1'.repeat(32)
const UID = '2942c55e-c9cb-428a-93f4-eaf89c1f3ce0'

const pod: Identity = {
  ...{ source: 'cri', name: 'nginx', image: 'registry.example.org:5000/shop/web:1.27' },
  pod: {
    ...{ name: 'web-x2', namespace: 'shop-prod', containerName: 'nginx', annotations: {} },
    labels: { app: 'web', 'app.kubernetes.io/part-of': 'shop' },
  },
}
const docker: Identity = { source: 'docker', name: 'billing_db_1', image: 'postgres' }
const CONTAINERS = {
  pod: [parsePath(`/kubepods/burstable/pod${UID}/${ID}`), pod],
  docker: [parsePath(`/docker/${ID}`), docker],
  nameless: [parsePath(`/docker/${ID}`), undefined],
  unit: [parsePath('/system.slice/system-postgresql.slice/postgresql@14-main.service'), undefined],
  lxc: [parsePath('/lxc.payload.web1'), undefined],
  host: [parsePath('/'), undefined],
} as const

const wanted = (include: readonly ContainerMatch[], exclude: readonly ContainerMatch[] = []) => {
  const filter = createContainerFilter(include, exclude)
  return Object.entries(CONTAINERS)
    .filter(([, [container, identity]]) => filter(container, identity))
    .map(([name]) => name)
}

describe('a filter of containers', () => {
  const MATCHES: [ContainerMatch, string[]][] = [
    [{ namespaces: ['shop-*'] }, ['pod']],
    [{ namespaces: ['shop'] }, []],
    [{ namespaces: ['kube-*', 'shop-pro?'] }, ['pod']],
    [{ pod_labels: { app: 'w*' } }, ['pod']],
    [{ pod_labels: { app: 'web', 'app.kubernetes.io/part-of': 'other' } }, []],
    [{ pod_labels: { absent: '*' } }, []],
    [{ names: ['nginx'] }, ['pod']],
    [{ names: ['billing_*', 'web?'] }, ['docker', 'lxc']],
    [{ names: ['*'] }, ['pod', 'docker', 'lxc']],
    [{ images: ['registry.example.org:5000/*'] }, ['pod']],
    [{ images: ['registry.example.org?5000/shop/web:*'] }, ['pod']],
    [{ images: ['postgres'] }, ['docker']],
    [{ units: ['postgresql@*.service'] }, ['unit']],
    [{ units: ['postgresql'] }, []],
    [{ cgroups: ['/system.slice/**'] }, ['unit']],
    [{ cgroups: ['/system.slice/*'] }, []],
    [{ cgroups: ['/docker/*'] }, ['docker', 'nameless']],
    [{ cgroups: ['/kubepods/**'] }, ['pod']],
    [{ cgroups: ['host'] }, ['host']],
    [{ namespaces: ['shop-*'], images: ['*/web:*'] }, ['pod']],
    [{ namespaces: ['shop-*'], images: ['postgres'] }, []],
  ]
  for (const [match, expected] of MATCHES) {
    it(`takes ${JSON.stringify(match)} for ${expected.join(', ') || 'none'}`, () => {
      assert.deepEqual(wanted([match]), expected)
      const others = Object.keys(CONTAINERS).filter((name) => !expected.includes(name))
      assert.deepEqual(wanted([], [match]), others, 'and excluded it is the others')
    })
  }

  it('wants what one of several entries matches, and never what is excluded', () => {
    assert.deepEqual(wanted([{ units: ['*'] }, { names: ['*'] }], [{ images: ['postgres'] }]), ['pod', 'unit', 'lxc'])
  })

  it('reads a glob for what it is, no more', () => {
    assert.deepEqual(wanted([{ names: ['billing.db.1'] }]), [])
    assert.deepEqual(wanted([{ names: ['(nginx|x)', '[n]ginx', 'nginx$', '\\w+'] }]), [])
  })

  it('is none where nothing is set', () => {
    assert.equal(filterOf(config.parse({}).containers), undefined)
    assert.ok(filterOf(config.parse({ containers: { exclude: [{ units: ['a'] }] } }).containers))
  })

  it('refuses an entry without a condition: it would match every container', () => {
    for (const entry of [{}, { names: [] }, { pod_labels: {} }]) {
      const { error } = config.safeParse({ containers: { exclude: [{ names: ['a'] }, entry] } })
      assert.deepEqual(
        error?.issues.map(({ path, message }) => [path.join('::'), message]),
        [['containers::exclude::1', 'matches every container: no condition is given']],
      )
    }
  })
})
