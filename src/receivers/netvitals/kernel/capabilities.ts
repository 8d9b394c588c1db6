import { readFileSync } from 'node:fs'

/** @see include/uapi/linux/capability.h */
const bits = {
  CAP_NET_ADMIN: 12n,
  CAP_NET_RAW: 13n,
  CAP_SYS_PTRACE: 19n,
  CAP_SYS_ADMIN: 21n,
  CAP_SYS_RESOURCE: 24n,
  CAP_PERFMON: 38n,
  CAP_BPF: 39n,
}

export type Capability = keyof typeof bits

/** Those of the given ones that this process does not have in effect; none when /proc does not tell. */
export function lacking(capabilities: readonly Capability[], statusPath = '/proc/self/status'): Capability[] {
  let status: string
  try {
    status = readFileSync(statusPath, 'utf8')
  } catch {
    return []
  }
  const text = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1]
  if (text === undefined) return []
  const effective = BigInt(`0x${text}`)
  return capabilities.filter((name) => ((effective >> bits[name]) & 1n) === 0n)
}

/** What tracing lacks: CAP_SYS_ADMIN stands for both of the finer ones, as it did before they came (5.8). */
export function lackingForTracing(): Capability[] {
  return lacking(['CAP_SYS_ADMIN']).length === 0 ? [] : lacking(['CAP_BPF', 'CAP_PERFMON'])
}
