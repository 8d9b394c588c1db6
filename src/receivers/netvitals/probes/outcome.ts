import { constants } from 'node:os'
import { ProbeOutcome } from '../kernel/native.ts'
import { Probe } from '../metrics/metrics.gen.ts'

/** @see RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1; include/uapi/linux/icmp.h */
const IPV4_UNREACHABLE = 3
const ipv4Unreachable: readonly number[] = [
  Probe.probesUnreachableNetUnreachable,
  Probe.probesUnreachableHostUnreachable,
  Probe.probesUnreachableProtocolUnreachable,
  Probe.probesUnreachablePortUnreachable,
  Probe.probesUnreachableFragmentationNeeded,
  Probe.probesUnreachableSourceRouteFailed,
  Probe.probesUnreachableNetUnreachable, // 6: destination network unknown
  Probe.probesUnreachableHostUnreachable, // 7: destination host unknown
  Probe.probesUnreachableHostUnreachable, // 8: source host isolated
  Probe.probesUnreachableAdminProhibited, // 9: with destination network
  Probe.probesUnreachableAdminProhibited, // 10: with destination host
  Probe.probesUnreachableNetUnreachable, // 11: for type of service
  Probe.probesUnreachableHostUnreachable, // 12: for type of service
  Probe.probesUnreachableAdminProhibited, // 13: communication
  Probe.probesUnreachableAdminProhibited, // 14: host precedence violation
  Probe.probesUnreachableAdminProhibited, // 15: precedence cutoff
]
const IPV4_TIME_EXCEEDED = 11
const IPV4_PARAMETER_PROBLEM = 12

/** @see RFC 4443 3.1 to 3.4; include/uapi/linux/icmpv6.h */
const IPV6_UNREACHABLE = 1
const ipv6Unreachable: readonly number[] = [
  Probe.probesUnreachableNetUnreachable, // 0: no route to destination
  Probe.probesUnreachableAdminProhibited,
  Probe.probesUnreachableBeyondScope,
  Probe.probesUnreachableAddressUnreachable,
  Probe.probesUnreachablePortUnreachable,
  Probe.probesUnreachablePolicyFailed,
  Probe.probesUnreachableRejectRoute,
]
const IPV6_PACKET_TOO_BIG = 2
const IPV6_TIME_EXCEEDED = 3
const IPV6_PARAMETER_PROBLEM = 4

const { errno } = constants
const errors: ReadonlyMap<number, number> = new Map([
  [errno.EPERM, Probe.probesErrorEperm],
  [errno.EACCES, Probe.probesErrorEacces],
  [errno.EINVAL, Probe.probesErrorEinval],
  [errno.ENETUNREACH, Probe.probesErrorEnetunreach],
  [errno.EHOSTUNREACH, Probe.probesErrorEhostunreach],
  [errno.ENETDOWN, Probe.probesErrorEnetdown],
  [errno.EADDRNOTAVAIL, Probe.probesErrorEaddrnotavail],
  [errno.EMSGSIZE, Probe.probesErrorEmsgsize],
  [errno.ENOBUFS, Probe.probesErrorEnobufs],
  [errno.EAGAIN, Probe.probesErrorEagain],
  [errno.ENODEV, Probe.probesErrorEnodev],
  [errno.EAFNOSUPPORT, Probe.probesErrorEafnosupport],
  [errno.EMFILE, Probe.probesErrorEmfile],
  [errno.ENOMEM, Probe.probesErrorEnomem],
])

/** What this host lacked to send at all: they say nothing of the network. */
const ownFaults = new Set<number>([errno.EAFNOSUPPORT, errno.EMFILE, errno.ENFILE, errno.ENOMEM])

export const isOwnFault = (outcome: number, errno: number) => outcome === ProbeOutcome.error && ownFaults.has(errno)

/** Column of container.net.probes for what became of a probe. */
export function probeColumn(outcome: number, family: 4 | 6, errno: number, type: number, code: number): number {
  if (outcome === ProbeOutcome.reply) return Probe.probesReply
  if (outcome === ProbeOutcome.timeout) return Probe.probesTimeout
  if (outcome === ProbeOutcome.error) return errors.get(errno) ?? Probe.probesErrorOther
  return (family === 4 ? ipv4Column(type, code) : ipv6Column(type, code)) ?? Probe.probesUnreachableOther
}

function ipv4Column(type: number, code: number): number | undefined {
  if (type === IPV4_UNREACHABLE) return ipv4Unreachable[code]
  if (type === IPV4_TIME_EXCEEDED) return Probe.probesUnreachableTtlExceeded
  if (type === IPV4_PARAMETER_PROBLEM) return Probe.probesUnreachableParameterProblem
  return undefined
}

function ipv6Column(type: number, code: number): number | undefined {
  if (type === IPV6_UNREACHABLE) return ipv6Unreachable[code]
  if (type === IPV6_PACKET_TOO_BIG) return Probe.probesUnreachablePacketTooBig
  if (type === IPV6_TIME_EXCEEDED) return Probe.probesUnreachableTtlExceeded
  if (type === IPV6_PARAMETER_PROBLEM) return Probe.probesUnreachableParameterProblem
  return undefined
}
