import assert from 'node:assert/strict'
import { test } from 'node:test'
import { links, metrics } from '../../../../src/receivers/netvitals/metrics/metrics.gen.ts'
import { namings } from '../../../../src/receivers/netvitals/metrics/naming.ts'
import type { Metric } from '../../../../src/receivers/netvitals/metrics/schema.ts'
import { prometheusName } from './prometheus-names.ts'

const destination = {
  'destination.address': '10.96.0.10',
  'destination.port': 53,
  'network.peer.address': '10.42.2.243',
  'network.peer.port': 5353,
  'network.type': 'ipv4',
}
const pod = {
  'container.id': '0123456789ab',
  'k8s.namespace.name': 'default',
  'k8s.pod.name': 'front-end-58987ffbcd-2w9gz',
  'k8s.container.name': 'front-end',
  'service.name': 'front-end',
}
function metric(name: string): Metric {
  return metrics.find((metric) => metric.name === name)!
}

for (const [name, naming] of Object.entries(namings)) {
  test(`no two metrics of naming ${name} meet once Prometheus has translated them`, () => {
    const named = metrics.flatMap((metric: Metric) => {
      const kind = Object.keys(links).find((kind) => naming.metric(metric, kind)) ?? ''
      const given = naming.metric(metric, kind)
      return given ? [prometheusName({ ...metric, name: given.name })] : []
    })
    assert.equal(named.length, metrics.length)
    assert.equal(new Set(named).size, named.length)
  })
}

test('translated by Prometheus, the names are those that operators know', () => {
  assert.deepEqual(metrics.map(prometheusName), [
    'container_net_latency_seconds',
    'container_net_probes_total',
    'container_net_tcp_successful_connects_total',
    'container_net_tcp_failed_connects_total',
    'container_net_tcp_connection_time_seconds_total',
    'container_net_tcp_active_connections',
    'container_net_tcp_broken_connections_total',
    'container_net_tcp_retransmits_total',
    'container_net_tcp_segments_sent_total',
    'container_net_tcp_bytes_sent_total',
    'container_net_tcp_bytes_received_total',
    'container_net_tcp_rtt_seconds',
    'container_net_tcp_listen',
    'netvitals_build_info',
  ])
})

test('naming coroot gives the names that its node agent exports', () => {
  const name = (metric: Metric, kind: string) => {
    const given = namings.coroot.metric(metric, kind)
    return given && prometheusName({ ...metric, name: given.name })
  }
  assert.equal(name(metric('container.net.tcp.retransmits'), 'outbound'), 'container_net_tcp_retransmits_total')
  assert.equal(
    name(metric('container.net.tcp.connection_time'), 'outbound'),
    'container_net_tcp_connection_time_seconds_total',
  )
  assert.equal(name(metric('container.net.tcp.bytes_sent'), 'outbound'), 'container_net_tcp_bytes_sent_total')
  assert.equal(name(metric('container.net.tcp.listen'), 'listen'), 'container_net_tcp_listen_info')
  assert.equal(name(latency, 'probe'), 'container_net_latency_seconds')
})

const latency = metric('container.net.latency')

test('naming coroot puts container, destination and what answered on every point', () => {
  const { point } = namings.coroot.metric(metric('container.net.tcp.failed_connects'), 'outbound')!
  assert.deepEqual(point({ ...destination, 'error.type': 'refused' }, pod, '/docker/ab'), {
    container_id: '/k8s/default/front-end-58987ffbcd-2w9gz/front-end',
    destination: '10.96.0.10:53',
    actual_destination: '10.42.2.243:5353',
    'error.type': 'refused',
  })
  const six = { ...destination, 'destination.address': 'fd00::1' }
  assert.equal(point(six, pod, '/docker/ab').destination, '[fd00::1]:53')
  const { 'destination.port': _, 'network.peer.port': __, ...folded } = destination
  const { destination: dialled, actual_destination: answered } = point(folded, pod, '/docker/ab')
  assert.deepEqual([dialled, answered], ['10.96.0.10:0', '10.42.2.243:0'], 'ports that are told together')
})

test('naming coroot finds the failed link by destination_ip', () => {
  const { point } = namings.coroot.metric(latency, 'probe')!
  assert.deepEqual(point({ 'destination.address': '10.42.2.243', 'destination.scope': 'cluster' }, pod, '/docker/ab'), {
    container_id: '/k8s/default/front-end-58987ffbcd-2w9gz/front-end',
    destination_ip: '10.42.2.243',
  })
})

test('naming coroot joins the counts of probes with the latency by destination_ip', () => {
  const { point, name } = namings.coroot.metric(metric('container.net.probes'), 'probe')!
  assert.equal(name, 'container.net.probes')
  const attributes = { 'destination.address': '10.42.2.243', result: 'unreachable', 'error.type': 'admin_prohibited' }
  assert.deepEqual(point(attributes, pod, '/docker/ab'), {
    container_id: '/k8s/default/front-end-58987ffbcd-2w9gz/front-end',
    destination_ip: '10.42.2.243',
    ...attributes,
  })
  assert.equal('destination_ip' in point({ 'otel.metric.overflow': true, result: 'reply' }, pod, '/docker/ab'), false)
})

test('naming coroot has no accepted connections under names that its agent gives to dialled ones', () => {
  assert.equal(namings.coroot.metric(metric('container.net.tcp.retransmits'), 'inbound'), undefined)
  const { point, name } = namings.coroot.metric(metric('container.net.tcp.broken_connections'), 'inbound')!
  assert.equal(name, 'container.net.tcp.broken_connections')
  assert.equal(point({ direction: 'inbound' }, pod, '/docker/ab').direction, 'inbound')
})

test('naming coroot tells where a container listens', () => {
  const { point } = namings.coroot.metric(metric('container.net.tcp.listen'), 'listen')!
  assert.deepEqual(point({ 'destination.address': '0.0.0.0', 'destination.port': 80 }, pod, '/docker/ab'), {
    container_id: '/k8s/default/front-end-58987ffbcd-2w9gz/front-end',
    listen_addr: '0.0.0.0:80',
    proxy: '',
  })
})

test('naming coroot takes container.id off the resource', () => {
  assert.equal('container.id' in namings.coroot.resource(pod), false)
})
