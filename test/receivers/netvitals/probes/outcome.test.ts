import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { test } from 'node:test'
import { ProbeOutcome } from '../../../../src/receivers/netvitals/kernel/native.ts'
import { links } from '../../../../src/receivers/netvitals/metrics/metrics.gen.ts'
import { isOwnFault, probeColumn } from '../../../../src/receivers/netvitals/probes/outcome.ts'

const { errno } = constants

function attributes(outcome: number, family: 4 | 6, of: { errno?: number; type?: number; code?: number } = {}) {
  const column = probeColumn(outcome, family, of.errno ?? 0, of.type ?? 0, of.code ?? 0)
  return Object.values(links.probe.columns[column]!.attributes).join(' ')
}

test('a reply and a timeout are what they are', () => {
  assert.equal(attributes(ProbeOutcome.reply, 4), 'reply')
  assert.equal(attributes(ProbeOutcome.timeout, 6), 'timeout')
})

const unreachable: [family: 4 | 6, type: number, code: number, expected: string][] = [
  [4, 3, 0, 'net_unreachable'],
  [4, 3, 1, 'host_unreachable'],
  [4, 3, 2, 'protocol_unreachable'],
  [4, 3, 3, 'port_unreachable'],
  [4, 3, 4, 'fragmentation_needed'],
  [4, 3, 5, 'source_route_failed'],
  [4, 3, 9, 'admin_prohibited'],
  [4, 3, 10, 'admin_prohibited'],
  [4, 3, 13, 'admin_prohibited'],
  [4, 3, 77, '_OTHER'],
  [4, 11, 0, 'ttl_exceeded'],
  [4, 12, 0, 'parameter_problem'],
  [4, 5, 0, '_OTHER'],
  [6, 1, 0, 'net_unreachable'],
  [6, 1, 1, 'admin_prohibited'],
  [6, 1, 2, 'beyond_scope'],
  [6, 1, 3, 'address_unreachable'],
  [6, 1, 4, 'port_unreachable'],
  [6, 1, 5, 'policy_failed'],
  [6, 1, 6, 'reject_route'],
  [6, 1, 99, '_OTHER'],
  [6, 2, 0, 'packet_too_big'],
  [6, 3, 0, 'ttl_exceeded'],
  [6, 4, 1, 'parameter_problem'],
  [6, 200, 0, '_OTHER'],
]
for (const [family, type, code, expected] of unreachable)
  test(`ICMP${family === 6 ? 'v6' : ''} type ${type} code ${code} is ${expected}`, () => {
    assert.equal(attributes(ProbeOutcome.unreachable, family, { type, code }), `unreachable ${expected}`)
  })

test('an error of sending is named by its errno, an unusual one _OTHER', () => {
  for (const name of ['EPERM', 'ENETUNREACH', 'EHOSTUNREACH', 'ENOBUFS', 'EINVAL', 'EACCES', 'ENODEV'] as const)
    assert.equal(attributes(ProbeOutcome.error, 4, { errno: errno[name] }), `error ${name}`)
  assert.equal(attributes(ProbeOutcome.error, 6, { errno: errno.ENOTTY }), 'error _OTHER')
})

test('only what this host lacks says nothing of the network', () => {
  assert.ok(isOwnFault(ProbeOutcome.error, errno.EMFILE))
  assert.ok(isOwnFault(ProbeOutcome.error, errno.EAFNOSUPPORT))
  assert.ok(!isOwnFault(ProbeOutcome.error, errno.EPERM))
  assert.ok(!isOwnFault(ProbeOutcome.timeout, errno.EMFILE))
})
