import { statSync } from 'node:fs'
import { release } from 'node:os'
import { reasonOf } from '../../errors.ts'
import { lacking } from '../../receivers/netvitals/kernel/capabilities.ts'
import { eachNamespace } from '../../receivers/netvitals/kernel/namespaces.ts'
import type { ProgramStatus } from '../../receivers/netvitals/kernel/native.ts'
import { createTracer, type Tracer } from '../../receivers/netvitals/kernel/tracer.ts'
import { type Finding, ok, skipped, splitRemedy } from './finding.ts'

const OLDEST = [5, 10] as const
const BTF = '/sys/kernel/btf/vmlinux'

/** What is lost without a hook. */
const COSTS: Readonly<Record<string, string>> = {
  inet_sock_set_state: 'no connection is seen',
  tcp_destroy_sock: 'ends without a state change are noticed late, by the walk of each interval',
  tcp_retransmit_skb: 'retransmits are counted when a connection is sampled or ends, those of failed attempts not',
  tcp_retransmit_synack: 'retransmits of unfinished handshakes of listeners are not counted',
  cgroup_mkdir: 'new containers are found late, by a walk of the hierarchy',
  cgroup_rmdir: 'ends of containers are found late, by a walk of the hierarchy',
  snapshot_tcp: 'connections from before the start are not known',
  sample_conns: 'bytes and round-trip times of a connection are known at its end only',
  sample_synacks: 'retransmits of unfinished handshakes are not counted',
  sample_deferred: 'ends that found the ring full are lost',
}

export function checkKernel(kernel = release()): Finding[] {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10))
  const isNew = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
  const oldest = OLDEST.join('.')
  if (isNew) return [ok('kernel', kernel), checkBtf()]
  const fix = `run a kernel of ${oldest} or newer`
  return [{ check: 'kernel', status: 'unusable', found: kernel, costs: 'nothing can be traced', fix }, checkBtf()]
}

function checkBtf(): Finding {
  const size = statSync(BTF, { throwIfNoEntry: false })?.size
  if (size !== undefined) return ok('BTF', BTF)
  return {
    check: 'BTF',
    status: 'unusable',
    found: `${BTF} is not there`,
    costs: 'nothing can be traced',
    fix: 'run a kernel built with CONFIG_DEBUG_INFO_BTF=y, and mount /sys where netvitals runs',
  }
}

/** Loads and attaches the programs for a moment, with as little memory as possible. */
export async function checkTracing(): Promise<Finding[]> {
  let tracer: Tracer
  try {
    tracer = createTracer({ ringBytes: 64 * 1024, maxSockets: 1024, onRecord: () => {}, onError: () => {} })
  } catch (error) {
    const refused = splitRemedy(reasonOf(error))
    return [
      { check: 'eBPF programs', status: 'unusable', costs: 'nothing can be traced', ...refused },
      skipped('namespaces', 'entering them takes the eBPF programs'),
    ]
  }
  try {
    return [...describeHooks(tracer.programs), await checkNamespaces(tracer)]
  } finally {
    tracer.close()
  }
}

/** Several programs may be on one hook: it works when they all do. */
function describeHooks(programs: readonly ProgramStatus[]): Finding[] {
  const hooks = Map.groupBy(programs, ({ name }) => name.replace(/^.*[/:]/, ''))
  return [...hooks].map(([hook, attached]) => {
    const missing = attached.find((program) => !program.attached)
    if (missing === undefined) return ok(`hook ${hook}`, 'attached')
    const costs = COSTS[hook] ?? 'what it shows is not counted'
    return { check: `hook ${hook}`, status: 'degraded', costs, ...splitRemedy(missing.reason ?? 'not attached') }
  })
}

/** Really enters each one, as the start does. */
async function checkNamespaces(tracer: Tracer): Promise<Finding> {
  const { visited, failed } = await eachNamespace((fd) => tracer.snapshot(fd))
  const missing = lacking(['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'])
  const entered = `${visited} entered`
  // One that a security module hides is nothing a user can act on; others are in the same namespaces.
  if (visited > 0 && missing.length === 0) return ok('namespaces', entered)
  const reasons = [...failed].map(([code, count]) => `${code} (${count})`).join(', ')
  return {
    check: 'namespaces',
    status: 'degraded',
    found: reasons === '' ? entered : `${entered}, ${reasons}`,
    costs: 'connections from before the start are not known, and nothing is pinged from inside containers',
    fix: missing.length > 0 ? `run as root, or grant ${missing.join(' and ')}` : 'mount /proc of the host (hostPID)',
  }
}
