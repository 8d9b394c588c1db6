import { release } from 'node:os'
import { type Capability, lacking } from '../../receivers/netvitals/kernel/capabilities.ts'
import { type Finding, ok, skipped } from './finding.ts'

const TRACING = 'nothing can be traced'

/** Each buys one part. */
const COSTS: Readonly<Record<Capability, string>> = {
  CAP_BPF: TRACING,
  CAP_PERFMON: TRACING,
  CAP_SYS_ADMIN: 'namespaces cannot be entered: no connections from before the start, no pings from inside containers',
  CAP_SYS_PTRACE: 'namespaces of other users cannot be entered: no connections from before the start, no pings there',
  CAP_NET_RAW: 'nothing is pinged',
  CAP_NET_ADMIN: 'what answers behind a translated address is not known',
  CAP_SYS_RESOURCE: 'eBPF maps may not fit into the locked memory that this process may have',
}

export function checkCapabilities(statusPath?: string, kernel = release()): Finding[] {
  const names = Object.keys(COSTS) as Capability[]
  const missing = new Set(lacking(names, statusPath))
  // CAP_SYS_ADMIN stands for both of the finer ones, as it did before they came (5.8).
  const isTracing = (name: Capability) => name === 'CAP_BPF' || name === 'CAP_PERFMON'
  return names.map((name): Finding => {
    if (!missing.has(name)) return ok(name, 'in effect')
    if (isTracing(name) && !missing.has('CAP_SYS_ADMIN')) return ok(name, 'CAP_SYS_ADMIN stands for it')
    if (name === 'CAP_SYS_RESOURCE' && !isBefore511(kernel)) return skipped(name, 'needed before kernel 5.11 only')
    return {
      check: name,
      status: isTracing(name) ? 'unusable' : 'degraded',
      found: 'missing',
      costs: COSTS[name],
      fix: `run as root, or grant it (systemd: AmbientCapabilities=, Kubernetes: capabilities.add)`,
    }
  })
}

/** Memory of eBPF maps counted against RLIMIT_MEMLOCK until then. */
function isBefore511(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10))
  return major < 5 || (major === 5 && minor < 11)
}
