import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import { formatEndpoint, identify, sourceName } from '../../src/links/identity.ts'
import { container, outbound, pod } from './batches.ts'

const SOURCES: [what: string, resource: Attributes, workload: string, container: string][] = [
  ['a pod', pod('shop', 'front-end', 'x1'), 'shop/front-end', 'shop/front-end-x1'],
  [
    'a pod of a stateful set',
    {
      'k8s.namespace.name': 'db',
      'k8s.statefulset.name': 'pg',
      'k8s.pod.name': 'pg-0',
      'k8s.container.name': 'server',
    },
    'db/pg',
    'db/pg-0/server',
  ],
  ['a bare pod', { 'k8s.namespace.name': 'ops', 'k8s.pod.name': 'shell' }, 'ops/shell', 'ops/shell'],
  ['a named container', container('nginx', { 'service.namespace': 'edge' }), 'edge/nginx', 'nginx'],
  [
    'a container known by id alone',
    {
      'container.id': '0123456789abcdef0123456789abcdef',
      'container.runtime.name': 'podman',
      'service.name': 'unknown_service',
      'service.instance.id': '0123456789abcdef0123456789abcdef',
    },
    'podman 0123456789ab',
    'podman 0123456789ab',
  ],
  ['a unit', { 'systemd.unit': 'ssh.service', 'service.name': 'ssh' }, 'ssh', 'ssh.service'],
  ['the host', { 'service.name': 'host', 'service.instance.id': 'id' }, 'host', 'host'],
  ['nothing at all', {}, 'unknown', 'unknown'],
]
for (const [what, resource, workload, name] of SOURCES) {
  test(`${what} has a name`, () => {
    assert.equal(sourceName(resource, 'workload'), workload)
    assert.equal(sourceName(resource, 'container'), name)
  })
}

test('a destination is named by its owner for workloads, by its own name for containers, else by what was dialled', () => {
  const named = outbound('10.42.2.243', 8080, 'cluster', {
    'k8s.dst.namespace': 'shop',
    'k8s.dst.name': 'catalog-7f-abc',
    'k8s.dst.owner.name': 'catalog',
  })
  assert.deepEqual(identify(named, 'workload').peer, { name: 'shop/catalog', port: 8080 })
  assert.deepEqual(identify(named, 'container').peer, { name: 'shop/catalog-7f-abc', port: 8080 })
  assert.deepEqual(identify(outbound('192.0.2.1', 443, 'external'), 'workload').peer, { name: '192.0.2.1', port: 443 })
})

test('a port that is missing, a scope nobody knows', () => {
  const identity = identify({ 'destination.address': '192.0.2.1', 'destination.scope': 'galaxy' }, 'workload')
  assert.deepEqual(identity.peer, { name: '192.0.2.1' })
  assert.equal(identity.scope, undefined)
  assert.equal(identity.direction, 'outbound')
})

test('endpoints are written as in URLs', () => {
  assert.equal(formatEndpoint({ name: 'shop/catalog', port: 80 }), 'shop/catalog:80')
  assert.equal(formatEndpoint({ name: '2001:db8::1', port: 80 }), '[2001:db8::1]:80')
  assert.equal(formatEndpoint({ name: 'external' }), 'external')
})
